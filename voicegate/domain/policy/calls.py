"""How often a telephone may be called: one call in progress, and a growing wait between calls.

A telephone is a number and an extension (`Destination.telephone`). Calls are counted in *buckets*. An
extension of an active factor has its own bucket, so that an office behind one main number can sign in. All
other extensions share the number's bucket: else somebody could invent extensions and ring the number without
end.

A limit must not become a weapon. A call in progress refuses everybody's next call to that telephone, because
two calls at once are never right. The waits count each client's own calls only. After a call ends, its client
waits at least the first of its waits; meanwhile everybody who was refused can get through.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy.decisions import Allow, Deny, DenyReason
from voicegate.domain.policy.rules import CallPolicy

IN_PROGRESS_WAIT: Final = timedelta(seconds=30)
"""When to ask again while a call is in progress, as in Okta's error E0000133."""
UNSAFE_FOR: Final = timedelta(seconds=32)
"""How long a telephone may still ring after its call ended with `retry_safe` false. An INVITE without a reply
is repeated for this time (RFC 3261, timer B), and after this time a PBX that was lost gives its calls up."""

_SPACING: Final = "policy.call_spacing_s"


@dataclass(frozen=True, slots=True)
class Target:
    """A telephone with the bucket in which its calls are counted."""

    telephone: str = field(repr=False)
    """The telephone that rings."""
    bucket: str = field(repr=False)
    """The number, or the telephone itself."""


@dataclass(frozen=True, slots=True)
class PastCall:
    """A call, as far as it matters for the next one."""

    target: Target
    """The telephone that it rang."""
    queued_at: datetime
    """When it was requested."""
    ended_at: datetime | None = None
    """When it ended; None: it is in progress."""
    is_excused: bool = False
    """Is it left out when the next wait is chosen? It ended before it could reach a telephone, by our fault
    or a trunk's; or a person took it and entered its code."""


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a client has to wait by one rule."""

    rule: str
    """The rule, by the name of its setting."""
    calls: int
    """The calls that count for it."""
    time: timedelta
    """What is left of the wait; zero: none."""


def bucket_of(destination: Destination, enrolled: Sequence[str]) -> str:
    """Return the bucket of a destination; `enrolled` are the extensions of active factors at its number."""
    telephone = destination.telephone
    own = (Destination(destination.number, extension).telephone for extension in enrolled)
    return telephone if _is_extension(telephone) and telephone in own else destination.number


def may_ring(
    target: Target, live: Sequence[PastCall], own: Sequence[PastCall], *, policy: CallPolicy, now: datetime
) -> Allow | Deny:
    """Decide whether a telephone may be called now.

    `live`: all calls to its number that are in progress, or ended and may still ring. `own`: the client's
    calls in the target's bucket within the policy's window.
    """
    left = _wait(own, policy, target=target, now=now)
    if busy := _busy_by(target, live, policy):
        wait = max(left.time, *(_freed_in(call, now) for call in live))
        return Deny(DenyReason.CALL_IN_PROGRESS, wait, rule=busy)
    if left.time <= timedelta():
        return Allow()
    return Deny(DenyReason.TOO_SOON, left.time, rule=left.rule)


def next_call(target: Target, own: Sequence[PastCall], *, policy: CallPolicy, now: datetime) -> datetime:
    """Return when a client may call a telephone again, after the calls that it has made."""
    return now + _wait(own, policy, target=target, now=now).time


def until(moment: datetime, wait: timedelta, now: datetime) -> timedelta:
    """Return how much is left of a wait that began at `moment`; zero when it is over.

    A `moment` in the future, because the clock was set back, counts as now.
    """
    return max(min(moment + wait - now, wait), timedelta())


def _freed_in(call: PastCall, now: datetime) -> timedelta:
    """Return how long until a call may be over, or cannot ring any more."""
    return IN_PROGRESS_WAIT if call.ended_at is None else until(call.ended_at, UNSAFE_FOR, now)


def _busy_by(target: Target, live: Sequence[PastCall], policy: CallPolicy) -> str:
    """Return the rule by which a telephone is busy; empty: it is free."""
    if any(call.target.telephone == target.telephone for call in live):
        return "one call in progress"
    beside = [call for call in live if call.target.bucket == target.bucket]
    return "policy.calls_per_number" if len(beside) >= _room(target, policy) else ""


def _room(target: Target, policy: CallPolicy) -> int:
    """Return how many calls a bucket may have in progress."""
    return 1 if _is_extension(target.bucket) else policy.calls_per_number


def _is_extension(telephone: str) -> bool:
    return "," in telephone


def waits(target: Target, own: Sequence[PastCall], *, policy: CallPolicy, now: datetime) -> Sequence[Wait]:
    """Return how long a client has to wait before it calls a telephone again, by each rule in force.

    `own` as in `may_ring`.
    """
    room = _room(target, policy)
    newest = sorted(own, key=lambda call: call.queued_at, reverse=True)
    counting = [call for call in newest if not call.is_excused]
    spacing = Wait(_SPACING, len(counting), _spacing(newest, len(counting), policy, room=room, now=now))
    if not policy.call_lock_after:
        return [spacing]
    locked = timedelta()
    if len(counting) >= policy.call_lock_after * room:
        oldest = counting[policy.call_lock_after * room - 1]
        locked = until(oldest.queued_at, policy.call_window, now)
    return [spacing, Wait("policy.call_lock_after", len(counting), locked)]


def _wait(own: Sequence[PastCall], policy: CallPolicy, *, target: Target, now: datetime) -> Wait:
    return max(waits(target, own, policy=policy, now=now), key=lambda one: one.time)


def _spacing(
    newest: Sequence[PastCall], counting: int, policy: CallPolicy, *, room: int, now: datetime
) -> timedelta:
    """Return how much is left of the wait after the newest calls of a bucket, of which `counting` count."""
    if len(newest) < room:
        return timedelta()
    # Of a bucket with room for three calls the third last one counts, and the waits grow at every third.
    last = newest[room - 1]
    counted = math.ceil(counting / room)
    wait = policy.call_spacing[min(max(counted, 1), len(policy.call_spacing)) - 1]
    left = until(last.queued_at, wait, now)
    # It did not end in the future: then the clock was set back.
    if last.ended_at is not None and last.ended_at <= now:
        left = max(left, until(last.ended_at, policy.call_spacing[0], now))
    return left


def may_call_again(*, live: bool, calls: int, policy: CallPolicy) -> Allow | Deny:
    """Decide whether a challenge that has placed `calls` calls may place another."""
    if live:
        return Deny(DenyReason.CALL_IN_PROGRESS, IN_PROGRESS_WAIT)
    if calls >= policy.max_calls:
        return Deny(DenyReason.TOO_MANY_CALLS)
    return Allow()
