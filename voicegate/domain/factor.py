"""A subscriber's enrolled telephone: from the binding to its activation, and to its end.

The table `TRANSITIONS` holds every pair of state and event that changes anything. A factor is never
edited: another number is another factor with an activation of its own, and the old one is reset. Sources:
Okta's Factors API (the lifecycle), NIST SP 800-63B section 5.2.2 (no more than 100 failures in a row).
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
"""Wrong guesses in a row that are borne, whatever the time between them: no code is issued that would allow
more, and at the last one the factor is locked."""


class FactorState(StrEnum):
    """Where a factor stands."""

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
"""States of a factor that stands in the way of another."""

TRANSITIONS: Final[Mapping[tuple[FactorState, FactorEvent], FactorState]] = {
    (_S.PENDING_ACTIVATION, _E.ACTIVATED): _S.ACTIVE,
    (_S.PENDING_ACTIVATION, _E.LOCKED): _S.LOCKED,
    (_S.ACTIVE, _E.LOCKED): _S.LOCKED,
    # A code that is out when it locks still counts: whoever hears it holds the telephone.
    (_S.LOCKED, _E.ACTIVATED): _S.ACTIVE,
    **{(state, _E.RESET): _S.RESET for state in LIVING_STATES},
}
"""Every pair that may occur, and the state that follows."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A telephone bound to a subscriber."""

    id: str
    """Public id."""
    client: str
    """Who enrolled it."""
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
    """How long a code of its activation counts."""
    state: FactorState = FactorState.PENDING_ACTIVATION
    """Where it stands."""
    failures: int = 0
    """Wrong guesses since the last right one."""

    @property
    def is_living(self) -> bool:
        """Does it stand in the way of another?"""
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
    """Return `factor` after a right guess, which activates one that waits for it, and unlocks one."""
    current = replace(factor, failures=0)
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
    """May so many more guesses at its codes all be wrong?"""
    return factor.failures + guesses <= MAX_FAILURES
