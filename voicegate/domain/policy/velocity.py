"""How many calls a client may ask for in a window of time: by range, country, subscriber and so on.

Fraud needs many calls to a range whose holder is paid for them, and rings numbers one after another. Calls
are counted in *counters*, in slots of a twelfth of the window: a slot counts until all of it is older than
the window, so that in no window are there more calls than the limit.

A brake must not become a weapon. All counters are a client's own; only the one of the whole system is shared,
and a client's own limit is below it.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy.decisions import Allow, Deny, DenyReason

_SLOTS: Final = 12
_REACH: Final = 100
"""Neighbours are the numbers that are this near, on each side."""
_LINE_DIGITS: Final = 4
"""The last digits of a number, which tell the lines of a range apart."""


class CounterKind(StrEnum):
    """What the calls of a counter have in common."""

    PREFIX = "prefix"
    """The number but for its last four digits."""
    COUNTRY = "country"
    SUBSCRIBER = "subscriber"
    END_USER_IP = "end_user_ip"
    """The address of the person who signs in, as the client tells it."""
    CLIENT = "client"
    SYSTEM = "system"
    """All calls of all clients."""


@dataclass(frozen=True, slots=True)
class VelocityPolicy:
    """How many calls may be placed in any window; 0: any number."""

    window: timedelta = timedelta(hours=1)
    """How long a call counts."""
    per_prefix: int = 300
    """By one client to one range of ten thousand numbers."""
    per_country: int = 3000
    """By one client to one country."""
    per_subscriber: int = 60
    """By one client for one subscriber, over all telephones."""
    per_end_user_ip: int = 60
    """By one client for one address of people who sign in."""
    per_client: int = 6000
    """By one client."""
    per_system: int = 12000
    """By all clients together."""
    sequential_numbers: int = 50
    """How many neighbours of a number a client may have called that proved no code; 0: any number."""

    def limit_of(self, kind: CounterKind) -> int:
        """Return the limit of a kind of counter."""
        limits = {
            CounterKind.PREFIX: self.per_prefix,
            CounterKind.COUNTRY: self.per_country,
            CounterKind.SUBSCRIBER: self.per_subscriber,
            CounterKind.END_USER_IP: self.per_end_user_ip,
            CounterKind.CLIENT: self.per_client,
            CounterKind.SYSTEM: self.per_system,
        }
        return limits[kind]

    @property
    def slot(self) -> timedelta:
        """How long one slot is."""
        return self.window / _SLOTS


@dataclass(frozen=True, slots=True)
class Counter:
    """Calls that are counted together."""

    kind: CounterKind
    """What they have in common."""
    client: str
    """Whose they are; empty: everybody's."""
    key: str = field(default="", repr=False)
    """Which prefix, country, subscriber or address."""


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a call is asked."""

    client: str
    """Which client asks."""
    subscriber: str | None = None
    """Whose factor it is about; None: nobody's."""
    end_user_ip: str | None = field(default=None, repr=False)
    """The address of the person who signs in; None: the client does not tell."""


def counters_of(destination: Destination, caller: Caller) -> tuple[Counter, ...]:
    """Return the counters that a call counts in, always in the same order."""
    return tuple(_counters(destination, caller))


def may_count(
    counter: Counter, counted: Mapping[datetime, int], *, policy: VelocityPolicy, now: datetime
) -> Allow | Deny:
    """May one more call be counted? `counted` are the calls of each slot, by when it began."""
    limit = policy.limit_of(counter.kind)
    if not limit:
        return Allow()
    counts = {start: calls for start, calls in counted.items() if _ends_in(start, policy, now) > timedelta()}
    too_many = sum(counts.values()) - limit + 1
    for start in sorted(counts):
        if too_many <= 0:
            break
        too_many -= counts[start]
        if too_many <= 0:
            rule = f"policy.calls_per_{counter.kind}"
            return Deny(DenyReason.RATE_LIMITED, _ends_in(start, policy, now), rule=rule)
    return Allow()


def slot_start(policy: VelocityPolicy, now: datetime) -> datetime:
    """Return when the slot began that a call of now is counted in."""
    slot = policy.slot.total_seconds()
    return datetime.fromtimestamp(now.timestamp() // slot * slot, UTC)


def neighbours(number: str, policy: VelocityPolicy) -> Sequence[str]:
    """Return the numbers around one, in order; an internal one has none."""
    if not policy.sequential_numbers or not number.startswith("+"):
        return ()
    digits = int(number[1:])
    return [f"+{near}" for near in range(digits - _REACH, digits + _REACH + 1) if near != digits]


def may_follow(called: Set[str], policy: VelocityPolicy) -> Allow | Deny:
    """May a number be called after those of its neighbours that were called and proved no code?"""
    # How many, not how long a row is: whoever is refused one number would go on behind it.
    if not policy.sequential_numbers or len(called) < policy.sequential_numbers:
        return Allow()
    return Deny(DenyReason.SEQUENTIAL_NUMBERS, policy.window, rule="policy.sequential_numbers")


def _counters(destination: Destination, caller: Caller) -> Iterator[Counter]:
    client = caller.client
    if not destination.is_internal:
        yield Counter(CounterKind.SYSTEM, "")
        yield Counter(CounterKind.CLIENT, client)
        yield Counter(CounterKind.COUNTRY, client, destination.country or "")
        yield Counter(CounterKind.PREFIX, client, destination.number[:-_LINE_DIGITS])
    if caller.subscriber is not None:
        yield Counter(CounterKind.SUBSCRIBER, client, caller.subscriber)
    if caller.end_user_ip is not None:
        yield Counter(CounterKind.END_USER_IP, client, caller.end_user_ip)


def _ends_in(start: datetime, policy: VelocityPolicy, now: datetime) -> timedelta:
    """Return in which time a slot counts no more; zero: it does not, or lies in the future, for the clock was
    set back."""
    if start > now:
        return timedelta()
    return max(start + policy.slot + policy.window - now, timedelta())
