"""Limits on how many calls are placed: never passed in any window, and no client's limit is another's."""

from collections import Counter as Counted
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Allow, Caller, Counter, CounterKind, Deny, DenyReason, VelocityPolicy
from voicegate.domain.policy.velocity import counters_of, may_count, may_follow, neighbours, slot_start

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = VelocityPolicy(per_prefix=3, sequential_numbers=4)
PREFIX = Counter(CounterKind.PREFIX, "web", "+1202555")


def test_a_call_counts_by_everything_that_it_has_in_common_with_others() -> None:
    found = counters_of(Destination("+12025550143"), Caller("web", "ada", "198.51.100.7"))
    assert [(one.kind.value, one.client, one.key) for one in found] == [
        ("system", "", ""),
        ("client", "web", ""),
        ("country", "web", "US"),
        ("prefix", "web", "+1202555"),
        ("subscriber", "web", "ada"),
        ("end_user_ip", "web", "198.51.100.7"),
    ]
    assert counters_of(Destination("4021"), Caller("web")) == ()


def test_all_counters_but_the_systems_are_one_clients_own() -> None:
    first, second = (counters_of(Destination("+12025550143"), Caller(name, "ada")) for name in "ab")
    assert {one.kind for one in set(first) & set(second)} == {CounterKind.SYSTEM}


def test_past_the_limit_a_call_is_refused_until_enough_slots_are_over() -> None:
    counted = {slot_start(POLICY, NOW - timedelta(minutes=50)): 2, slot_start(POLICY, NOW): 1}
    refused = may_count(PREFIX, counted, policy=POLICY, now=NOW)
    assert refused == Deny(DenyReason.RATE_LIMITED, timedelta(minutes=15))
    assert isinstance(refused, Deny)
    assert refused.rule == "policy.calls_per_prefix"
    assert may_count(PREFIX, counted, policy=POLICY, now=NOW + timedelta(minutes=15)) == Allow()
    assert may_count(PREFIX, counted, policy=replace(POLICY, per_prefix=0), now=NOW) == Allow()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 900), min_size=1, max_size=60), st.integers(1, 8))
def test_in_no_window_are_there_more_calls_than_the_limit(gaps: list[int], limit: int) -> None:
    policy, now, placed, counted = (
        replace(POLICY, per_prefix=limit),
        NOW,
        list[datetime](),
        Counted[datetime](),
    )
    for gap in gaps:
        now += timedelta(seconds=gap)
        decision = may_count(PREFIX, counted, policy=policy, now=now)
        if isinstance(decision, Deny):
            assert decision.retry_after is not None
            # Whoever comes back when told to is let through.
            assert may_count(PREFIX, counted, policy=policy, now=now + decision.retry_after) == Allow()
            continue
        placed.append(now)
        counted[slot_start(policy, now)] += 1
        assert sum(at > now - policy.window for at in placed) <= limit


def test_a_number_is_refused_once_too_many_of_its_neighbours_were_called() -> None:
    near = neighbours("+12025550143", POLICY)
    assert (near[0], near[-1], len(near)) == ("+12025550043", "+12025550243", 200)
    assert may_follow(frozenset(near[:3]), POLICY) == Allow()
    assert may_follow(frozenset(near[:4]), POLICY) == Deny(DenyReason.SEQUENTIAL_NUMBERS, HOUR)


def test_extensions_of_the_pbx_are_no_sequence() -> None:
    assert neighbours("4021", POLICY) == ()
    assert may_follow(frozenset(), POLICY) == Allow()
