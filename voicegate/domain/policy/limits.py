"""Every limit of calls, guesses and costs that is in force, by its setting, for people who look them up.

What refuses is in the other files; here is only what each limit is called, what it allows and what it counts
by.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from voicegate.domain.factor import MAX_FAILURES
from voicegate.domain.policy.decisions import RULE_OF_REASON, DenyReason
from voicegate.domain.policy.rules import CallPolicy
from voicegate.domain.policy.spend import MICROS
from voicegate.domain.policy.velocity import CounterKind

ONE_CALL: Final = RULE_OF_REASON[DenyReason.CALL_IN_PROGRESS]
"""The rule that a telephone has one call in progress."""
FAILURES: Final = f"{MAX_FAILURES} wrong guesses in a row"
"""The rule that locks a factor."""
_DAY: Final = timedelta(days=1)
_COUNTED_BY: Final = {
    CounterKind.PREFIX: "client and prefix",
    CounterKind.COUNTRY: "client and country",
    CounterKind.SUBSCRIBER: "client and subscriber",
    CounterKind.END_USER_IP: "client and end user's address",
    CounterKind.CLIENT: "client",
    CounterKind.SYSTEM: "all clients",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that is in force."""

    rule: str
    """The setting that has it, or a rule that is always in force."""
    value: float | tuple[float, ...]
    """What it allows; several values: the waits after the first call, the second, and so on."""
    unit: str
    """What is counted, in the plural: calls, wrong guesses, minutes."""
    counted_by: str
    """What is counted together."""
    window: timedelta | None = None
    """How long each counts; None: as long as it lasts."""


def limits_of(policy: CallPolicy) -> Sequence[Limit]:
    """Return the limits in force; those that allow any number are left out."""
    found = (*_of_numbers(policy), *_of_volume(policy), *_of_guesses(policy), *_of_costs(policy))
    return [limit for limit in found if limit.value]


def _of_numbers(policy: CallPolicy) -> Iterator[Limit]:
    own, window = "client and number", policy.call_window
    waits = tuple(wait.total_seconds() for wait in policy.call_spacing)
    yield Limit(ONE_CALL, 1, "calls in progress", "telephone")
    yield Limit("policy.calls_per_number", policy.calls_per_number, "calls in progress", "number")
    yield Limit("policy.call_spacing_s", waits, "seconds between calls", own, window)
    yield Limit("policy.call_lock_after", policy.call_lock_after, "calls", own, window)
    yield Limit("policy.max_calls", policy.max_calls, "calls", "code")


def _of_volume(policy: CallPolicy) -> Iterator[Limit]:
    velocity, conversion = policy.velocity, policy.conversion
    for kind, counted_by in _COUNTED_BY.items():
        rule = f"policy.calls_per_{kind}"
        yield Limit(rule, velocity.limit_of(kind), "calls", counted_by, velocity.window)
    near = "client and neighbours of the number"
    yield Limit(
        "policy.sequential_numbers", velocity.sequential_numbers, "numbers called", near, velocity.window
    )
    share, shared_by = "share of codes entered, at least", "client and prefix or country"
    yield Limit("policy.conversion_floor", conversion.floor, share, shared_by, conversion.window)


def _of_guesses(policy: CallPolicy) -> Iterator[Limit]:
    rules, wrong = policy.guesses, "wrong guesses and open ones"
    for rule, value, counted_by in (
        ("policy.guesses_per_destination", rules.per_destination, "client and number"),
        ("policy.guesses_per_subscriber", rules.per_subscriber, "client and subscriber"),
    ):
        yield Limit(rule, value, wrong, counted_by, rules.window)
    yield Limit(
        "policy.guesses_per_client",
        rules.alarm_per_client,
        "wrong guesses, then an alarm",
        "client",
        rules.window,
    )
    yield Limit(FAILURES, MAX_FAILURES, "wrong guesses", "factor")


def _of_costs(policy: CallPolicy) -> Iterator[Limit]:
    for kind, cap in policy.spend.caps.items():
        counted_by = "trunk" if kind == "trunk" else _COUNTED_BY[CounterKind(kind)]
        yield Limit(f"spend.minutes_per_{kind}", cap.minutes, "minutes", counted_by, _DAY)
        yield Limit(f"spend.money_per_{kind}", cap.micros / MICROS, "of the rates' money", counted_by, _DAY)
