"""One request for proof: its states, its five guesses, and when it stops being wanted.

The table `TRANSITIONS` holds every pair of state and event that changes anything. A guess may be right
while the call still speaks, and even when the call's evidence fell short: hearing is the person's,
evidence is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from voicegate.domain.announcement import HumanCheck
from voicegate.domain.errors import InvalidTransition
from voicegate.domain.phone_number import Destination

DEFAULT_LIFETIME: Final = timedelta(seconds=300)
DEFAULT_GUESSES: Final = 5


class ChallengeState(StrEnum):
    """Where a challenge stands."""

    DELIVERING = "delivering"
    DELIVERED = "delivered"
    UNDELIVERABLE = "undeliverable"
    VERIFIED = "verified"
    EXPIRED = "expired"
    LOCKED = "locked"
    CANCELED = "canceled"


class Purpose(StrEnum):
    """What a right guess is good for."""

    PLAIN = "plain"
    """The one who asked is told; nothing else changes."""
    ACTIVATION = "activation"
    """The factor becomes active."""
    SIGN_IN = "sign_in"
    """The factor's subscriber may come in."""


class ChallengeEvent(StrEnum):
    """What can happen to a challenge."""

    CALL_STARTED = "call_started"
    CALL_DELIVERED = "call_delivered"
    CALL_FAILED = "call_failed"
    MATCHED = "matched"
    APPROVED = "approved"
    """The backend says that the person has proven it: it compared its own code itself."""
    LAST_GUESS_MISSED = "last_guess_missed"
    TIME_OVER = "time_over"
    CANCELED = "canceled"


_S = ChallengeState
_E = ChallengeEvent
OPEN_STATES: Final = frozenset({_S.DELIVERING, _S.DELIVERED, _S.UNDELIVERABLE})
"""States in which a guess is heard and a call may be placed."""

TRANSITIONS: Final[Mapping[tuple[ChallengeState, ChallengeEvent], ChallengeState]] = {
    **{(state, _E.CALL_STARTED): _S.DELIVERING for state in OPEN_STATES},
    (_S.DELIVERING, _E.CALL_DELIVERED): _S.DELIVERED,
    (_S.DELIVERING, _E.CALL_FAILED): _S.UNDELIVERABLE,
    **{(state, _E.MATCHED): _S.VERIFIED for state in OPEN_STATES},
    **{(state, _E.APPROVED): _S.VERIFIED for state in OPEN_STATES},
    **{(state, _E.LAST_GUESS_MISSED): _S.LOCKED for state in OPEN_STATES},
    **{(state, _E.TIME_OVER): _S.EXPIRED for state in OPEN_STATES},
    **{(state, _E.CANCELED): _S.CANCELED for state in OPEN_STATES},
}
"""Every pair that may occur, and the state that follows."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One request for proof."""

    id: str
    """Public id; the code is derived from it."""
    client: str
    """Who asked: the name of an API client or a Unix user."""
    destination: Destination
    """Whom to call."""
    language: str
    """Language of the announcement, as a folder of `sounds/`."""
    human_check: HumanCheck
    """What a person must press before the code is spoken."""
    passcode_length: int
    """Digits in the code."""
    digest: bytes
    """Keyed digest of the code, to compare guesses by."""
    sealed: bytes | None
    """The caller's own code, sealed; None when the code is derived, and once the challenge is over."""
    issued_at: datetime
    """When it was issued."""
    expires_at: datetime
    """From then on no guess counts."""
    guesses_left: int = DEFAULT_GUESSES
    """Guesses that remain."""
    state: ChallengeState = ChallengeState.DELIVERING
    """Where it stands."""
    reference: str | None = None
    """The caller's own note, given back as it came."""
    factor_id: str | None = None
    """The factor it is about; None: a plain one."""
    purpose: Purpose = Purpose.PLAIN
    """What a right guess is good for."""
    service: str | None = None
    """The service that asks, by whose name the call introduces itself; None: the house's own name."""
    bucket: str = field(default="", repr=False)
    """What its calls and guesses are counted by: the number, or the telephone (`policy`)."""

    def is_open(self, now: datetime) -> bool:
        """Is the code still wanted at `now`?"""
        return self.state in OPEN_STATES and now < self.expires_at

    def left(self, now: datetime) -> timedelta:
        """Return how long until its time is over; never more than its whole life, whatever the clock says."""
        return max(min(self.expires_at - now, self.expires_at - self.issued_at), timedelta())


class GuessResult(StrEnum):
    """What a guess came to."""

    VERIFIED = "verified"
    DENIED = "denied"
    EXPIRED = "expired"
    LOCKED = "locked"
    CANCELED = "canceled"
    ALREADY_USED = "already_used"


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The answer to a guess."""

    result: GuessResult
    """What it came to."""
    guesses_left: int
    """Guesses that remain."""

    @property
    def decision(self) -> str:
        """What the audit notes."""
        return str(self.result)


_CLOSED_RESULTS: Final = {
    _S.VERIFIED: GuessResult.ALREADY_USED,
    _S.EXPIRED: GuessResult.EXPIRED,
    _S.LOCKED: GuessResult.LOCKED,
    _S.CANCELED: GuessResult.CANCELED,
}


def step(challenge: Challenge, event: ChallengeEvent) -> Challenge:
    """Return `challenge` after `event`; a challenge that is over forgets the sealed code.

    Raises:
        InvalidTransition: the pair is not in `TRANSITIONS`.
    """
    state = TRANSITIONS.get((challenge.state, event))
    if state is None:
        raise InvalidTransition(f"{event} cannot happen to a challenge that is {challenge.state}")
    return replace(challenge, state=state, sealed=challenge.sealed if state in OPEN_STATES else None)


def expire(challenge: Challenge, now: datetime) -> Challenge:
    """Return `challenge`, expired when its time is over and it was still open."""
    if challenge.state in OPEN_STATES and now >= challenge.expires_at:
        return step(challenge, ChallengeEvent.TIME_OVER)
    return challenge


def verify(challenge: Challenge, now: datetime, *, is_match: bool) -> tuple[Challenge, VerifyResult]:
    """Return the challenge after one guess, and what the guess came to; a closed challenge stays as it is."""
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
