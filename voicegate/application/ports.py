"""What the use cases need of the world, as Protocols, and what each must promise.

Adapters fill them; `bootstrap` joins the two. The database's are in `store_port`. All durations are
`timedelta`, all times aware UTC.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from voicegate.domain.announcement import Part, Phrasing, PromptName
from voicegate.domain.call import (
    Answered,
    Call,
    Media,
    Playback,
    Progressed,
    Rang,
)
from voicegate.domain.call_outcome import CallOutcome, Hangup
from voicegate.domain.challenge import OPEN_STATES, Challenge
from voicegate.domain.passcode import Passcode
from voicegate.domain.routing import Hop, TrunkState


class Clock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        ...


class Entropy(Protocol):
    """Unpredictable choices."""

    def new_id(self, prefix: str) -> str:
        """Return `prefix`, an underscore and 20 random digits and small letters: 103 bits."""
        ...

    def secret(self) -> str:
        """Return at least 256 random bits as letters and digits."""
        ...

    def key_press(self, keys: str) -> str:
        """Return one of the telephone keys in `keys`, each as likely."""
        ...


class Keyring(Protocol):
    """The secrets' keeper; keys never leave it."""

    def derive(self, challenge_id: str, length: int) -> Passcode:
        """Return the code of a new challenge, by the newest key: always the same for the same one."""
        ...

    def derive_again(self, challenge_id: str, length: int, expected: bytes) -> Passcode:
        """Return the code behind the digest `expected`, by the key that it was made with.

        Raises:
            KeyFileError: that key is gone.
        """
        ...

    def digest(self, challenge_id: str, passcode: Passcode) -> bytes:
        """Return the digest to store and compare guesses by."""
        ...

    def matches(self, challenge_id: str, expected: bytes, guess: Passcode) -> bool:
        """Is `guess` the code behind `expected`? In constant time."""
        ...

    def seal(self, challenge_id: str, passcode: Passcode) -> bytes:
        """Return a caller's own code, encrypted and bound to its challenge."""
        ...

    def unseal(self, challenge_id: str, sealed: bytes) -> Passcode:
        """Return the code that was sealed.

        Raises:
            KeyFileError: sealed with a key that is gone, for another challenge, or damaged.
        """
        ...

    def number_digests(self, number: str) -> Sequence[bytes]:
        """Return a number's digest by each key, the newest one's first: to find it where it is not kept."""
        ...


@dataclass(frozen=True, slots=True)
class Clip:
    """A sound that the PBX can play."""

    path: str
    """As the PBX sees it, without its format's suffix."""
    samples: int
    """Its length in samples at its own rate."""
    length: timedelta
    """Its duration."""
    code_end: int
    """The sample at which the last code digit has ended; `samples` when it has none."""
    key_end: int = 0
    """The sample at which the key that it asks for has been named; 0 when it asks for none."""


@dataclass(frozen=True, slots=True)
class CallAudio:
    """The two sounds mixed for one call."""

    invitation: Clip
    """Asks for the key; has no code in it."""
    reading: Clip
    """One reading of the announcement."""


class Speech(Protocol):
    """Turns announcements into sound."""

    def languages(self) -> Sequence[str]:
        """Return the installed languages, as the names of their folders, sorted."""
        ...

    def phrasing(self, language: str) -> Phrasing:
        """Return how a language asks for the key and reads a code.

        Raises:
            UnknownLanguage: no such folder.
        """
        ...

    def prompt(self, language: str, name: PromptName) -> Clip:
        """Return a phrase as it lies in the pack, for the PBX to play.

        Raises:
            UnknownLanguage: no such folder.
            SpeechError: the pack lacks the phrase.
        """
        ...

    def mix(
        self, language: str, invitation: Sequence[Part], reading: Sequence[Part]
    ) -> AbstractAsyncContextManager[CallAudio]:
        """Make a call's two files under opaque names; leaving the context removes them.

        Does not block the loop. The files may be read by the PBX's group only.

        Raises:
            UnknownLanguage: no such folder.
            SpeechError: a prompt is missing or the folder cannot be written.
        """
        ...

    async def sweep(self) -> int:
        """Remove files that a crash left behind; return how many."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """What a PBX needs to know to place one call."""

    call_id: str
    """Becomes the channel's id."""
    hop: Hop
    """Which way, and who is shown as calling."""
    apology: Clip
    """What the PBX itself plays when it cannot reach the controller."""


LegSignal = Progressed | Rang | Answered | Hangup
"""What a leg tells, in order; `Hangup` is the last."""


PAUSES: Final[Mapping[str, timedelta]] = {"w": timedelta(milliseconds=500), "W": timedelta(seconds=1)}
"""What is no DTMF digit but waits between two."""


@dataclass(frozen=True, slots=True)
class DtmfTiming:
    """How DTMF digits are sent."""

    tone: timedelta = timedelta(milliseconds=120)
    """How long each digit sounds."""
    gap: timedelta = timedelta(milliseconds=250)
    """From the end of a digit to the start of the next."""

    def length_of(self, digits: str) -> timedelta:
        """Return how long it takes to send `digits`, pauses included."""
        return sum((PAUSES.get(digit, self.tone + self.gap) for digit in digits), timedelta())


class Leg(Protocol):
    """One call in the hands of a PBX."""

    def signals(self) -> AsyncIterator[LegSignal]:
        """Yield what happens to the call until its `Hangup`, which always comes.

        A PBX that goes away and does not come back within the adapter's grace time counts as
        `Hangup(gave_up=PBX_LOST)`.
        """
        ...

    async def send_digits(self, digits: str, timing: DtmfTiming) -> None:
        """Send DTMF digits (`w` pauses 0.5 s, `W` 1 s); return when all are sent.

        Only after `Answered`.

        Raises:
            LegEnded: the call ended meanwhile.
        """
        ...

    async def play(self, clip: Clip, keys: str = "") -> Playback:
        """Play a sound from its start until its end, one of `keys`, or the end of the call.

        Only after `Answered`. Never raises for a call that ends: `Playback.hung_up` says so.
        """
        ...

    async def wait_key(self, keys: str, within: timedelta) -> str | None:
        """Return the first of `keys` pressed `within` that time, or None.

        Raises:
            LegEnded: the call ended meanwhile.
        """
        ...

    async def media(self) -> Media:
        """Return the leg's packet counts; also right after the call's end, as far as known."""
        ...

    async def hang_up(self) -> None:
        """Ask the PBX to end the call; does nothing to a call that has ended. Does not wait for it."""
        ...

    async def leave(self, apology: Clip) -> None:
        """End an answered call because the controller stops: break off what is said, and apologise first.

        Returns once the controller may go; the call is then over as `INTERRUPTED`, or about to be.
        """
        ...


class Pbx(Protocol):
    """A telephone exchange."""

    @property
    def is_connected(self) -> bool:
        """Can calls be placed now?"""
        ...

    async def reach(self, within: timedelta) -> bool:
        """Can calls be placed now? A lost connection is tried at once, and waited for `within` that time."""
        ...

    def originate(self, order: Order) -> AbstractAsyncContextManager[Leg]:
        """Place a call, at most once per call id; never repeated by the adapter.

        Leaving the context hangs up a call that still lives, and waits for its end or a deadline.

        Raises:
            PbxUnavailable: not connected; nothing was sent.
            PbxRefused: the PBX refused the request; no call was placed.
            UnsafeValue: a value would inject a second command; nothing was sent.
        """
        ...

    async def hang_up(self, call_id: str) -> None:
        """End a call that an earlier process placed, if the PBX still has it; one that is not connected is
        told as soon as it is, before any new call."""
        ...

    async def trunk_states(self) -> Mapping[str, TrunkState]:
        """Return the state of each endpoint of this PBX by the endpoint's name; empty while not connected."""
        ...


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One step of a call as it happened."""

    seq: int
    """Position in the call's timeline, from 1."""
    at: datetime
    """When."""
    state: str
    """The call's state after the step."""
    event: str
    """The event's name, in snake case."""
    detail: Mapping[str, object]
    """The event's facts, ready for JSON; never a code or a whole number."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call as stored."""

    call: Call
    """The call itself."""
    outcome: CallOutcome | None = None
    """What it came to; None while it lives."""
    hangup: Hangup | None = None
    """How it ended; None while it lives."""
    timeline: Sequence[TimelineEntry] = ()
    """Its steps, oldest first."""


@dataclass(frozen=True, slots=True)
class ChallengeRecord:
    """A challenge with its calls, oldest first."""

    challenge: Challenge
    """The challenge itself."""
    calls: Sequence[CallRecord]
    """Its calls, each with its timeline."""
    revision: int = 0
    """Grows with every change of the challenge or one of its calls."""

    @property
    def has_live_call(self) -> bool:
        """Is one of its calls in progress?"""
        return any(entry.call.is_live for entry in self.calls)

    @property
    def is_settled(self) -> bool:
        """Can nothing more happen to it?"""
        return self.challenge.state not in OPEN_STATES and not self.has_live_call


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's promise that two requests are one."""

    client: str
    """Who promised."""
    key: str
    """Their word for the request."""
    fingerprint: bytes
    """Digest of the request, so that the same word for another request is noticed; never of a code."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The request was answered before."""

    challenge_id: str
    """The challenge it made."""
    is_same_request: bool
    """False when the same key came with another request."""
