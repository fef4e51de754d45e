"""How many calls a client may request in a window of time: by range, country, subscriber and so on.

Fraud needs many calls to a range whose holder is paid for them, and calls numbers one after another. Calls
are counted in *counters*, in slots of a twelfth of the window. A slot counts until all of it is older than
the window, so that no window has more calls than the limit.

A limit must not become a weapon. All counters belong to one client. Only the counter of the whole system is
shared, and a client's own limit is below it.
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
"""The last digits of a number, which distinguish the lines of a range."""


class CounterKind(StrEnum):
    """What the calls of a counter have in common."""

    PREFIX = "prefix"
    """The number without its last four digits."""
    COUNTRY = "country"
    SUBSCRIBER = "subscriber"
    END_USER_IP = "end_user_ip"
    """The address of the person who signs in, as the client reports it."""
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
    """The client; empty: all clients."""
    key: str = field(default="", repr=False)
    """The prefix, country, subscriber or address."""


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a call is requested."""

    client: str
    """The client that asks."""
    subscriber: str | None = None
    """The subscriber whose factor it is about; None: it is about none."""
    end_user_ip: str | None = field(default=None, repr=False)
    """The address of the person who signs in; None: the client does not report it."""


def counters_of(destination: Destination | None, caller: Caller) -> tuple[Counter, ...]:
    """Return the counters in which a call is counted, always in the same order; None: to any number."""
    return tuple(_counters(destination, caller))


def may_count(
    counter: Counter, counted: Mapping[datetime, int], *, policy: VelocityPolicy, now: datetime
) -> Allow | Deny:
    """Decide whether one more call may be counted. `counted`: the calls of each slot, by the time when it
    began."""
    limit = policy.limit_of(counter.kind)
    if not limit:
        return Allow()
    counts = _present(counted, policy, now)
    too_many = sum(counts.values()) - limit + 1
    for start in sorted(counts):
        if too_many <= 0:
            break
        too_many -= counts[start]
        if too_many <= 0:
            rule = f"policy.calls_per_{counter.kind}"
            return Deny(DenyReason.RATE_LIMITED, _ends_in(start, policy, now), rule=rule)
    return Allow()


def count(counted: Mapping[datetime, int], *, policy: VelocityPolicy, now: datetime) -> int:
    """Return how many calls count now, of those of each slot."""
    return sum(_present(counted, policy, now).values())


def slot_start(policy: VelocityPolicy, now: datetime) -> datetime:
    """Return when the slot began in which a call at `now` is counted."""
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


def range_of(number: str) -> str:
    """Return the range of an E.164 number: the number without the digits of its line."""
    return number[:-_LINE_DIGITS]


def _counters(destination: Destination | None, caller: Caller) -> Iterator[Counter]:
    client = caller.client
    if destination is None or not destination.is_internal:
        yield Counter(CounterKind.SYSTEM, "")
        yield Counter(CounterKind.CLIENT, client)
    if destination is not None and not destination.is_internal:
        yield Counter(CounterKind.COUNTRY, client, destination.country or "")
        yield Counter(CounterKind.PREFIX, client, range_of(destination.number))
    if caller.subscriber is not None:
        yield Counter(CounterKind.SUBSCRIBER, client, caller.subscriber)
    if caller.end_user_ip is not None:
        yield Counter(CounterKind.END_USER_IP, client, caller.end_user_ip)


def _present(counted: Mapping[datetime, int], policy: VelocityPolicy, now: datetime) -> dict[datetime, int]:
    """Return the calls of those slots that still count."""
    return {start: calls for start, calls in counted.items() if _ends_in(start, policy, now) > timedelta()}


def _ends_in(start: datetime, policy: VelocityPolicy, now: datetime) -> timedelta:
    """Return how long until a slot no longer counts; zero: it does not, or is in the future because the clock
    was set back."""
    if start > now:
        return timedelta()
    return max(start + policy.slot + policy.window - now, timedelta())
