"""Ranges whose calls prove no codes are held for the client that shows it, for all when several do."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Allow, ConversionPolicy, Deny, DenyReason, PrefixHold, Tally
from voicegate.domain.policy.conversion import find_low, keys_of, may_call_range

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = ConversionPolicy(floor=0.1, min_calls_prefix=10, min_calls_country=20, clients=3)
names = st.sampled_from(["a", "b", "c", "d"])
counts = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: (max(pair), min(pair)))
tallies = st.dictionaries(st.tuples(names, st.sampled_from(["+1202555", "US"])), counts).map(
    lambda found: [Tally(client, key, *count) for (client, key), count in found.items()]
)


def test_a_range_is_held_below_the_floor_with_enough_calls() -> None:
    shown = [(10, 0, True), (9, 0, False), (10, 1, False), (30, 2, True)]
    for placed, verified, is_low in shown:
        assert bool(find_low([Tally("a", "+1202555", placed, verified)], POLICY)) == is_low
    assert not find_low([Tally("a", "US", 19, 0)], POLICY)


@given(found=tallies, other=tallies)
def test_what_one_client_does_holds_nothing_for_another_but_by_the_rule_of_several(
    found: list[Tally], other: list[Tally]
) -> None:
    mine = [one for one in found if one.client == "a"]
    others = [one for one in other if one.client != "a"]
    low = find_low([*mine, *others], POLICY)
    assert [one for one in low if one.client == "a"] == find_low(mine, POLICY)
    for common in (one for one in low if not one.client):
        assert len([one for one in low if one.client and one.key == common.key]) >= POLICY.clients


def test_a_hold_refuses_its_own_client_until_it_is_over() -> None:
    destination = Destination("+12025550143")
    hold = PrefixHold("+1202555", "a", NOW, NOW + HOUR, "", "no codes")
    assert hold.key in keys_of(destination)
    assert "US" in keys_of(destination)
    refused = may_call_range([hold], client="a", now=NOW)
    assert isinstance(refused, Deny)
    assert (refused.reason, refused.retry_after) == (DenyReason.PREFIX_HELD, HOUR)
    assert refused.rule == "prefix hold +1202555"
    assert isinstance(may_call_range([hold], client="b", now=NOW), Allow)
    assert isinstance(may_call_range([hold], client="a", now=NOW + HOUR), Allow)
    for_all = PrefixHold("US", "", NOW, NOW + HOUR, "root", "")
    assert isinstance(may_call_range([for_all], client="b", now=NOW), Deny)
