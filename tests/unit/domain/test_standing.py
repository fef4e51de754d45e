"""Trunks that fail are set aside for a growing while, and come last; priority and weight decide the rest."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegate.domain.call import Call
from voicegate.domain.call_outcome import Blame, CallOutcome, Outcome
from voicegate.domain.phone_number import Destination
from voicegate.domain.routing import CallerId, RouteHints, Routes, Trunk, find_route
from voicegate.domain.standing import RestRules, Sign, Standing, learn, sign_of_trunk

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RULES = RestRules(faults=3, first=timedelta(seconds=30), longest=timedelta(minutes=5))
TO = Destination("+12125550143")
FIRST = Trunk("first", "main", "out", (CallerId("+12025550100"), CallerId("+12025550101")))
SECOND, THIRD = replace(FIRST, name="second"), replace(FIRST, name="third")


def names(*trunks: Trunk, **hints: object) -> list[str]:
    hops = find_route(TO, Routes(trunks), RouteHints(**hints))  # type: ignore[arg-type]
    return list(dict.fromkeys(hop.trunk.name for hop in hops))


def after(*signs: Sign, rules: RestRules = RULES) -> Standing:
    standing = Standing()
    for sign in signs:
        standing = learn(standing, sign, rules=rules, now=NOW)
    return standing


def test_a_trunk_rests_after_faults_in_a_row_and_not_before() -> None:
    assert after(Sign.FAULT, Sign.FAULT).until is None
    assert after(Sign.FAULT, Sign.FAULT, Sign.FAULT).until == NOW + RULES.first
    assert after(Sign.FAULT, Sign.FAULT, Sign.GOOD, Sign.FAULT).until is None


def test_a_silent_trunk_rests_at_once() -> None:
    assert after(Sign.GRAVE).until == NOW + RULES.first


def test_each_rest_is_twice_as_long_up_to_the_longest_and_a_call_that_comes_through_ends_it() -> None:
    standing, now, rests = Standing(), NOW, []
    for _ in range(6):
        standing = learn(standing, Sign.GRAVE, rules=RULES, now=now)
        assert standing.until is not None
        rests.append(int((standing.until - now).total_seconds()))
        now = standing.until
    assert rests == [30, 60, 120, 240, 300, 300]
    assert learn(standing, Sign.GOOD, rules=RULES, now=now) == Standing()


def test_calls_that_were_under_way_do_not_lengthen_a_rest() -> None:
    assert after(Sign.GRAVE, Sign.GRAVE, Sign.FAULT).until == NOW + RULES.first


@pytest.mark.parametrize(
    ("outcome", "blame", "sign"),
    [
        (Outcome.TRUNK_SILENT, Blame.TRUNK, Sign.GRAVE),
        (Outcome.TRUNK_FAILED, Blame.TRUNK, Sign.FAULT),
        (Outcome.PBX_UNAVAILABLE, Blame.US, Sign.FAULT),
        (Outcome.BUSY, Blame.CALLEE, Sign.GOOD),
        (Outcome.INVALID_NUMBER, Blame.NUMBER, Sign.NONE),
        (Outcome.CANCELED, Blame.NOBODY, Sign.NONE),
    ],
)
def test_what_an_end_says_of_its_trunk(outcome: Outcome, blame: Blame, sign: Sign) -> None:
    call = Call("call_1", "ver_1", TO, "first", "+12025550100", NOW)
    ended = CallOutcome(outcome, blame, retry_safe=True)
    assert sign_of_trunk(call, ended, is_blocked=False) is sign
    assert sign_of_trunk(replace(call, rang=True), ended, is_blocked=False) is Sign.GOOD
    assert sign_of_trunk(call, ended, is_blocked=True) is Sign.GOOD


def test_trunks_go_by_the_file_unless_a_priority_says_otherwise() -> None:
    assert names(FIRST, SECOND, THIRD) == ["first", "second", "third"]
    assert names(replace(FIRST, priority=9), SECOND, THIRD) == ["second", "third", "first"]


def test_trunks_of_one_priority_share_the_calls_by_weight() -> None:
    trunks = (replace(FIRST, priority=1, weight=3), replace(SECOND, priority=1))
    counted = Counter(names(*trunks, key=f"ver_{n}")[0] for n in range(1000))
    assert 680 < counted["first"] < 820


def test_of_trunks_alike_the_cheaper_goes_first_and_one_without_a_price_last() -> None:
    alike = [replace(trunk, priority=1) for trunk in (FIRST, SECOND, THIRD)]
    for n in range(20):
        assert names(*alike, key=f"ver_{n}", prices={"third": 1, "second": 2}) == ["third", "second", "first"]


def test_a_price_does_not_outweigh_health_priority_or_weight() -> None:
    prices = {"first": 9, "second": 1}
    assert names(FIRST, SECOND, prices=prices) == ["first", "second"]
    alike = (replace(FIRST, priority=1), replace(SECOND, priority=1))
    assert names(*alike, prices=prices, resting=frozenset({"second"})) == ["first", "second"]
    heavier = (replace(FIRST, priority=1, weight=3), replace(SECOND, priority=1))
    counted = Counter(names(*heavier, key=f"ver_{n}", prices=prices)[0] for n in range(1000))
    assert 680 < counted["first"] < 820


def test_trunks_of_one_weight_have_their_shares_together() -> None:
    trunks = [replace(trunk, priority=1) for trunk in (FIRST, SECOND)]
    heavier = replace(THIRD, priority=1, weight=2)
    prices = {"first": 2, "second": 1, "third": 3}
    counted = Counter(names(*trunks, heavier, key=f"ver_{n}", prices=prices)[0] for n in range(1000))
    assert set(counted) == {"second", "third"}
    assert 430 < counted["second"] < 570


def test_a_trunk_that_is_set_aside_is_tried_last_and_not_left_out() -> None:
    assert names(FIRST, SECOND, resting=frozenset({"first"})) == ["second", "first"]
    assert names(FIRST, resting=frozenset({"first"})) == ["first"]


def test_a_trunk_of_some_prefixes_is_tried_for_their_numbers_only() -> None:
    assert names(replace(FIRST, prefixes=("+44", "+1202")), replace(SECOND, prefixes=("+1212",))) == [
        "second"
    ]


def test_a_trunk_has_a_second_hop_with_another_caller_id() -> None:
    hops = find_route(TO, Routes((FIRST, SECOND)))
    assert [hop.trunk.name for hop in hops] == ["first", "first", "second", "second"]
    assert len({hop.caller_id.number for hop in hops[:2]}) == 2


TRUNKS = st.lists(
    st.builds(
        Trunk,
        st.sampled_from("abcdef"),
        st.just("main"),
        st.just("out"),
        st.just(FIRST.caller_ids),
        priority=st.integers(0, 5),
        weight=st.integers(1, 1000),
        countries=st.sampled_from([frozenset(), frozenset({"US"}), frozenset({"GB"})]),
    ),
    max_size=6,
    unique_by=lambda trunk: trunk.name,
)


@settings(max_examples=100, deadline=None)
@given(TRUNKS, st.frozensets(st.sampled_from("abcdef")), st.text(max_size=5))
def test_a_route_has_every_trunk_that_serves_once_the_resting_ones_last(
    trunks: list[Trunk], resting: frozenset[str], key: str
) -> None:
    found = names(*trunks, key=key, resting=resting)
    assert sorted(found) == sorted(trunk.name for trunk in trunks if trunk.countries <= {"US"})
    assert [name in resting for name in found] == sorted(name in resting for name in found)
    assert found == names(*trunks, key=key, resting=resting)


@settings(max_examples=100, deadline=None)
@given(
    TRUNKS,
    st.frozensets(st.sampled_from("abcdef")),
    st.frozensets(st.sampled_from("abcdef")),
    st.text(max_size=5),
)
def test_the_order_is_healthy_then_by_priority_and_without_drained_ones(
    trunks: list[Trunk], resting: frozenset[str], drained: frozenset[str], key: str
) -> None:
    hops = find_route(TO, Routes(trunks), RouteHints(key, resting, drained))
    places = {trunk.name: trunk.priority or place for place, trunk in enumerate(trunks, 1)}
    order = [(hop.trunk.name in resting, places[hop.trunk.name]) for hop in hops]
    assert order == sorted(order)
    assert drained.isdisjoint(hop.trunk.name for hop in hops)


@settings(max_examples=100, deadline=None)
@given(
    TRUNKS,
    st.frozensets(st.sampled_from("abcdef")),
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3)),
    st.text(max_size=5),
)
def test_prices_order_only_what_is_alike_in_health_priority_and_weight(
    trunks: list[Trunk], resting: frozenset[str], prices: dict[str, int], key: str
) -> None:
    trunks = [replace(trunk, weight=trunk.weight % 2 + 1) for trunk in trunks]
    places = {trunk.name: trunk.priority or place for place, trunk in enumerate(trunks, 1)}
    weights = {trunk.name: trunk.weight for trunk in trunks}
    dear = names(*trunks, key=key, resting=resting)
    found = names(*trunks, key=key, resting=resting, prices=prices)

    def alike(name: str) -> tuple[bool, int, int]:
        return name in resting, places[name], weights[name]

    assert sorted(found) == sorted(dear)
    assert [alike(name) for name in found] == [alike(name) for name in dear]
    for group in {alike(name) for name in found}:
        asked = [prices.get(name, 4) for name in found if alike(name) == group]
        assert asked == sorted(asked)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Sign), st.integers(0, 600)), max_size=30))
def test_no_rest_is_longer_than_the_longest(signs: list[tuple[Sign, int]]) -> None:
    standing, now = Standing(), NOW
    for sign, seconds in signs:
        now += timedelta(seconds=seconds)
        standing = learn(standing, sign, rules=RULES, now=now)
        assert standing.until is None or standing.until - now <= RULES.longest
        assert not (sign is Sign.GOOD and standing.is_resting(now, RULES))
