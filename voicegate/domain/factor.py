"""A subscriber's enrolled telephone, from enrollment over activation to its reset.

The table `TRANSITIONS` has every pair of state and event that changes something. A factor is never edited:
another number is another factor with its own activation, and the old one is reset. Sources: Okta's Factors
API (the lifecycle), NIST SP 800-63B-4, 3.2.2 (no more than 100 failures in a row).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from voicegate.domain.challenge import DEFAULT_LIFETIME
from voicegate.domain.errors import InvalidTransition
from voicegate.domain.phone_number import Destination

MAX_FAILURES: Final = 100
"""Wrong guesses in a row that a factor may have, over any time. No code is issued that would allow more, and
the last one locks the factor."""


class FactorState(StrEnum):
    """The state of a factor."""

    PENDING_ACTIVATION = "pending_activation"
    ACTIVE = "active"
    LOCKED = "locked"
    RESET = "reset"


class FactorEvent(StrEnum):
    """What can happen to a factor."""

    ACTIVATED = "activated"
    LOCKED = "locked"
    RESET = "reset"


_S = FactorState
_E = FactorEvent
LIVING_STATES: Final = frozenset({_S.PENDING_ACTIVATION, _S.ACTIVE, _S.LOCKED})
"""States of a factor that is not reset; a subscriber has one such factor at most."""

TRANSITIONS: Final[Mapping[tuple[FactorState, FactorEvent], FactorState]] = {
    (_S.PENDING_ACTIVATION, _E.ACTIVATED): _S.ACTIVE,
    (_S.PENDING_ACTIVATION, _E.LOCKED): _S.LOCKED,
    (_S.ACTIVE, _E.LOCKED): _S.LOCKED,
    # A code that is out when it locks still counts: whoever hears it holds the telephone.
    (_S.LOCKED, _E.ACTIVATED): _S.ACTIVE,
    **{(state, _E.RESET): _S.RESET for state in LIVING_STATES},
}
"""Every pair that can happen, and the state that follows it."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A telephone bound to a subscriber."""

    id: str
    """Public id."""
    client: str
    """The client that enrolled it."""
    subscriber: str
    """The person, by the client's own name for them."""
    destination: Destination
    """The telephone."""
    created_at: datetime
    """When it was enrolled."""
    updated_at: datetime
    """When its state last changed."""
    language: str | None = None
    """Language of its calls; None: the default at the time of the call."""
    activation_lifetime: timedelta = DEFAULT_LIFETIME
    """How long a code of its activation can be entered."""
    state: FactorState = FactorState.PENDING_ACTIVATION
    """Its state."""
    failures: int = 0
    """Wrong guesses since the last right one."""
    verified_at: datetime | None = None
    """When a right code was last entered, for its activation or a sign-in; None: never."""

    @property
    def is_living(self) -> bool:
        """Return whether it is not reset."""
        return self.state in LIVING_STATES


def step(factor: Factor, event: FactorEvent, now: datetime) -> Factor:
    """Return `factor` after `event` at `now`.

    Raises:
        InvalidTransition: the pair is not in `TRANSITIONS`.
    """
    state = TRANSITIONS.get((factor.state, event))
    if state is None:
        raise InvalidTransition(f"{event} cannot happen to a factor that is {factor.state}")
    return replace(factor, state=state, updated_at=now)


def succeed(factor: Factor, now: datetime) -> Factor:
    """Return `factor` after a right guess: a pending one becomes active, a locked one is unlocked."""
    current = replace(factor, failures=0, verified_at=now)
    if current.state in (FactorState.PENDING_ACTIVATION, FactorState.LOCKED):
        return step(current, FactorEvent.ACTIVATED, now)
    return current


def fail(factor: Factor, now: datetime) -> Factor:
    """Return `factor` after a wrong guess; the hundredth in a row locks it."""
    current = replace(factor, failures=factor.failures + 1)
    if current.failures >= MAX_FAILURES and current.state is not FactorState.LOCKED:
        return step(current, FactorEvent.LOCKED, now)
    return current


def bears(factor: Factor, guesses: int) -> bool:
    """Return whether `guesses` more guesses could all be wrong without passing `MAX_FAILURES`."""
    return factor.failures + guesses <= MAX_FAILURES
