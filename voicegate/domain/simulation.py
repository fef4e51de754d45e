"""What the rules would have done to a row of requests: nobody is called, and nothing is stored.

Every call that would be placed rings for a fixed time and proves no code, as an attacker's do. The queue, the
guesses and the trunks' health are left out.
"""

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import (
    Allow,
    Caller,
    CallPolicy,
    Counter,
    Deny,
    DenyReason,
    PastCall,
    SpendPolicy,
    Target,
    may_reach,
    may_ring,
)
from voicegate.domain.policy.spend import (
    Account,
    Cost,
    Quote,
    Rates,
    Reservation,
    account_of,
    accounts_of,
    day_of,
    quote,
    reserve,
)
from voicegate.domain.policy.velocity import counters_of, may_count, may_follow, neighbours, slot_start
from voicegate.domain.routing import RouteHints, Routes, find_route


@dataclass(frozen=True, slots=True)
class Request:
    """A call that is asked for."""

    at: datetime
    """When."""
    destination: Destination
    """Whom it would call."""
    caller: Caller
    """For whom it is asked."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """A request, and what became of it."""

    request: Request
    """The request."""
    decision: Allow | Deny
    """What the rules would have decided."""
    trunk: str = ""
    """The trunk that it would be placed by, or would have been; empty: none leads there."""


@dataclass(slots=True)
class _Placed:
    """The calls that were placed so far."""

    of_number: dict[str, list[tuple[str, PastCall]]] = field(default_factory=lambda: defaultdict(list))
    """By number: for which client, and when."""
    counted: dict[Counter, Tally[datetime]] = field(default_factory=lambda: defaultdict(Tally))
    """By counter and slot."""
    spent: dict[tuple[date, Account], Cost] = field(default_factory=lambda: defaultdict(Cost))
    """By day and account, calls in progress at their worst case."""
    held: list[tuple[datetime, Reservation]] = field(default_factory=list)
    """Calls in progress that something is held for: when each ends."""


def simulate(
    requests: Iterable[Request],
    policy: CallPolicy,
    *,
    routes: Routes,
    call_time: timedelta,
    longest: timedelta = timedelta(minutes=2),
) -> Iterator[Simulated]:
    """Yield what would become of each request, given those before it; they must come in the order of time.

    Each call that is placed lasts `call_time`; `longest` is how long a call can last, for what it may cost.
    """
    placed = _Placed()
    for request in requests:
        _settle(placed, request.at, call_time=min(call_time, longest))
        trunks = _trunks(request, policy, routes)
        decision = _decide(request, placed, policy)
        if isinstance(decision, Allow) and not trunks:
            decision = Deny(
                DenyReason.NO_ROUTE, rule="internal" if request.destination.is_internal else "trunks"
            )
        reserved = None
        if isinstance(decision, Allow) and policy.spend.is_counted and not request.destination.is_internal:
            reserved = _reserve(request, placed, policy.spend, trunks=trunks, longest=longest)
            decision = reserved if isinstance(reserved, Deny) else decision
        if isinstance(decision, Allow):
            _place(request, placed, policy, call_time=call_time)
        trunk = next(iter(trunks), "")
        if isinstance(reserved, Reservation):
            trunk = reserved.quotes[0].trunk
            _hold(placed, reserved, request.at + call_time)
        yield Simulated(request, decision, trunk)


def price_of(simulated: Simulated, rates: Rates, call_time: timedelta) -> int | None:
    """Return what the call costs, or would have cost, in millionths; None: its price is not known."""
    rate = rates.find(simulated.trunk, simulated.request.destination.number)
    return None if rate is None else rate.cost(call_time).micros


def _trunks(request: Request, policy: CallPolicy, routes: Routes) -> Sequence[str]:
    """Return the trunks that would be tried, each once, in order."""
    to = request.destination
    prices = policy.spend.rates.compare((trunk.name for trunk in routes.trunks), to.number)
    hops = find_route(to, routes, RouteHints(prices=prices))
    return tuple(dict.fromkeys(hop.trunk.name for hop in hops))


def _reserve(
    request: Request, placed: _Placed, policy: SpendPolicy, *, trunks: Iterable[str], longest: timedelta
) -> Reservation | Deny:
    day, accounts = day_of(request.at), accounts_of(request.destination, request.caller)
    quotes = [quote(trunk, request.destination, policy=policy, longest=longest) for trunk in trunks]
    own = (*accounts, *(account_of(one.trunk) for one in quotes if isinstance(one, Quote)))
    spent = {account: placed.spent[day, account] for account in own}
    return reserve(quotes, accounts, spent, policy=policy, now=request.at)


def _hold(placed: _Placed, reserved: Reservation, ends_at: datetime) -> None:
    for account, cost in reserved.held().items():
        placed.spent[reserved.day, account] += cost
    placed.held.append((ends_at, reserved))


def _settle(placed: _Placed, now: datetime, *, call_time: timedelta) -> None:
    """Put the real cost of the calls that have ended in the place of what is held for them."""
    over = [reserved for ends_at, reserved in placed.held if ends_at <= now]
    placed.held = [one for one in placed.held if one[0] > now]
    for reserved in over:
        real = reserved.settled(reserved.quotes[0].trunk, call_time)
        for account, cost in reserved.held().items():
            placed.spent[reserved.day, account] += real[account] - cost


def _decide(request: Request, placed: _Placed, policy: CallPolicy) -> Allow | Deny:
    destination, now, velocity = request.destination, request.at, policy.velocity
    if isinstance(refused := may_reach(destination, policy), Deny):
        return refused
    past = placed.of_number[destination.number]
    live = [call for _, call in past if call.ended_at is None or call.ended_at > now]
    live_now = [PastCall(call.target, call.queued_at) for call in live]
    own = [
        PastCall(call.target, call.queued_at, call.ended_at if call not in live else None)
        for client, call in past
        if client == request.caller.client and call.queued_at > now - policy.call_window
    ]
    target = Target(destination.telephone, destination.number)
    if isinstance(refused := may_ring(target, live_now, own, policy=policy, now=now), Deny):
        return refused
    for counter in counters_of(destination, request.caller):
        counted = placed.counted[counter]
        if isinstance(refused := may_count(counter, counted, policy=velocity, now=now), Deny):
            return refused
    called = {
        number
        for number in neighbours(destination.number, velocity)
        for client, call in placed.of_number.get(number, ())
        if client == request.caller.client and call.queued_at > now - velocity.window
    }
    return may_follow(called, velocity)


def _place(request: Request, placed: _Placed, policy: CallPolicy, *, call_time: timedelta) -> None:
    destination = request.destination
    target = Target(destination.telephone, destination.number)
    call = PastCall(target, request.at, request.at + call_time)
    placed.of_number[destination.number].append((request.caller.client, call))
    for counter in counters_of(destination, request.caller):
        placed.counted[counter][slot_start(policy.velocity, request.at)] += 1
