"""How well a call's audio travelled, as the PBX and the far end's RTCP counted it; pure.

The mean opinion score (MOS) is ITU-T G.107's E-model, simplified as by Cole and Rosenbluth, "Voice over IP
performance monitoring" (ACM SIGCOMM CCR, 2001): all that cannot be counted on a call has the standard's
default. Codecs' values: ITU-T G.113, appendix I. Narrowband: 4.4 is the most, for a wideband codec too.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

# What the standard's defaults leave of R (G.107, 7.1).
_BEST: Final = 93.2
_MOST: Final = 100.0
# From 177.3 ms on, people begin to interrupt each other.
_DISTURBING: Final = timedelta(milliseconds=177.3)
# One packet is filled before it is sent.
_PACKET: Final = timedelta(milliseconds=20)
# Equipment impairment (Ie) and robustness to random loss (Bpl) of a codec; G.711 without loss concealment.
_G711: Final = (0.0, 4.3)
_CODECS: Final = {"g729": (11.0, 19.0), "g723": (15.0, 16.1)}
_WORST_LOSS: Final = 95.0


@dataclass(frozen=True, slots=True)
class CallQuality:
    """What was counted on a call's line; None in a field: the PBX or the far end does not say."""

    sip_call_id: str | None = None
    """The Call-ID of its SIP dialog, by which Homer or sngrep finds it."""
    codec: str | None = None
    """The codec of what we send, as the PBX names it."""
    packets_sent: int | None = None
    """RTP packets to the far end."""
    packets_received: int | None = None
    """RTP packets from the far end."""
    lost_sent: int | None = None
    """Of those sent, how many the far end missed, by its RTCP."""
    lost_received: int | None = None
    """How many from the far end did not arrive."""
    jitter_sent: timedelta | None = None
    """How unevenly those sent arrived, by the far end's RTCP (RFC 3550, 6.4.1)."""
    jitter_received: timedelta | None = None
    """How unevenly those from the far end arrived."""
    round_trip: timedelta | None = None
    """From us to the far end and back, by its RTCP."""

    @property
    def mos(self) -> float | None:
        """The mean opinion score, 1 to 4.4: of what the person heard if the far end reports by RTCP, else of
        what came back from there; None: neither was counted."""
        if self.lost_sent is not None and self.packets_sent:
            return self._score(self.lost_sent / self.packets_sent, self.jitter_sent)
        if self.lost_received is not None and self.packets_received:
            arriving = self.packets_received + self.lost_received
            return self._score(self.lost_received / arriving, self.jitter_received)
        return None

    def _score(self, lost: float, jitter: timedelta | None) -> float:
        # A receiver's buffer holds about twice the jitter.
        delay = (self.round_trip or timedelta()) / 2 + 2 * (jitter or timedelta()) + _PACKET
        return score(lost=min(max(lost, 0.0), 1.0), delay=delay, codec=self.codec or "")


def score(*, lost: float, delay: timedelta, codec: str) -> float:
    """Return the MOS for a share of packets lost (0 to 1), the delay from mouth to ear, and a codec."""
    factor = _BEST - _delay_impairment(delay) - _loss_impairment(lost * 100, codec)
    # G.107, annex B.
    if factor <= 0:
        return 1.0
    if factor >= _MOST:
        return 4.5
    mos = 1 + 0.035 * factor + factor * (factor - 60) * (_MOST - factor) * 7e-6
    return round(max(mos, 1.0), 2)


def _delay_impairment(delay: timedelta) -> float:
    """Return Id, by Cole and Rosenbluth's approximation of G.107's figure."""
    milliseconds = delay / timedelta(milliseconds=1)
    beyond = (delay - _DISTURBING) / timedelta(milliseconds=1)
    return 0.024 * milliseconds + 0.11 * max(beyond, 0.0)


def _loss_impairment(percent: float, codec: str) -> float:
    """Return Ie-eff for packets lost at random (G.107, equation 7-29 with BurstR 1)."""
    own, robust = next(
        (known for name, known in _CODECS.items() if codec.lower().startswith(name)),
        _G711,
    )
    return own + (_WORST_LOSS - own) * percent / (percent + robust)
