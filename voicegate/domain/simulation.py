"""What the rules would have done to a row of requests: nobody is called, and nothing is stored.

Every call that would be placed rings for a fixed time and proves no code, as an attacker's do. The queue, the
guesses and the trunks' health are left out.
"""

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import (
    Allow,
    Caller,
    CallPolicy,
    Counter,
    Deny,
    DenyReason,
    PastCall,
    Target,
    may_reach,
    may_ring,
)
from voicegate.domain.policy.velocity import counters_of, may_count, may_follow, neighbours, slot_start
from voicegate.domain.routing import Routes, find_route


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


@dataclass(slots=True)
class _Placed:
    """The calls that were placed so far."""

    of_number: dict[str, list[tuple[str, PastCall]]] = field(default_factory=lambda: defaultdict(list))
    """By number: for which client, and when."""
    counted: dict[Counter, Tally[datetime]] = field(default_factory=lambda: defaultdict(Tally))
    """By counter and slot."""


def simulate(
    requests: Iterable[Request], policy: CallPolicy, *, routes: Routes, call_time: timedelta
) -> Iterator[Simulated]:
    """Yield what would become of each request, given those before it; they must come in the order of time.
    Each call that is placed lasts `call_time`."""
    placed = _Placed()
    for request in requests:
        decision = _decide(request, placed, policy)
        if isinstance(decision, Allow) and not find_route(request.destination, routes):
            decision = Deny(
                DenyReason.NO_ROUTE, rule="internal" if request.destination.is_internal else "trunks"
            )
        if isinstance(decision, Allow):
            _place(request, placed, policy, call_time=call_time)
        yield Simulated(request, decision)


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
