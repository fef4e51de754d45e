"""One call to a telephone: its states, what can happen to it, and what it proved.

The table `TRANSITIONS` has every pair of state and event that can happen, late and repeated events of a PBX
included. Any other pair is an error in Voicegate. Why a call ended is decided in `call_outcome`. Evidence is
a set of facts; each is set by the event that shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Final

from voicegate.domain.errors import InvalidTransition
from voicegate.domain.phone_number import Destination


class CallState(StrEnum):
    """The state of a call."""

    QUEUED = "queued"
    ORIGINATING = "originating"
    RINGING = "ringing"
    ANSWERED = "answered"
    SENDING_EXTENSION = "sending_extension"
    AWAITING_HUMAN = "awaiting_human"
    ANNOUNCING = "announcing"
    ENDED = "ended"


class EvidenceLevel(IntEnum):
    """The strongest fact that a call proved; each level is worth more than the ones before it."""

    NONE = 0
    ANSWERED = 1
    MEDIA = 2
    HUMAN = 3
    ANNOUNCED = 4


@dataclass(frozen=True, slots=True)
class Evidence:
    """Facts that a call showed."""

    answered: bool = False
    """The far end answered; a machine may have."""
    media: bool = False
    """RTP or RTCP came back from the far end."""
    extension_sent: bool = False
    """The extension's digits were played to the far end."""
    human: bool = False
    """A key was pressed after the call had named it: the requested one, or the one that reports the call."""
    announced: int = 0
    """How many readings were proven: every digit of the code was played to its last sample, and its packets
    were sent."""

    @property
    def strongest(self) -> EvidenceLevel:
        """The strongest fact that was shown."""
        shown = {
            EvidenceLevel.ANNOUNCED: self.announced > 0,
            EvidenceLevel.HUMAN: self.human,
            EvidenceLevel.MEDIA: self.media,
            EvidenceLevel.ANSWERED: self.answered,
        }
        return next((level for level, is_shown in shown.items() if is_shown), EvidenceLevel.NONE)


@dataclass(frozen=True, slots=True)
class Media:
    """Packet counts of a leg, as the PBX counts them; None: the PBX does not say."""

    received: int | None = None
    """RTP packets from the far end (Asterisk: of the newest SSRC only)."""
    sent: int | None = None
    """RTP packets to the far end."""
    reports_back: bool = False
    """RTCP came back (a round-trip time is known)."""

    @property
    def is_seen(self) -> bool:
        """Return whether anything came back from the far end."""
        return bool(self.received) or self.reports_back

    def sent_since(self, earlier: "Media") -> int | None:
        """Return the packets sent since an earlier count; None: one of the two counts is unknown."""
        return None if self.sent is None or earlier.sent is None else self.sent - earlier.sent


@dataclass(frozen=True, slots=True)
class Playback:
    """The result of playing one file into a leg."""

    samples: int
    """Samples played, at the sample rate of the file."""
    elapsed: timedelta
    """Wall time from command to reply."""
    packets: int | None
    """RTP packets sent meanwhile; None: the PBX does not say."""
    key: str | None = None
    """The key that stopped the playback; None: no key did."""
    hung_up: bool = False
    """Did the leg end meanwhile?"""
    held: bool = False
    """Did the far end put us on hold meanwhile? Then the PBX sends nothing."""
    packet: timedelta | None = None
    """How much audio one RTP packet of this leg carries; None: the PBX does not say."""


@dataclass(frozen=True, slots=True)
class CodeSpan:
    """The part of a file that must be sent: from its start to the end of the code's last digit."""

    samples: int
    """Samples in the span."""
    length: timedelta
    """Its duration."""
    packet: timedelta = timedelta(milliseconds=20)
    """How much audio one RTP packet of this leg carries, as measured or as told by the PBX."""


# Allows for the clock of a busy host.
_TIME_TOLERANCE: Final = 0.95
# What may lack of the packets, in audio: the shortest digit has more.
_LACKING: Final = timedelta(milliseconds=100)
_LEAST_LACKING: Final = 2
# What far ends ask for (SDP's ptime).
_PACKETS: Final = tuple(timedelta(milliseconds=each) for each in (10, 20, 30, 40, 60))
_MEASURED_OVER: Final = timedelta(seconds=1)
_MEASURED_WITHIN: Final = 0.02


def proves_sent(playback: Playback, span: CodeSpan) -> bool:
    """Return whether `playback` really sent all of `span`: the PBX's report, the time and the packets must
    agree.

    Asterisk 22 reports "played in full" while on hold or without a codec, and the whole length of a file that
    was started when the channel ended.
    """
    if playback.held or playback.packets is None or playback.samples < span.samples:
        return False
    # Time and packets of all that is said to have been played: those of what follows the code must not
    # stand in for the code's own.
    played = span.length * (playback.samples / span.samples)
    lacking = max(_LEAST_LACKING, int(_LACKING / span.packet))
    return (
        playback.elapsed >= played * _TIME_TOLERANCE
        and playback.packets >= int(played / span.packet) - lacking
    )


def measure_packet(playback: Playback, length: timedelta) -> timedelta | None:
    """Return how much audio each packet carried, when so much audio was played; None: no usual length fits.

    The far end chooses the length. Asterisk 22 follows it where `use_ptime` is on, but does not tell it. If
    packets were lost, the result is too long, never too short: the shortest result on a call is the right
    one.
    """
    if playback.packet is not None:
        return playback.packet
    if playback.held or playback.packets is None or length < _MEASURED_OVER:
        return None
    if playback.elapsed < length * _TIME_TOLERANCE:
        return None
    for packet in _PACKETS:
        wanted = length / packet
        if abs(playback.packets - wanted) <= _LEAST_LACKING + wanted * _MEASURED_WITHIN:
            return packet
    return None


@dataclass(frozen=True, slots=True)
class Originated:
    """The originate is about to be sent. From here on, a call whose fate is unknown is never retried."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """Early media (SIP 183): the far network sends sound; the telephone may not be ringing."""


@dataclass(frozen=True, slots=True)
class Rang:
    """The far end reports ringing (SIP 180)."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The far end answered, and the controller has the channel."""


@dataclass(frozen=True, slots=True)
class ExtensionStarted:
    """Sending the extension's digits began."""


@dataclass(frozen=True, slots=True)
class ExtensionSent:
    """All digits of the extension were played to the far end."""


@dataclass(frozen=True, slots=True)
class Invited:
    """The invitation began; a key is awaited."""


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The requested key was pressed."""

    digit: str | None = None
    """Which key it was; None: it was not recorded."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The key that says "I did not ask for this call" was pressed."""


@dataclass(frozen=True, slots=True)
class OptedOut:
    """The key that says "no more such calls" was pressed, and pressed again to confirm it."""


@dataclass(frozen=True, slots=True)
class ReadingStarted:
    """A reading of the code began."""

    reading: int
    """1 for the first."""


@dataclass(frozen=True, slots=True)
class ReadingEnded:
    """A reading of the code ended."""

    reading: int
    """1 for the first."""
    proven: bool
    """Was every digit sent to its last sample, as decided by `proves_sent`?"""


@dataclass(frozen=True, slots=True)
class MediaCounted:
    """The leg's packets were counted."""

    media: Media
    """The counts."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The call has ended; nothing follows."""


CallEvent = (
    Originated
    | Progressed
    | Rang
    | Answered
    | ExtensionStarted
    | ExtensionSent
    | Invited
    | KeyPressed
    | Reported
    | OptedOut
    | ReadingStarted
    | ReadingEnded
    | MediaCounted
    | Ended
)

_S = CallState
_TALKING: Final = (_S.ANSWERED, _S.SENDING_EXTENSION, _S.AWAITING_HUMAN, _S.ANNOUNCING)
_BEFORE_ANSWER: Final = (_S.ORIGINATING, _S.RINGING)

TRANSITIONS: Final[Mapping[tuple[CallState, type[CallEvent]], CallState]] = {
    (_S.QUEUED, Originated): _S.ORIGINATING,
    (_S.ORIGINATING, Progressed): _S.ORIGINATING,
    (_S.RINGING, Progressed): _S.RINGING,
    **{(state, Rang): _S.RINGING for state in _BEFORE_ANSWER},
    **{(state, Answered): _S.ANSWERED for state in _BEFORE_ANSWER},
    # A PBX's channel events and its media control travel apart: signs of ringing can come late.
    **{(state, late): state for state in _TALKING for late in (Progressed, Rang)},
    (_S.ANSWERED, ExtensionStarted): _S.SENDING_EXTENSION,
    (_S.SENDING_EXTENSION, ExtensionSent): _S.SENDING_EXTENSION,
    (_S.ANSWERED, Invited): _S.AWAITING_HUMAN,
    (_S.SENDING_EXTENSION, Invited): _S.AWAITING_HUMAN,
    **{(_S.AWAITING_HUMAN, pressed): _S.AWAITING_HUMAN for pressed in (KeyPressed, Reported, OptedOut)},
    (_S.ANSWERED, ReadingStarted): _S.ANNOUNCING,
    (_S.SENDING_EXTENSION, ReadingStarted): _S.ANNOUNCING,
    (_S.AWAITING_HUMAN, ReadingStarted): _S.ANNOUNCING,
    (_S.ANNOUNCING, ReadingStarted): _S.ANNOUNCING,
    (_S.ANNOUNCING, ReadingEnded): _S.ANNOUNCING,
    **{(state, MediaCounted): state for state in _TALKING},
    **{(state, Ended): _S.ENDED for state in CallState if state is not _S.ENDED},
}
"""Every pair that can happen, and the state that follows it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a challenge, as it is now."""

    id: str
    """Our id, which the PBX uses for the channel."""
    challenge_id: str
    """The challenge whose code it speaks."""
    destination: Destination
    """The telephone that it rings."""
    trunk: str
    """The trunk that it uses, or the name of the internal route."""
    caller_id: str
    """The number shown to the called person."""
    created_at: datetime
    """When it was queued."""
    is_test: bool = False
    """Does it go to a test number? Then it says nothing about carriers and people."""
    state: CallState = CallState.QUEUED
    """Its state."""
    rang: bool = False
    """Was ringing seen?"""
    progressed: bool = False
    """Was early media seen?"""
    evidence: Evidence = field(default_factory=Evidence)
    """What it has proved so far."""
    key_asked: bool = False
    """Was a person asked for a key?"""
    originated_at: datetime | None = None
    """When the originate was sent; None: not yet."""
    post_dial_delay: timedelta | None = None
    """From the originate to the first ringing, early media or answer, in whole milliseconds; None: there was
    none."""
    answered_at: datetime | None = None
    """When it was answered; None: not yet."""
    ended_at: datetime | None = None
    """When it ended; None: not yet."""

    @property
    def is_live(self) -> bool:
        """Return whether it has not ended."""
        return self.state is not CallState.ENDED


def step(call: Call, event: CallEvent, now: datetime) -> Call:
    """Return `call` after `event` happened to it at `now`.

    Raises:
        InvalidTransition: the pair is not in `TRANSITIONS`.
    """
    state = TRANSITIONS.get((call.state, type(event)))
    if state is None:
        raise InvalidTransition(f"{type(event).__name__} cannot happen to a call that is {call.state}")
    return replace(
        call,
        state=state,
        rang=call.rang or isinstance(event, Rang),
        progressed=call.progressed or isinstance(event, Progressed),
        evidence=_learn(call.evidence, event),
        key_asked=call.key_asked or isinstance(event, Invited),
        originated_at=now if isinstance(event, Originated) else call.originated_at,
        post_dial_delay=_delay(call, event, now),
        answered_at=now if isinstance(event, Answered) else call.answered_at,
        ended_at=now if isinstance(event, Ended) else call.ended_at,
    )


def _delay(call: Call, event: CallEvent, now: datetime) -> timedelta | None:
    is_sign = isinstance(event, Rang | Progressed | Answered)
    if call.post_dial_delay is not None or call.originated_at is None or not is_sign:
        return call.post_dial_delay
    # Never negative: the clock may have been set back.
    return timedelta(milliseconds=max(round((now - call.originated_at) / timedelta(milliseconds=1)), 0))


def _learn(evidence: Evidence, event: CallEvent) -> Evidence:
    match event:
        case Answered():
            return replace(evidence, answered=True)
        case MediaCounted(media):
            return replace(evidence, media=evidence.media or media.is_seen)
        case ExtensionSent():
            return replace(evidence, extension_sent=True)
        case KeyPressed() | Reported():
            return replace(evidence, human=True)
        case ReadingEnded(proven=True):
            return replace(evidence, announced=evidence.announced + 1)
        case _:
            return evidence
