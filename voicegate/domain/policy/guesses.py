"""How many guesses may be out: new codes are refused, never a guess at one that is open.

Whoever guesses wrong must not be able to shut out who knows the code, so an open challenge keeps all of its
guesses. What a budget bounds is how many challenges are issued: what they leave to guess, and what was
guessed wrong in the window before, is together no more than its limit. So in no window are there more wrong
guesses than that, however they are spread over challenges; `docs/guessing.md` counts an attacker's chances.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from voicegate.domain.challenge import Challenge
from voicegate.domain.policy.calls import until
from voicegate.domain.policy.decisions import Allow, Deny, DenyReason


@dataclass(frozen=True, slots=True)
class Guesses:
    """What counts against one budget."""

    limit: int
    """How many may be out."""
    wrong: Sequence[datetime]
    """When guesses missed, within the window."""
    pending: Sequence[Challenge]
    """Challenges that can still be guessed at."""


def may_issue(guesses: int, budgets: Iterable[Guesses], *, window: timedelta, now: datetime) -> Allow | Deny:
    """May another challenge be issued, at which `guesses` guesses can be made?

    Where nothing is out it may, also if it alone passes the limit.
    """
    left = max((_left(guesses, budget, window, now=now) for budget in budgets), default=timedelta())
    return Deny(DenyReason.TOO_MANY_GUESSES, left) if left > timedelta() else Allow()


def _left(guesses: int, budget: Guesses, window: timedelta, *, now: datetime) -> timedelta:
    """Return how long it takes until enough guesses are counted no more."""
    out = [(until(at, window, now), 1) for at in budget.wrong]
    out += [(one.left(now), one.guesses_left) for one in budget.pending if one.is_open(now)]
    too_many = sum(count for _, count in out) - max(budget.limit - guesses, 0)
    for wait, count in sorted(out):
        if too_many <= 0:
            break
        too_many -= count
        if too_many <= 0:
            return wait
    return timedelta()
