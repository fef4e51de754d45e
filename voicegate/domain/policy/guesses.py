"""How many guesses are possible: new codes are refused, but never a guess at an open code.

Somebody who guesses wrong must not be able to lock out the person who knows the code. So an open challenge
keeps all its guesses. A limit bounds how many challenges are issued: the guesses that open challenges still
have, and the wrong guesses in the window before, are together never more than the limit. So no window has
more wrong guesses than that, however they are spread over challenges. `docs/guessing.md` calculates an
attacker's chances.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter

from voicegate.domain.challenge import Challenge
from voicegate.domain.policy.calls import until
from voicegate.domain.policy.decisions import Allow, Deny, DenyReason


@dataclass(frozen=True, slots=True)
class Guesses:
    """What counts against one limit."""

    limit: int
    """How many guesses are allowed."""
    wrong: Sequence[datetime]
    """When wrong guesses were made, within the window."""
    pending: Sequence[Challenge]
    """Challenges that can still be guessed at."""
    rule: str = "policy.guesses_per_destination"
    """The setting that has the limit."""

    def out(self, window: timedelta, now: datetime) -> Sequence[tuple[timedelta, int]]:
        """Return the guesses that count now, each with the time until it does not."""
        out = [(until(at, window, now), 1) for at in self.wrong]
        return out + [(one.left(now), one.guesses_left) for one in self.pending if one.is_open(now)]


def may_issue(guesses: int, budgets: Iterable[Guesses], *, window: timedelta, now: datetime) -> Allow | Deny:
    """Decide whether another challenge with `guesses` guesses may be issued.

    If nothing counts against the limits, it may, even if it alone is above a limit.
    """
    waits = [(_left(guesses, budget, window, now=now), budget.rule) for budget in budgets]
    left, rule = max(waits, key=itemgetter(0), default=(timedelta(), ""))
    return Deny(DenyReason.TOO_MANY_GUESSES, left, rule=rule) if left > timedelta() else Allow()


def _left(guesses: int, budget: Guesses, window: timedelta, *, now: datetime) -> timedelta:
    """Return how long until enough old guesses no longer count."""
    out = budget.out(window, now)
    too_many = sum(count for _, count in out) - max(budget.limit - guesses, 0)
    for wait, count in sorted(out):
        if too_many <= 0:
            break
        too_many -= count
        if too_many <= 0:
            return wait
    return timedelta()
