"""What Asterisk says about a channel's line in one variable: read once, when the call is over. Pure.

Source: Asterisk 22, the function CHANNEL, `rtcp` and `pjsip`, and `res_rtp_asterisk.c`; 22.10.1 for the
units: jitter and round trip are in seconds. Its RTCP events are not subscribed: one comes for every packet of
RTCP, in both directions.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from voicegate.domain.call_quality import CallQuality

SIP_CALL_ID: Final = "CHANNEL(pjsip,call-id)"
"""The Call-ID, also before the answer."""
_COUNTS: Final = ("rxcount", "txcount", "rxploss", "txploss", "rxjitter", "txjitter", "rtt")
QUALITY: Final = "|".join(
    ["${" + f"CHANNEL(rtcp,{name})" + "}" for name in _COUNTS]
    + ["${CHANNEL(audionativeformat)}", "${" + SIP_CALL_ID + "}"]
)
"""Asks for all of it; the parts are separated by `|`, which no Call-ID contains (RFC 3261)."""
FIELDS: Final = len(_COUNTS) + 2
"""How many parts it has."""


def read_quality(parts: Sequence[str]) -> CallQuality:
    """Return the quality that the parts of `QUALITY` tell; a part may be empty."""
    received, sent, lost_received, lost_sent = (count(part) for part in parts[:4])
    jitter_received, jitter_sent, round_trip = (seconds(part) for part in parts[4:7])
    # Without a report of the far end, what it would have reported is 0.
    is_reported = bool(round_trip)
    return CallQuality(
        sip_call_id=parts[8] or None,
        codec=parts[7].strip("()").partition("|")[0] or None,
        packets_sent=sent,
        packets_received=received,
        lost_sent=lost_sent if is_reported else None,
        lost_received=lost_received if received else None,
        jitter_sent=jitter_sent if is_reported else None,
        jitter_received=jitter_received if received else None,
        round_trip=round_trip if is_reported else None,
    )


def count(text: str) -> int | None:
    """Return a count; None: it is not one. `rxcount` may be the empty string."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def seconds(text: str) -> timedelta | None:
    """Return a duration of less than a day that is written in seconds; None: it is not one."""
    try:
        value = float(text)
    except ValueError:
        return None
    # False also for what is not a number.
    return timedelta(seconds=value) if 0 <= value < 86400 else None
