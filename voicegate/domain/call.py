"""One attempt to reach a telephone: its states, what can happen to it, and what it proved.

The table `TRANSITIONS` is the theory: every pair of state and event that may occur, late and
repeated events of a PBX among them; any other pair is a fault of ours. Why a call ended so is
`call_outcome`'s question. Evidence is facts only, each set by the event that showed it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Final

from voicegate.domain.errors import InvalidTransition
from voicegate.domain.phone_number import Destination


class CallState(StrEnum):
    """Where a call stands."""

    QUEUED = "queued"
    ORIGINATING = "originating"
    RINGING = "ringing"
    ANSWERED = "answered"
    SENDING_EXTENSION = "sending_extension"
    AWAITING_HUMAN = "awaiting_human"
    ANNOUNCING = "announcing"
    ENDED = "ended"


class EvidenceLevel(IntEnum):
    """The strongest thing a call proved; each level is worth more than those below it."""

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
    """The asked-for key was pressed."""
    announced: int = 0
    """How many readings played every digit of the code to its last sample, packets sent and all."""

    @property
    def strongest(self) -> EvidenceLevel:
        """The highest level that was shown."""
        shown = {
            EvidenceLevel.ANNOUNCED: self.announced > 0,
            EvidenceLevel.HUMAN: self.human,
            EvidenceLevel.MEDIA: self.media,
            EvidenceLevel.ANSWERED: self.answered,
        }
        return next((level for level, is_shown in shown.items() if is_shown), EvidenceLevel.NONE)


@dataclass(frozen=True, slots=True)
class Media:
    """Packet counts of a leg, as the PBX counts them; None where it could not say."""

    received: int | None = None
    """RTP packets from the far end (Asterisk: of the newest SSRC only)."""
    sent: int | None = None
    """RTP packets to the far end."""
    reports_back: bool = False
    """RTCP came back (a round-trip time is known)."""

    @property
    def is_seen(self) -> bool:
        """Did anything at all come back from the far end?"""
        return bool(self.received) or self.reports_back

    def sent_since(self, earlier: "Media") -> int | None:
        """Return the packets sent since an earlier count; None where one of the two does not say."""
        return None if self.sent is None or earlier.sent is None else self.sent - earlier.sent


@dataclass(frozen=True, slots=True)
class Playback:
    """What became of one file played into a leg."""

    samples: int
    """Samples played, at the file's own rate."""
    elapsed: timedelta
    """Wall time from command to reply."""
    packets: int | None
    """RTP packets sent meanwhile; None when the PBX could not say."""
    key: str | None = None
    """The key that cut it short, if one did."""
    hung_up: bool = False
    """The leg ended meanwhile."""
    held: bool = False
    """The far end put us on hold meanwhile: then the PBX sends nothing."""
    packet: timedelta | None = None
    """Audio in one RTP packet on this leg; None when the PBX does not tell."""


@dataclass(frozen=True, slots=True)
class CodeSpan:
    """The part of a file that must have been heard: from its start to the end of the last code digit."""

    samples: int
    """Samples in the span."""
    length: timedelta
    """Its duration."""
    packet: timedelta = timedelta(milliseconds=20)
    """Audio in one RTP packet on this leg, as measured or told."""


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
    """Did `playback` really send all of `span`? The PBX's word alone is not believed.

    Asterisk 22 says "played in full" while on hold or without a codec, and gives the whole length
    for a file begun as the channel dies; so time and packets must agree with it.
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
    """Return how much audio each packet held while so much was played; None when nothing fits.

    A far end chooses its packets' length; Asterisk 22 obeys where `use_ptime` is on, and does not tell.
    Where packets were missing, what comes out is too long, if anything: the shortest on a call is its own.
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
    """The originate is about to go on the wire: from here on, not knowing means no retry."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """Early media (SIP 183): the far network speaks, nothing rings for certain."""


@dataclass(frozen=True, slots=True)
class Rang:
    """The far end says that it rings (SIP 180)."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The far end answered and our side holds the channel."""


@dataclass(frozen=True, slots=True)
class ExtensionStarted:
    """Sending the extension's digits began."""


@dataclass(frozen=True, slots=True)
class ExtensionSent:
    """All digits of the extension were played to the far end."""


@dataclass(frozen=True, slots=True)
class Invited:
    """The invitation began: a key is awaited."""


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The asked-for key was pressed."""

    digit: str | None = None
    """Which it was; None: not noted."""


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
    """Was every digit sent to its last sample, as `proves_sent` defines it?"""


@dataclass(frozen=True, slots=True)
class MediaCounted:
    """The leg's packets were counted."""

    media: Media
    """The counts."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over; nothing follows."""


CallEvent = (
    Originated
    | Progressed
    | Rang
    | Answered
    | ExtensionStarted
    | ExtensionSent
    | Invited
    | KeyPressed
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
    (_S.AWAITING_HUMAN, KeyPressed): _S.AWAITING_HUMAN,
    (_S.ANSWERED, ReadingStarted): _S.ANNOUNCING,
    (_S.SENDING_EXTENSION, ReadingStarted): _S.ANNOUNCING,
    (_S.AWAITING_HUMAN, ReadingStarted): _S.ANNOUNCING,
    (_S.ANNOUNCING, ReadingStarted): _S.ANNOUNCING,
    (_S.ANNOUNCING, ReadingEnded): _S.ANNOUNCING,
    **{(state, MediaCounted): state for state in _TALKING},
    **{(state, Ended): _S.ENDED for state in CallState if state is not _S.ENDED},
}
"""Every pair that may occur, and the state that follows."""


TEST_TRUNK: Final = "test numbers"
"""The trunk of calls to test numbers, as it is stored with them; no configured trunk can be named so."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a challenge, as far as it has come."""

    id: str
    """Our id, which the PBX uses for the channel."""
    challenge_id: str
    """Whose code it speaks."""
    destination: Destination
    """Whom it rings."""
    trunk: str
    """The trunk it goes out by, or the internal route's name."""
    caller_id: str
    """The number shown to the called person."""
    created_at: datetime
    """When it was queued."""
    state: CallState = CallState.QUEUED
    """Where it stands."""
    rang: bool = False
    """Was ringing seen?"""
    progressed: bool = False
    """Was early media seen?"""
    evidence: Evidence = field(default_factory=Evidence)
    """What it proved so far."""
    answered_at: datetime | None = None
    """When it was answered; None before."""
    ended_at: datetime | None = None
    """When it ended; None before."""

    @property
    def is_live(self) -> bool:
        """Is it still to end?"""
        return self.state is not CallState.ENDED

    @property
    def is_test(self) -> bool:
        """Did it go to a test number? Then it says nothing about carriers and people."""
        return self.trunk == TEST_TRUNK


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
        answered_at=now if isinstance(event, Answered) else call.answered_at,
        ended_at=now if isinstance(event, Ended) else call.ended_at,
    )


def _learn(evidence: Evidence, event: CallEvent) -> Evidence:
    match event:
        case Answered():
            return replace(evidence, answered=True)
        case MediaCounted(media):
            return replace(evidence, media=evidence.media or media.is_seen)
        case ExtensionSent():
            return replace(evidence, extension_sent=True)
        case KeyPressed():
            return replace(evidence, human=True)
        case ReadingEnded(proven=True):
            return replace(evidence, announced=evidence.announced + 1)
        case _:
            return evidence
