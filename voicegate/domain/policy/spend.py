"""How many minutes and how much money calls may cost in a day, and what one call may cost at most.

A call is admitted by its worst case: as long as the settings let any call be, billed as the carrier bills.
That much is reserved in every account that the call counts in; when the call ends, its real cost stands in
its place. So no account can pass its cap, however many calls run at once.

A limit must not become a weapon: all accounts belong to one client, but those of the trunks, which are what
all clients together may cost. Money is in millionths of the rates' currency, so that sums are exact. A day is
a day of UTC.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Final

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy.decisions import Allow, Deny, DenyReason
from voicegate.domain.policy.velocity import Caller, range_of

MICROS: Final = 1_000_000
"""Millionths in one unit of the currency."""
ANY_TRUNK: Final = "*"
"""Stands for every trunk in a list of rates."""
_SECOND: Final = timedelta(seconds=1)
_MINUTE_S: Final = 60
_ORDINARY: Final = timedelta(seconds=30)
"""How long a call takes that speaks a code, after its answer: by that trunks are compared."""


class SpendKind(StrEnum):
    """What the calls of an account have in common."""

    TRUNK = "trunk"
    COUNTRY = "country"
    PREFIX = "prefix"
    """The number without its last four digits."""
    CLIENT = "client"
    SUBSCRIBER = "subscriber"


@dataclass(frozen=True, slots=True)
class Cost:
    """What calls cost."""

    seconds: int = 0
    """Billed seconds."""
    micros: int = 0
    """Money, in millionths."""

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds + other.seconds, self.micros + other.micros)

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds - other.seconds, self.micros - other.micros)


@dataclass(frozen=True, slots=True)
class Rate:
    """What a carrier asks for a minute, and how it counts time."""

    per_minute: int
    """The price of a minute, in millionths."""
    minimum_s: int = 60
    """Billed seconds of the shortest call that is answered."""
    increment_s: int = 60
    """What is longer is billed in whole steps of so many seconds."""

    def cost(self, length: timedelta) -> Cost:
        """Return what a call of this length after its answer costs; nothing if it was not answered."""
        if length <= timedelta():
            return Cost()
        over = max(-(-length // _SECOND) - self.minimum_s, 0)
        seconds = self.minimum_s + -(-over // self.increment_s) * self.increment_s
        return Cost(seconds, -(-self.per_minute * seconds // _MINUTE_S))


UNPRICED: Final = Rate(0)
"""How a call is counted whose price is not in the list: by the minute."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of all trunks."""

    by_prefix: Mapping[tuple[str, str], Rate] = field(default_factory=dict)
    """By trunk (`ANY_TRUNK`: every one) and beginning of the number, as E.164 with its plus sign."""

    def find(self, trunk: str, number: str) -> Rate | None:
        """Return a trunk's rate for an E.164 number; None: there is none.

        The longest prefix wins; of two equal ones, the trunk's own.
        """
        for length in range(len(number), 1, -1):
            prefix = number[:length]
            for name in (trunk, ANY_TRUNK):
                if (rate := self.by_prefix.get((name, prefix))) is not None:
                    return rate
        return None

    def compare(self, trunks: Iterable[str], number: str) -> Mapping[str, int]:
        """Return what an ordinary call to an E.164 number costs by each trunk that has a rate, in
        millionths."""
        rates = {trunk: self.find(trunk, number) for trunk in trunks} if self.by_prefix else {}
        return {trunk: rate.cost(_ORDINARY).micros for trunk, rate in rates.items() if rate is not None}


NO_RATES: Final = Rates()
"""No price is known."""


@dataclass(frozen=True, slots=True)
class Cap:
    """What an account may hold in a day; 0: any amount."""

    minutes: int = 0
    """Billed minutes."""
    micros: int = 0
    """Money, in millionths."""


@dataclass(frozen=True, slots=True)
class SpendPolicy:
    """What calls may cost."""

    rates: Rates = field(default_factory=Rates)
    """What a minute costs."""
    caps: Mapping[SpendKind, Cap] = field(default_factory=dict)
    """What an account of each kind may hold in a day."""

    @property
    def is_counted(self) -> bool:
        """Return whether costs are counted at all: nothing is known of them, and nothing asked, otherwise."""
        return bool(self.rates.by_prefix) or any(cap != Cap() for cap in self.caps.values())

    @property
    def needs_prices(self) -> bool:
        """Return whether a call without a known price could pass a cap unseen."""
        return any(cap.micros for cap in self.caps.values())


@dataclass(frozen=True, slots=True)
class Account:
    """Where the cost of calls is summed up, by the day."""

    kind: SpendKind
    """What its calls have in common."""
    client: str
    """The client; empty: all clients."""
    key: str = field(default="", repr=False)
    """The trunk, country, prefix or subscriber."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a call by one trunk costs at worst."""

    trunk: str
    """The trunk."""
    rate: Rate
    """Its rate."""
    longest: timedelta
    """The longest that the call can last after its answer."""
    is_priced: bool = True
    """Is the rate in the list?"""

    @property
    def worst(self) -> Cost:
        """What the longest call costs."""
        return self.rate.cost(self.longest)


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is held for a call until its end is known."""

    day: date
    """The day that it counts in."""
    accounts: tuple[Account, ...]
    """The accounts that it counts in, without the trunks'."""
    quotes: tuple[Quote, ...]
    """Its possible trunks: one of them is used in the end, at most."""

    def held(self) -> Mapping[Account, Cost]:
        """Return what is held in each account: each trunk's own worst case, and in the others the worst of
        all."""
        worst = [quote.worst for quote in self.quotes]
        most = Cost(max(one.seconds for one in worst), max(one.micros for one in worst))
        return {
            **{account_of(quote.trunk): quote.worst for quote in self.quotes},
            **dict.fromkeys(self.accounts, most),
        }

    def settled(self, trunk: str, length: timedelta | None) -> Mapping[Account, Cost]:
        """Return what the call really cost in each account, when it ended on `trunk` after `length`.

        None: it is not known how long it lasted, and its worst case counts.
        """
        quote = next((one for one in self.quotes if one.trunk == trunk), self.quotes[0])
        cost = quote.worst if length is None else quote.rate.cost(length)
        accounts = (account_of(quote.trunk), *self.accounts)
        return {**dict.fromkeys(self.held(), Cost()), **dict.fromkeys(accounts, cost)}


def to_micros(price: str | float) -> int:
    """Return a price in millionths; what is smaller is rounded up."""
    return int((Decimal(str(price)) * MICROS).to_integral_value(ROUND_CEILING))


def account_of(trunk: str) -> Account:
    """Return a trunk's account, which all clients share."""
    return Account(SpendKind.TRUNK, "", trunk)


def accounts_of(destination: Destination | None, caller: Caller) -> tuple[Account, ...]:
    """Return the accounts that a call counts in beside its trunk's; None: to any number."""
    return tuple(_accounts(destination, caller))


def quote(
    trunk: str,
    destination: Destination,
    *,
    policy: SpendPolicy,
    longest: timedelta,
    max_price: int | None = None,
) -> Quote | Deny:
    """Return what a call by a trunk costs at worst; or why it is not placed by it, whatever was spent.

    `max_price`: what the request allows it to cost, in millionths; None: it does not say.
    """
    rate = policy.rates.find(trunk, destination.number)
    if rate is None and (policy.needs_prices or max_price is not None):
        return Deny(DenyReason.PRICE_UNKNOWN, rule="spend.rates_file")
    quoted = Quote(
        trunk, rate or UNPRICED, timedelta(seconds=-(-longest // _SECOND)), is_priced=rate is not None
    )
    if max_price is not None and quoted.worst.micros > max_price:
        return Deny(DenyReason.PRICE_TOO_HIGH, rule="max_price")
    return quoted


def may_spend(
    quoted: Quote,
    accounts: Iterable[Account],
    spent: Mapping[Account, Cost],
    *,
    policy: SpendPolicy,
    now: datetime,
) -> Allow | Deny:
    """Decide whether a call may be placed by a trunk, so that not even its worst case passes a cap.

    `spent`: today's cost in each account, with what is reserved.
    """
    for account in (account_of(quoted.trunk), *accounts):
        after = spent.get(account, Cost()) + quoted.worst
        for rule in caps_passed(account, after, policy):
            return Deny(DenyReason.SPEND_LIMITED, day_ends_in(now), rule=rule)
    return Allow()


def caps_passed(account: Account, cost: Cost, policy: SpendPolicy) -> Sequence[str]:
    """Return the caps that an account with this cost is above, by the names of their settings."""
    cap = policy.caps.get(account.kind, Cap())
    passed = {
        f"spend.minutes_per_{account.kind}": cap.minutes and cost.seconds > cap.minutes * _MINUTE_S,
        f"spend.money_per_{account.kind}": cap.micros and cost.micros > cap.micros,
    }
    return [rule for rule, is_passed in passed.items() if is_passed]


def reserve(
    quotes: Sequence[Quote | Deny],
    accounts: tuple[Account, ...],
    spent: Mapping[Account, Cost],
    *,
    policy: SpendPolicy,
    now: datetime,
) -> Reservation | Deny:
    """Return what is to be held for a call by those of its trunks that it may use; or why it may use none.

    `quotes`: one for each trunk of its route, in order. The first trunk's refusal is the answer.
    """
    refusals: list[Deny] = []
    fitting: list[Quote] = []
    for quoted in quotes:
        if isinstance(quoted, Deny):
            refusals.append(quoted)
            continue
        decision = may_spend(quoted, accounts, spent, policy=policy, now=now)
        if isinstance(decision, Deny):
            refusals.append(decision)
        else:
            fitting.append(quoted)
    return Reservation(day_of(now), accounts, tuple(fitting)) if fitting else refusals[0]


def day_of(now: datetime) -> date:
    """Return the day that a call counts in."""
    return now.astimezone(UTC).date()


def _accounts(destination: Destination | None, caller: Caller) -> Iterator[Account]:
    if destination is not None:
        yield Account(SpendKind.COUNTRY, caller.client, destination.country or "")
        yield Account(SpendKind.PREFIX, caller.client, range_of(destination.number))
    yield Account(SpendKind.CLIENT, caller.client)
    if caller.subscriber is not None:
        yield Account(SpendKind.SUBSCRIBER, caller.client, caller.subscriber)


def day_ends_in(now: datetime) -> timedelta:
    """Return how long the day of `day_of` still lasts."""
    return datetime.combine(day_of(now) + timedelta(days=1), time(), UTC) - now
