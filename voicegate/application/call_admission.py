"""Asks the store what policy must know before a telephone rings, in the transaction that stores the call.

Test numbers ring no telephone, so nothing is checked for them.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from voicegate.application.store_port import BucketCall
from voicegate.application.unit_of_work import Alarm, UnitOfWork
from voicegate.domain.call_outcome import Blame, Outcome
from voicegate.domain.challenge import Challenge
from voicegate.domain.policy import (
    UNSAFE_FOR,
    Allow,
    Caller,
    CallPolicy,
    Counter,
    Deny,
    DenyReason,
    Guesses,
    PastCall,
    Target,
    bucket_of,
    may_issue,
    may_ring,
    next_call,
    policy_for,
    refusal,
)
from voicegate.domain.policy.calls import Wait, waits
from voicegate.domain.policy.conversion import keys_of, may_call_range
from voicegate.domain.policy.velocity import counters_of, may_count, may_follow, neighbours, slot_start

_CALLER_ID_FAILED: Final = frozenset(
    {Outcome.NO_ANSWER, Outcome.REJECTED, Outcome.NO_HUMAN, Outcome.TRUNK_REFUSED}
)
"""How calls end that a number which people do not know, or networks distrust, may be the cause of."""

_LISTED: Final = frozenset({DenyReason.NUMBER_BLOCKED, DenyReason.DO_NOT_CALL, DenyReason.CALL_REPORTED})
_OF_NUMBER: Final = frozenset({DenyReason.CALL_IN_PROGRESS, DenyReason.TOO_SOON, DenyReason.TOO_MANY_GUESSES})
"""Refusals that people who share a number cause each other."""


def in_bucket(unit: UnitOfWork, challenge: Challenge) -> Challenge:
    """Return a new challenge with the bucket that its calls and guesses are counted in."""
    enrolled = unit.tx.enrolled_extensions(challenge.destination.number)
    return replace(challenge, bucket=bucket_of(challenge.destination, enrolled))


def policy_now(unit: UnitOfWork, challenge: Challenge, policy: CallPolicy) -> CallPolicy | Deny:
    """Return the policy for a challenge's number, by the lists of numbers; or why it is not called."""
    number = challenge.destination.number
    if policy.is_test(challenge.destination):
        return policy
    return policy_for(policy, unit.tx.listed(unit.digests_of(number)), client=challenge.client, now=unit.now)


def with_contact(unit: UnitOfWork, challenge: Challenge, refused: Deny, *, policy: CallPolicy) -> Deny:
    """Return a refusal with whom to ask for help, and alert an admin, where they can help: the number is on a
    list, many people share it, or it was called too often."""
    if refused.reason not in _LISTED:
        is_locked = refused.rule == "policy.call_lock_after"
        of_number = refused.reason in _OF_NUMBER
        if not (is_locked or (of_number and unit.tx.sharing(challenge.destination.number) > 1)):
            return refused
    text = "call to a shared or listed number refused"
    unit.alarms.append(Alarm("number.refused", challenge.client, text, 1))
    return replace(refused, contact=policy.support_contact)


def may_ring_now(unit: UnitOfWork, challenge: Challenge, policy: CallPolicy) -> Allow | Deny:
    """Decide whether a challenge's telephone may be called now. The answer holds until the transaction
    ends."""
    if policy.is_test(challenge.destination):
        return Allow()
    live = live_now(unit, challenge)
    return may_ring(target_of(challenge), live, _own(unit, challenge, policy), policy=policy, now=unit.now)


def live_now(unit: UnitOfWork, challenge: Challenge) -> Sequence[PastCall]:
    """Return the calls that may ring at a challenge's number now; true until the transaction ends."""
    unit.tx.set_back(unit.now)
    return _past(unit.tx.calls_in_progress(challenge.destination.number, unit.now - UNSAFE_FOR))


def waits_now(unit: UnitOfWork, challenge: Challenge, policy: CallPolicy) -> Sequence[Wait]:
    """Return how long a challenge's client has to wait for another call to its telephone, by each rule."""
    return waits(target_of(challenge), _own(unit, challenge, policy), policy=policy, now=unit.now)


def may_issue_now(
    unit: UnitOfWork, challenge: Challenge, policy: CallPolicy, *, subscriber: str | None
) -> Allow | Deny:
    """Decide whether a new challenge may be issued, by the wrong guesses so far and the codes that are still
    open.

    `subscriber` is the person whose factor it is about; None: it is about no factor.
    """
    if policy.is_test(challenge.destination):
        return Allow()
    budgets = guess_budgets(unit, challenge, policy, subscriber=subscriber)
    return may_issue(challenge.guesses_left, budgets, window=policy.guesses.window, now=unit.now)


def guess_budgets(
    unit: UnitOfWork, challenge: Challenge, policy: CallPolicy, *, subscriber: str | None
) -> Sequence[Guesses]:
    """Return what counts against the limits of guesses, for another challenge as this one."""
    rules, tx, client = policy.guesses, unit.tx, challenge.client
    since = unit.now - rules.window
    budgets = [
        Guesses(
            rules.per_destination,
            tx.wrong_guesses(since, rules.per_destination, client=client, bucket=challenge.bucket),
            _others(tx.pending_challenges(client, bucket=challenge.bucket), challenge),
        )
    ]
    if subscriber is not None:
        wrong = tx.wrong_guesses(since, rules.per_subscriber, client=client, subscriber=subscriber)
        pending = _others(tx.pending_challenges(client, subscriber=subscriber), challenge)
        budgets.append(Guesses(rules.per_subscriber, wrong, pending, "policy.guesses_per_subscriber"))
    return budgets


def _others(pending: Sequence[Challenge], challenge: Challenge) -> Sequence[Challenge]:
    """Return open challenges without one that is stored already, as a redirected call's is."""
    return [one for one in pending if one.id != challenge.id]


def may_place_now(
    unit: UnitOfWork, challenge: Challenge, policy: CallPolicy, *, caller: Caller
) -> tuple[Counter, ...] | Deny:
    """Return the counters that a call is to be counted in, held until the end of the transaction; or why it
    would be one too many."""
    destination, velocity = challenge.destination, policy.velocity
    if policy.is_test(destination):
        return ()
    if not destination.is_internal:
        held = may_call_range(unit.tx.prefix_holds(keys_of(destination)), client=caller.client, now=unit.now)
        if isinstance(held, Deny):
            return held
    counters = counters_of(destination, caller)
    since = unit.now - velocity.window - velocity.slot
    for counter in counters:
        counted = unit.tx.volume(counter, since)
        if refused := refusal(may_count(counter, counted, policy=velocity, now=unit.now)):
            return refused
    near = neighbours(destination.number, velocity)
    called = unit.tx.unproven(near, client=caller.client, since=unit.now - velocity.window)
    return refusal(may_follow(called, velocity)) or counters


def count_call(unit: UnitOfWork, counters: Sequence[Counter], policy: CallPolicy) -> None:
    """Count a call that is stored in this transaction."""
    unit.tx.add_volume(counters, slot_start(policy.velocity, unit.now))


def next_call_at(unit: UnitOfWork, challenge: Challenge, policy: CallPolicy) -> datetime | None:
    """Return when a challenge's client may call that telephone again; None: at any time."""
    if policy.is_test(challenge.destination):
        return None
    own = policy_now(unit, challenge, policy)
    if isinstance(own, Deny):
        return None if own.retry_after is None else unit.now + own.retry_after
    policy = own
    return next_call(target_of(challenge), _own(unit, challenge, policy), policy=policy, now=unit.now)


def till_over(refused: Deny, challenge: Challenge, now: datetime) -> Deny:
    """Return a refusal of another call, for callers who get a new code and calls after this challenge: it
    ends when the challenge does."""
    if refused.reason is not DenyReason.TOO_MANY_CALLS:
        return refused
    return replace(refused, retry_after=challenge.left(now))


def failed_caller_ids(unit: UnitOfWork, challenge: Challenge, memory: timedelta) -> Sequence[str]:
    """Return the caller IDs whose newest call to a challenge's telephone by this client failed in a way that
    another one may mend, the newest failure first; what is older than `memory` is forgotten."""
    found = unit.tx.calls_counted(challenge.bucket, challenge.client, unit.now - memory)
    newest = sorted(
        (one for one in found if not one.record.call.is_live),
        key=lambda one: one.counted_at,
        reverse=True,
    )
    # The first call found of each caller ID is its newest.
    ends: dict[str, Outcome | None] = {}
    for one in newest:
        outcome = one.record.outcome
        ends.setdefault(one.record.call.caller_id, outcome.outcome if outcome else None)
    return [number for number, outcome in ends.items() if outcome in _CALLER_ID_FAILED]


def _own(unit: UnitOfWork, challenge: Challenge, policy: CallPolicy) -> Sequence[PastCall]:
    since = unit.now - policy.call_window
    found = unit.tx.calls_counted(challenge.bucket, challenge.client, since)
    if policy.follows_redirects:
        forwarded = unit.tx.calls_forwarded(challenge.destination.number, challenge.client, since)
        found = [*found, *(replace(one, bucket=challenge.bucket) for one in forwarded)]
    return _past(found)


def target_of(challenge: Challenge) -> Target:
    """Return a challenge's telephone, with the bucket that its calls are counted in."""
    return Target(challenge.destination.telephone, challenge.bucket)


def _past(found: Sequence[BucketCall]) -> Sequence[PastCall]:
    return [
        PastCall(
            Target(one.record.call.destination.telephone, one.bucket),
            queued_at=one.counted_at,
            ended_at=one.record.call.ended_at,
            is_excused=_is_lost(one) or _is_proven(one),
        )
        for one in found
    ]


def _is_proven(found: BucketCall) -> bool:
    """Return whether a person took the call and its code was entered. For a code that the client made itself,
    its verification proves nothing."""
    return found.is_verified and found.record.call.evidence.human


def _is_lost(found: BucketCall) -> bool:
    """Return whether a call ended before it could reach a telephone. A canceled call may have reached one."""
    call, outcome = found.record.call, found.record.outcome
    if outcome is None or call.rang or call.progressed or call.evidence.answered:
        return False
    at_fault = outcome.blame in (Blame.TRUNK, Blame.US)
    return at_fault and outcome.retry_safe and outcome.outcome is not Outcome.CANCELED
