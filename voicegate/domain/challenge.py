"""One request for proof: its states, its guesses, and when it is over.

The table `TRANSITIONS` has every pair of state and event that changes something. A guess can be right while
the call is still speaking, and also when the call's evidence was too weak: the person heard the code,
whatever we could prove.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from voicegate.domain.announcement import HumanCheck
from voicegate.domain.errors import InvalidTransition
from voicegate.domain.phone_number import Destination

DEFAULT_LIFETIME: Final = timedelta(seconds=300)
DEFAULT_GUESSES: Final = 5
_DIGITS: Final = "0123456789"


class ChallengeState(StrEnum):
    """The state of a challenge."""

    DELIVERING = "delivering"
    DELIVERED = "delivered"
    UNDELIVERABLE = "undeliverable"
    VERIFIED = "verified"
    EXPIRED = "expired"
    LOCKED = "locked"
    CANCELED = "canceled"
    REPORTED = "reported"
    """The called person said that they had not asked for the call."""


class Purpose(StrEnum):
    """What a right guess does."""

    PLAIN = "plain"
    """The caller is told; nothing else changes."""
    ACTIVATION = "activation"
    """The factor becomes active."""
    SIGN_IN = "sign_in"
    """The factor's subscriber may sign in."""


class ChallengeEvent(StrEnum):
    """What can happen to a challenge."""

    CALL_STARTED = "call_started"
    CALL_DELIVERED = "call_delivered"
    CALL_FAILED = "call_failed"
    MATCHED = "matched"
    APPROVED = "approved"
    """The backend says that the person has proven it: the backend compared its own code itself."""
    LAST_GUESS_MISSED = "last_guess_missed"
    TIME_OVER = "time_over"
    CANCELED = "canceled"
    REPORTED = "reported"
    """The called person pressed the key that says that they had not asked for the call."""


_S = ChallengeState
_E = ChallengeEvent
OPEN_STATES: Final = frozenset({_S.DELIVERING, _S.DELIVERED, _S.UNDELIVERABLE})
"""States in which guesses are judged and calls may be placed."""

TRANSITIONS: Final[Mapping[tuple[ChallengeState, ChallengeEvent], ChallengeState]] = {
    **{(state, _E.CALL_STARTED): _S.DELIVERING for state in OPEN_STATES},
    (_S.DELIVERING, _E.CALL_DELIVERED): _S.DELIVERED,
    (_S.DELIVERING, _E.CALL_FAILED): _S.UNDELIVERABLE,
    **{(state, _E.MATCHED): _S.VERIFIED for state in OPEN_STATES},
    **{(state, _E.APPROVED): _S.VERIFIED for state in OPEN_STATES},
    **{(state, _E.LAST_GUESS_MISSED): _S.LOCKED for state in OPEN_STATES},
    **{(state, _E.TIME_OVER): _S.EXPIRED for state in OPEN_STATES},
    **{(state, _E.CANCELED): _S.CANCELED for state in OPEN_STATES},
    **{(state, _E.REPORTED): _S.REPORTED for state in OPEN_STATES},
}
"""Every pair that can happen, and the state that follows it."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One request for proof."""

    id: str
    """Public id; the code is derived from it and the key."""
    client: str
    """Who asked: the name of an API client or a Unix user."""
    destination: Destination
    """The telephone to call."""
    language: str
    """Language of the announcement, as the name of a folder of `sounds/`."""
    human_check: HumanCheck
    """What a person must press before the code is spoken."""
    passcode_length: int
    """Digits in the code."""
    digest: bytes
    """Keyed digest of the code; guesses are compared with it."""
    sealed: bytes | None
    """The caller's own code, encrypted; None: the code is derived, or the challenge is over."""
    issued_at: datetime
    """When it was issued."""
    expires_at: datetime
    """From this time on, guesses are refused."""
    guesses_left: int = DEFAULT_GUESSES
    """Guesses that remain."""
    state: ChallengeState = ChallengeState.DELIVERING
    """Its state."""
    reference: str | None = None
    """The caller's own note, returned unchanged."""
    factor_id: str | None = None
    """The factor that it is about; None: it is about none."""
    purpose: Purpose = Purpose.PLAIN
    """What a right guess does."""
    service: str | None = None
    """The service that asks, by whose name the call introduces itself; None: the name in `[service]`."""
    matching_digits: str | None = None
    """Two digits that a screen shows and the call speaks, so that a person knows which page the call belongs
    to; they prove nothing. None: none."""
    bucket: str = field(default="", repr=False)
    """What its calls and guesses are counted by: the number, or one telephone (see `policy`)."""

    def is_open(self, now: datetime) -> bool:
        """Return whether the code can still be entered at `now`."""
        return self.state in OPEN_STATES and now < self.expires_at

    def left(self, now: datetime) -> timedelta:
        """Return how long until its time is over; never more than its whole lifetime, if the clock was set
        back."""
        return max(min(self.expires_at - now, self.expires_at - self.issued_at), timedelta())


def draw_digits(draw: Callable[[str], str]) -> str:
    """Return two matching digits that differ; `draw` returns one of those given, each as likely."""
    first = draw(_DIGITS)
    return first + draw(_DIGITS.replace(first, ""))


class GuessResult(StrEnum):
    """The result of a guess."""

    VERIFIED = "verified"
    DENIED = "denied"
    EXPIRED = "expired"
    LOCKED = "locked"
    CANCELED = "canceled"
    REPORTED = "reported"
    ALREADY_USED = "already_used"


GUESS_RULES: Final[Mapping[str, str]] = {
    GuessResult.DENIED: "the passcode must match",
    GuessResult.EXPIRED: "passcode.lifetime_s",
    GuessResult.LOCKED: "passcode.guesses",
    GuessResult.CANCELED: "challenge states",
    GuessResult.REPORTED: "reports.enabled",
    GuessResult.ALREADY_USED: "a passcode is used once",
}
"""The rule by which a guess was not accepted: a setting, or a rule that is always in force."""


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The answer to a guess."""

    result: GuessResult
    """The result."""
    guesses_left: int
    """Guesses that remain."""

    @property
    def decision(self) -> str:
        """The decision for the audit."""
        return str(self.result)


_CLOSED_RESULTS: Final = {
    _S.VERIFIED: GuessResult.ALREADY_USED,
    _S.EXPIRED: GuessResult.EXPIRED,
    _S.LOCKED: GuessResult.LOCKED,
    _S.CANCELED: GuessResult.CANCELED,
    _S.REPORTED: GuessResult.REPORTED,
}


def step(challenge: Challenge, event: ChallengeEvent) -> Challenge:
    """Return `challenge` after `event`; when it ends, its encrypted code is removed.

    Raises:
        InvalidTransition: the pair is not in `TRANSITIONS`.
    """
    state = TRANSITIONS.get((challenge.state, event))
    if state is None:
        raise InvalidTransition(f"{event} cannot happen to a challenge that is {challenge.state}")
    return replace(challenge, state=state, sealed=challenge.sealed if state in OPEN_STATES else None)


def expire(challenge: Challenge, now: datetime) -> Challenge:
    """Return `challenge`, expired if it was open and its time is over."""
    if challenge.state in OPEN_STATES and now >= challenge.expires_at:
        return step(challenge, ChallengeEvent.TIME_OVER)
    return challenge


def verify(challenge: Challenge, now: datetime, *, is_match: bool) -> tuple[Challenge, VerifyResult]:
    """Return the challenge after one guess, and the result of the guess; a challenge that is over stays as it
    is."""
    current = expire(challenge, now)
    if current.state not in OPEN_STATES:
        return current, VerifyResult(_CLOSED_RESULTS[current.state], current.guesses_left)
    if is_match:
        return step(current, ChallengeEvent.MATCHED), VerifyResult(GuessResult.VERIFIED, current.guesses_left)
    left = current.guesses_left - 1
    current = replace(current, guesses_left=left)
    if left == 0:
        return step(current, ChallengeEvent.LAST_GUESS_MISSED), VerifyResult(GuessResult.LOCKED, 0)
    return current, VerifyResult(GuessResult.DENIED, left)
