"""What an admin is told about a number: every rule, the one that decides, and the route."""

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegate.domain.explanation import explain
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Allow, CallPolicy, Deny, DenyReason, NumberKind, PrefixRules, may_reach
from voicegate.domain.policy.spend import Rate, Rates, SpendPolicy
from voicegate.domain.routing import CallerId, InternalRoute, NumberFormat, Routes, Trunk, find_route

POLICY = CallPolicy(
    frozenset({"US", "DE"}),
    prefixes=PrefixRules({"+1202555": "ours", "+49176": "theirs"}, frozenset({"+12025551"})),
)
CARRIER = Trunk("carrier", "main", endpoint="out", caller_ids=(CallerId("+12025550100"),))
GERMAN = replace(CARRIER, name="german", countries=frozenset({"DE"}))
BRAZILIAN = replace(CARRIER, name="brazilian", home_country="BR", number_format=NumberFormat.NATIONAL)
DESKS = InternalRoute(
    "desks", re.compile("4[0-9]{3}"), replace(CARRIER, name="desks", endpoint="{extension}")
)
ROUTES = Routes((CARRIER, GERMAN, BRAZILIAN), (DESKS,))


def test_an_allowed_number_is_told_with_its_rules_and_its_route() -> None:
    found = explain(Destination("+12125550143"), POLICY, ROUTES)
    assert found.refused is None
    assert [one.rule for one in found.judgements] == [
        "policy.number_check",
        "policy.allowed_countries",
        "number types",
        "policy.denied_prefixes",
        "trunks",
    ]
    assert [hop.trunk.name for hop in found.route] == ["carrier"]
    assert [choice.obstacle for choice in found.trunks] == [
        "",
        "serves DE only",
        "cannot write the number in its format national",
    ]


def test_a_refused_number_has_no_route_and_names_the_rule() -> None:
    found = explain(Destination("+442079460101"), POLICY, ROUTES)
    assert found.refused is not None
    assert (found.refused.rule, found.refused.facts) == ("policy.allowed_countries", "country GB")
    assert found.route == ()


def test_an_explanation_tries_the_cheaper_of_trunks_alike_first() -> None:
    dear = replace(CARRIER, priority=1)
    routes = Routes((dear, replace(dear, name="cheap")))
    rates = Rates({("carrier", "+1"): Rate(30_000), ("cheap", "+1"): Rate(10_000)})
    policy = replace(POLICY, spend=SpendPolicy(rates))
    found = explain(Destination("+12125550143"), policy, routes)
    assert [hop.trunk.name for hop in found.route] == ["cheap", "carrier"]


def test_a_denied_prefix_is_told_with_why() -> None:
    found = explain(Destination("+12025550143"), POLICY, ROUTES).refused
    assert found is not None
    assert found.decision == Deny(DenyReason.PREFIX_DENIED)
    assert (found.rule, found.facts) == ("policy.denied_prefixes +1202555", "begins with +1202555: ours")


def test_a_longer_prefix_that_is_allowed_lifts_a_denied_one() -> None:
    assert may_reach(Destination("+12025551143"), POLICY) == Allow()


def test_an_equal_prefix_that_is_allowed_lifts_a_denied_one() -> None:
    rules = PrefixRules({"+49176": "theirs"}, frozenset({"+49176"}))
    assert rules.find("+491761234567") is None


def test_an_allowed_prefix_opens_no_country() -> None:
    policy = replace(POLICY, prefixes=PrefixRules(allowed=frozenset({"+44"})))
    assert may_reach(Destination("+442079460101"), policy) == Deny(DenyReason.COUNTRY_NOT_ALLOWED)


def test_a_satellite_telephone_is_told_as_one() -> None:
    for number in ("+881612345678", "+870773111234"):
        kinds = [
            one.decision.kind
            for one in explain(Destination(number), POLICY, ROUTES).judgements
            if isinstance(one.decision, Deny)
        ]
        assert NumberKind.SATELLITE in kinds


def test_an_extension_is_told_with_its_pattern_or_none() -> None:
    allowed, refused = (explain(Destination(number), POLICY, ROUTES) for number in ("4021", "5021"))
    assert [hop.endpoint for hop in allowed.route] == ["4021"]
    assert refused.refused is not None
    assert refused.refused.decision == Deny(DenyReason.NO_ROUTE)


NUMBERS = st.from_regex(r"\A\+(1[2-9][0-9]{9}|44[1-9][0-9]{9}|49[1-9][0-9]{8,10}|88[1-3][0-9]{8,10})\Z")


@settings(max_examples=60, deadline=None)
@given(NUMBERS, st.frozensets(st.sampled_from(["US", "DE", "GB"])), st.sampled_from(["+1", "+44", "+4915"]))
def test_the_explanation_names_what_decides(number: str, countries: frozenset[str], denied: str) -> None:
    policy = CallPolicy(countries, prefixes=PrefixRules({denied: "test"}))
    destination = Destination(number)
    found, decision = explain(destination, policy, ROUTES), may_reach(destination, policy)
    first = next((one for one in found.judgements if isinstance(one.decision, Deny)), None)
    assert found.refused is first
    if isinstance(decision, Deny):
        assert first is not None
        assert first.decision == decision
        assert first.rule == decision.rule
    else:
        assert (found.refused is None) == bool(find_route(destination, ROUTES))
