"""What the use cases need from outside, as Protocols, with the promises that each must keep.

Adapters implement them; `bootstrap` connects the two. The database's are in `store_port`. All durations are
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
from voicegate.domain.call_quality import CallQuality
from voicegate.domain.challenge import OPEN_STATES, Challenge
from voicegate.domain.passcode import Passcode
from voicegate.domain.routing import Hop, TrunkState


class Clock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """Return the present time, in UTC."""
        ...


class Entropy(Protocol):
    """Random values that cannot be predicted."""

    def new_id(self, prefix: str) -> str:
        """Return `prefix`, an underscore and 20 random digits and small letters: 103 bits."""
        ...

    def secret(self) -> str:
        """Return at least 256 random bits as letters and digits."""
        ...

    def key_press(self, keys: str) -> str:
        """Return one of the telephone keys in `keys`, each with the same probability."""
        ...


class Keyring(Protocol):
    """Derives, encrypts and compares codes; the keys never leave it."""

    @property
    def ids(self) -> Sequence[str]:
        """The ids of its keys, the newest first. They reveal nothing of the keys."""
        ...

    def derive(self, challenge_id: str, length: int) -> Passcode:
        """Return the code of a new challenge, made with the newest key: always the same for the same
        challenge."""
        ...

    def derive_again(self, challenge_id: str, length: int, expected: bytes) -> Passcode:
        """Return the code whose digest is `expected`, made with the key of that time.

        Raises:
            KeyFileError: that key is gone.
        """
        ...

    def digest(self, challenge_id: str, passcode: Passcode) -> bytes:
        """Return the digest that is stored, and that guesses are compared with."""
        ...

    def matches(self, challenge_id: str, expected: bytes, guess: Passcode) -> bool:
        """Return whether `guess` is the code whose digest is `expected`. In constant time."""
        ...

    def seal(self, challenge_id: str, passcode: Passcode) -> bytes:
        """Return a caller's own code, encrypted and bound to its challenge."""
        ...

    def unseal(self, challenge_id: str, sealed: bytes) -> Passcode:
        """Return the code that was encrypted by `seal`.

        Raises:
            KeyFileError: its key is gone, it was made for another challenge, or it is damaged.
        """
        ...

    def number_digests(self, number: str) -> Sequence[bytes]:
        """Return a number's digest by each key, the newest key's first: to search audit entries, which mask
        numbers."""
        ...


@dataclass(frozen=True, slots=True)
class Clip:
    """A sound that the PBX can play."""

    path: str
    """Its path as the PBX sees it, without the suffix of its format; or the URL at which the PBX fetches it,
    with the suffix."""
    samples: int
    """Its length in samples."""
    length: timedelta
    """Its duration."""
    code_end: int
    """The sample at which the last digit of the code ends; equal to `samples` if it has no code."""
    key_end: int = 0
    """The sample at which the requested key has been named; 0 if it requests none."""


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

    def has_prompt(self, language: str, name: PromptName) -> bool:
        """Return whether the language's folder has a phrase.

        Raises:
            UnknownLanguage: no such folder.
        """
        ...

    def prompt(self, language: str, name: PromptName) -> Clip:
        """Return a phrase of the language's folder, for the PBX to play.

        Raises:
            UnknownLanguage: no such folder.
            SpeechError: the folder lacks the phrase.
        """
        ...

    def mix(
        self, language: str, invitation: Sequence[Part], reading: Sequence[Part]
    ) -> AbstractAsyncContextManager[CallAudio]:
        """Mix the two files of a call under random names; leaving the context removes them.

        Does not block the loop. Only the PBX's group can read the files.

        Raises:
            UnknownLanguage: no such folder.
            SpeechError: a prompt is missing or the folder cannot be written.
        """
        ...

    async def sweep(self) -> int:
        """Remove sound files that a crash left behind; return how many."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """What a PBX needs to know to place one call."""

    call_id: str
    """The id of the call; the PBX uses it as the id of the channel."""
    hop: Hop
    """The trunk, the number as it is dialed there, and the caller ID."""
    apology: Clip
    """What the PBX itself plays if it cannot reach the controller."""


LegSignal = Progressed | Rang | Answered | Hangup
"""What a leg reports, in order; `Hangup` is the last."""


PAUSES: Final[Mapping[str, timedelta]] = {"w": timedelta(milliseconds=500), "W": timedelta(seconds=1)}
"""The letters among the digits that are pauses."""


@dataclass(frozen=True, slots=True)
class DtmfTiming:
    """How DTMF digits are sent."""

    tone: timedelta = timedelta(milliseconds=120)
    """How long each digit's tone lasts."""
    gap: timedelta = timedelta(milliseconds=250)
    """From the end of a digit to the start of the next."""

    def length_of(self, digits: str) -> timedelta:
        """Return how long it takes to send `digits`, pauses included."""
        return sum((PAUSES.get(digit, self.tone + self.gap) for digit in digits), timedelta())


class Leg(Protocol):
    """One call at a PBX."""

    def signals(self) -> AsyncIterator[LegSignal]:
        """Yield what happens to the call until its `Hangup`, which always comes.

        If the PBX goes away and does not come back within the adapter's grace time, it is
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
        """Play a sound from its start until its end, until one of `keys` is pressed, or until the call ends.

        Only after `Answered`. Does not raise when the call ends: see `Playback.hung_up`.
        """
        ...

    async def wait_key(self, keys: str, within: timedelta) -> str | None:
        """Return the first of `keys` that is pressed within this time; None: none was.

        Raises:
            LegEnded: the call ended meanwhile.
        """
        ...

    async def media(self) -> Media:
        """Return the packet counts of the leg; also after the end of the call, as far as they are known."""
        ...

    @property
    def quality(self) -> CallQuality:
        """What is known of the call's line; complete once its `Hangup` came, and for as long as the leg
        lasts."""
        ...

    async def hang_up(self) -> None:
        """Ask the PBX to end the call, without waiting for the end; does nothing to a call that has ended."""
        ...

    async def leave(self, apology: Clip) -> None:
        """End an answered call because the controller stops: stop the sound and play the apology first.

        Returns when the controller may stop; the call is then `INTERRUPTED`, or about to be.
        """
        ...


class Pbx(Protocol):
    """A telephone exchange: Asterisk, FreeSWITCH or the simulator."""

    @property
    def is_connected(self) -> bool:
        """Return whether calls can be placed now."""
        ...

    async def reach(self, within: timedelta) -> bool:
        """Return whether calls can be placed now. If the connection is lost, it is tried again at once, for
        `within`."""
        ...

    async def ping(self) -> timedelta | None:
        """Return how long the PBX takes to answer a request that does nothing; None: it is not connected.

        If it does not answer in time, how long was waited for it.
        """
        ...

    def originate(self, order: Order) -> AbstractAsyncContextManager[Leg]:
        """Place a call, at most once per call id; the adapter never repeats it.

        Leaving the context hangs up the call if it is in progress, and waits for its end or a deadline.

        Raises:
            PbxUnavailable: not connected; nothing was sent.
            PbxRefused: the PBX refused the request; no call was placed.
            UnsafeValue: a value would inject a second command; nothing was sent.
        """
        ...

    async def hang_up(self, call_id: str) -> None:
        """End a call that an earlier process placed, if the PBX still has it.

        A PBX that is not connected is told when it connects, before any new call.
        """
        ...

    async def trunk_states(self) -> Mapping[str, TrunkState]:
        """Return the trunk state of each endpoint of this PBX, by the endpoint's name; empty while not
        connected."""
        ...


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One step of a call as it happened."""

    seq: int
    """Position in the call's timeline, from 1."""
    at: datetime
    """When it happened."""
    state: str
    """The call's state after the step."""
    event: str
    """The event's name, in snake case."""
    detail: Mapping[str, object]
    """The event's facts, ready for JSON; never a code or a whole number."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call as it is stored."""

    call: Call
    """The call itself."""
    outcome: CallOutcome | None = None
    """Its outcome; None: it has not ended."""
    hangup: Hangup | None = None
    """How it ended; None: it has not ended."""
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
    """Grows by every change of the challenge or of one of its calls."""

    @property
    def has_live_call(self) -> bool:
        """Return whether one of its calls is in progress."""
        return any(entry.call.is_live for entry in self.calls)

    @property
    def is_settled(self) -> bool:
        """Return whether nothing more can happen to it."""
        return self.challenge.state not in OPEN_STATES and not self.has_live_call


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's promise that two requests are one."""

    client: str
    """The client."""
    key: str
    """The key that the client sent."""
    fingerprint: bytes
    """Digest of the request, to notice the same key with another request; never of a code."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A request with the same idempotency key was answered before."""

    challenge_id: str
    """The challenge of that request."""
    is_same_request: bool
    """False: the key came with another request before."""
