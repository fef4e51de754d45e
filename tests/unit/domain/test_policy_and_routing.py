"""Refuse by default; and which way a call goes."""

import re
from dataclasses import replace

import phonenumbers
import pytest

from voicegate.adapters.pbx.common.safe_values import NUMBER
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import (
    IN_PROGRESS_WAIT,
    Allow,
    CallPolicy,
    Deny,
    DenyReason,
    NumberCheck,
    NumberKind,
    may_call_again,
    may_reach,
    refusal,
)
from voicegate.domain.routing import (
    CallerId,
    InternalRoute,
    NumberFormat,
    Routes,
    Trunk,
    called_number,
    find_route,
    has_international_prefix,
)

US = CallPolicy(frozenset({"US", "GB", "DE"}))
FIRST = Trunk("first", "main", endpoint="carrier", caller_ids=(CallerId("+12025550100"),))
SECOND = Trunk(
    "second",
    "main",
    endpoint="other",
    caller_ids=(CallerId("1"),),
    home_country="GB",
    number_format=NumberFormat.NATIONAL,
)
DESKS = InternalRoute(
    "desks",
    re.compile("4[0-9]{3}"),
    Trunk("desks", "main", endpoint="desk-{extension}", caller_ids=(CallerId("4000"),)),
)


def test_nothing_outside_the_pbx_is_called_until_a_country_is_allowed() -> None:
    denied = may_reach(Destination("+12025550143"), CallPolicy())
    assert denied == Deny(DenyReason.COUNTRY_NOT_ALLOWED)


@pytest.mark.parametrize("number", ["+12025550143", "+442079460101", "+491711234567"])
def test_ordinary_lines_of_an_allowed_country_may_be_called(number: str) -> None:
    assert may_reach(Destination(number), US) == Allow()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("+19002345678", "premium"),
        ("+18002345678", "toll-free"),
        ("+448712345678", "shared cost or premium"),
        ("+447012345678", "personal"),
        ("+499001234567", "premium"),
    ],
)
def test_expensive_and_special_numbers_never(number: str, kind: str) -> None:
    assert may_reach(Destination(number), US) == Deny(DenyReason.NUMBER_TYPE_NOT_ALLOWED)


@pytest.mark.parametrize("number", ["+33912345678", "+31851234567", "+815012345678", "+43720123456"])
def test_voip_numbers_may_be_called_unless_that_is_switched_off(number: str) -> None:
    policy = CallPolicy(frozenset({"FR", "NL", "JP", "AT"}))
    assert may_reach(Destination(number), policy) == Allow()
    refused = may_reach(Destination(number), replace(policy, voip_numbers=False))
    assert refused == Deny(DenyReason.NUMBER_TYPE_NOT_ALLOWED)
    assert isinstance(refused, Deny)
    assert refused.kind is NumberKind.VOIP


@pytest.mark.parametrize(
    "number", ["+41581234567", "+46101234567", "+43517661000", "+4350100", "+43590123456"]
)
def test_company_numbers_may_be_called_where_that_is_switched_on(number: str) -> None:
    policy = CallPolicy(frozenset({"CH", "SE", "AT"}))
    refused = may_reach(Destination(number), policy)
    assert isinstance(refused, Deny)
    assert refused.kind is NumberKind.COMPANY
    assert may_reach(Destination(number), replace(policy, company_numbers=True)) == Allow()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("+12025551212", NumberKind.DIRECTORY),
        ("+14165551212", NumberKind.DIRECTORY),
        ("+18765551212", NumberKind.DIRECTORY),
        ("+12425551212", NumberKind.DIRECTORY),
        ("+12129761234", NumberKind.PREMIUM),
        ("+19002345678", NumberKind.PREMIUM),
        ("+18005551212", NumberKind.TOLL_FREE),
    ],
)
@pytest.mark.parametrize("check", NumberCheck)
def test_a_number_that_costs_is_refused_with_its_kind(
    number: str, kind: NumberKind, check: NumberCheck
) -> None:
    policy = CallPolicy(frozenset({"US", "CA", "JM", "BS"}), number_check=check, company_numbers=True)
    refused = may_reach(Destination(number), policy)
    assert isinstance(refused, Deny)
    if refused.reason is DenyReason.INVALID_NUMBER:
        assert check is NumberCheck.VALID
    else:
        assert (refused.reason, refused.kind) == (DenyReason.NUMBER_TYPE_NOT_ALLOWED, kind)


def test_a_line_beside_directory_assistance_is_an_ordinary_one() -> None:
    assert may_reach(Destination("+12025551211"), US) == Allow()


POSSIBLE = replace(US, number_check=NumberCheck.POSSIBLE)


@pytest.mark.parametrize("number", ["+15554151337", "+15555550100", "+441110000000", "+49115000000"])
def test_a_number_of_no_known_range_passes_only_where_possible_is_enough(number: str) -> None:
    assert may_reach(Destination(number), US) == Deny(DenyReason.INVALID_NUMBER)
    assert may_reach(Destination(number), POSSIBLE) == Allow()


@pytest.mark.parametrize(
    "number",
    ["+19002345678", "+19000000000", "+18000000000", "+448712345678", "+449000000000", "+447012345678"],
)
def test_where_possible_is_enough_special_ranges_stay_refused_with_all_that_begins_like_them(
    number: str,
) -> None:
    assert may_reach(Destination(number), POSSIBLE) == Deny(DenyReason.NUMBER_TYPE_NOT_ALLOWED)


@pytest.mark.parametrize("number", ["+49900123456789", "+19112345678"])
def test_where_possible_is_enough_digits_past_the_end_hide_no_special_number(number: str) -> None:
    assert may_reach(Destination(number), POSSIBLE) == Deny(DenyReason.NUMBER_TYPE_NOT_ALLOWED)


@pytest.mark.parametrize(
    ("number", "country"), [("+14160000000", "CA"), ("+18760000000", "JM"), ("+77000000000", "KZ")]
)
def test_where_possible_is_enough_a_country_that_shares_its_code_must_be_allowed_itself(
    number: str, country: str
) -> None:
    policy = replace(POSSIBLE, allowed_countries=frozenset({"US", "RU"}))
    assert may_reach(Destination(number), policy) == Deny(DenyReason.COUNTRY_NOT_ALLOWED)
    wider = replace(policy, allowed_countries=policy.allowed_countries | {country})
    assert may_reach(Destination(number), wider) != Deny(DenyReason.COUNTRY_NOT_ALLOWED)


@pytest.mark.parametrize("number", ["+33123456789", "+979123456789", "+882123456789"])
def test_where_possible_is_enough_the_country_must_be_allowed_all_the_same(number: str) -> None:
    assert may_reach(Destination(number), POSSIBLE) == Deny(DenyReason.COUNTRY_NOT_ALLOWED)


@pytest.mark.parametrize("number", ["+881612345678", "+97912345678", "+8835100123456"])
def test_satellite_and_international_premium_belong_to_no_country(number: str) -> None:
    assert isinstance(may_reach(Destination(number), US), Deny)


def test_of_many_decisions_the_first_refusal_counts() -> None:
    first, second = Deny(DenyReason.TOO_SOON), Deny(DenyReason.TOO_MANY_CALLS)
    assert refusal(Allow(), first, second) is first
    assert refusal(Allow(), Allow()) is None


def test_a_second_call_waits_for_the_first() -> None:
    assert may_call_again(live=True, calls=1, policy=US) == Deny(
        DenyReason.CALL_IN_PROGRESS, IN_PROGRESS_WAIT
    )
    assert may_call_again(live=False, calls=1, policy=US) == Allow()
    assert may_call_again(live=False, calls=5, policy=US) == Deny(DenyReason.TOO_MANY_CALLS)


def test_trunks_are_tried_in_order_each_with_its_own_number_format() -> None:
    hops = find_route(Destination("+442079460101"), Routes((FIRST, SECOND), (DESKS,)))
    assert [(hop.trunk.name, hop.number) for hop in hops] == [
        ("first", "+442079460101"),
        ("second", "02079460101"),
    ]


@pytest.mark.parametrize(
    ("number", "names"),
    [
        ("+12025550143", ["first", "american"]),
        ("+442079460101", ["first"]),
        ("+881612345678", ["first"]),
    ],
)
def test_a_trunk_of_some_countries_is_tried_for_their_numbers_only(number: str, names: list[str]) -> None:
    american = replace(SECOND, name="american", countries=frozenset({"US", "CA"}))
    hops = find_route(Destination(number), Routes((FIRST, american)))
    assert [hop.trunk.name for hop in hops] == names


def test_an_internal_extension_is_dialed_only_as_its_own_endpoint() -> None:
    (hop,) = find_route(Destination("4021"), Routes((FIRST,), (DESKS,)))
    assert (hop.endpoint, hop.number) == ("desk-4021", None)


@pytest.mark.parametrize("number", ["402", "40211", "*4021", "5021"])
def test_an_extension_that_no_route_matches_whole_goes_nowhere(number: str) -> None:
    assert find_route(Destination(number), Routes((FIRST,), (DESKS,))) == ()


def dialed_by(number: str, wanted: NumberFormat, home: str = "") -> str | None:
    return called_number(number, replace(FIRST, number_format=wanted, home_country=home))


def test_the_number_is_written_as_the_trunk_wants_it() -> None:
    assert dialed_by("+12025550143", NumberFormat.E164) == "12025550143"
    assert dialed_by("+12025550143", NumberFormat.NATIONAL, "US") == "2025550143"


@pytest.mark.parametrize(
    ("number", "home", "dialed"),
    [
        # 0871 2345678, dialed as in Germany, would be a premium number in Britain.
        ("+498712345678", "GB", "00498712345678"),
        ("+442079460101", "US", "011442079460101"),
        ("+442079460101", "BR", None),
    ],
)
def test_a_number_of_another_country_is_never_dialed_as_at_its_own_home(
    number: str, home: str, dialed: str | None
) -> None:
    assert dialed_by(number, NumberFormat.NATIONAL, home) == dialed


@pytest.mark.parametrize(
    ("number", "wanted", "home", "dialed"),
    [
        ("+442079460101", NumberFormat.ZERO_ZERO, "", "00442079460101"),
        ("+12025550143", NumberFormat.ZERO_ZERO, "US", "0012025550143"),
        ("+12025550143", NumberFormat.NANP, "", "12025550143"),
        ("+14165550143", NumberFormat.NANP, "", "14165550143"),
        ("+442079460101", NumberFormat.NANP, "", "011442079460101"),
        ("+5511961234567", NumberFormat.NATIONAL, "BR", "011961234567"),
        ("+551123456789", NumberFormat.NATIONAL, "BR", "01123456789"),
        ("+442079460101", NumberFormat.NATIONAL, "GB", "02079460101"),
        ("+573211234567", NumberFormat.NATIONAL, "CO", "3211234567"),
        ("+390612345678", NumberFormat.NATIONAL, "IT", "0612345678"),
        ("+36201234567", NumberFormat.NATIONAL, "HU", "06201234567"),
    ],
)
def test_a_number_is_written_as_it_is_dialed_there(
    number: str, wanted: NumberFormat, home: str, dialed: str
) -> None:
    assert dialed_by(number, wanted, home) == dialed


@pytest.mark.parametrize(
    ("wanted", "home", "number", "dialed"),
    [
        (NumberFormat.E164, "", "+442079460101", "123#442079460101"),
        (NumberFormat.ZERO_ZERO, "", "+442079460101", "123#00442079460101"),
        (NumberFormat.NANP, "", "+442079460101", "123#011442079460101"),
        (NumberFormat.NATIONAL, "GB", "+12025550143", "123#0012025550143"),
    ],
)
def test_a_tech_prefix_stands_before_the_number_however_it_is_written(
    wanted: NumberFormat, home: str, number: str, dialed: str
) -> None:
    trunk = replace(FIRST, number_format=wanted, home_country=home, number_prefix="123#")
    (hop,) = find_route(Destination(number), Routes((trunk,)))
    assert hop.number == dialed
    assert NUMBER.fullmatch(dialed)


@pytest.mark.parametrize("home", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_a_national_trunk_dials_a_number_of_another_country_with_a_prefix_or_not_at_all(home: str) -> None:
    foreign = "+442079460101" if phonenumbers.country_code_for_region(home) != 44 else "+498712345678"
    trunk = replace(FIRST, number_format=NumberFormat.NATIONAL, home_country=home, number_prefix="123#")
    hops = find_route(Destination(foreign), Routes((trunk,)))
    if has_international_prefix(home):
        assert re.fullmatch(rf"123#[0-9]{{1,5}}{foreign[1:]}", str(hops[0].number))
    else:
        assert hops == ()
    (own,) = find_route(Destination(foreign), Routes((replace(trunk, international_prefix="0021"),)))
    assert own.number == f"123#0021{foreign[1:]}"


def test_the_next_trunk_is_tried_where_one_cannot_write_the_number() -> None:
    brazilian = replace(FIRST, number_format=NumberFormat.NATIONAL, home_country="BR", countries=frozenset())
    other = replace(FIRST, name="other", number_format=NumberFormat.E164, countries=frozenset())
    (hop,) = find_route(Destination("+442079460101"), Routes((brazilian, other)))
    assert (hop.trunk.name, hop.number) == ("other", "442079460101")
