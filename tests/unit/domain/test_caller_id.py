"""Which caller ID a callee sees: shared out by weight, the same while it works, and lawful."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegate.domain.caller_id import CallerId, choose_caller_ids, find_law
from voicegate.domain.phone_number import Destination
from voicegate.domain.routing import Routes, Trunk, find_route

POOL = tuple(CallerId(f"+120255501{n:02}") for n in range(5))
AMERICAN, BRITISH = Destination("+12125550143"), Destination("+447400123456")
MANY = [Destination(f"+1212555{n:04}") for n in range(2000)]


def shown(destination: Destination, pool: tuple[CallerId, ...] = POOL, **more: object) -> str:
    return choose_caller_ids(pool, destination, **{"home_country": "", **more})[0].number  # type: ignore[arg-type]


def test_a_callee_always_sees_the_same_number_and_callees_share_the_pool() -> None:
    assert len({shown(AMERICAN) for _ in range(10)}) == 1
    assert set(map(shown, MANY)) == {one.number for one in POOL}


def test_a_number_that_leaves_the_pool_changes_only_what_its_own_callees_see() -> None:
    left = POOL[1:]
    assert not [to for to in MANY if shown(to) != POOL[0].number and shown(to, left) != shown(to)]


def test_callees_are_shared_out_by_weight() -> None:
    pool = (replace(POOL[0], weight=3), POOL[1])
    counted = Counter(shown(to, pool) for to in MANY)
    assert 1400 < counted[POOL[0].number] < 1600


def test_after_a_failed_call_another_number_is_shown_and_after_all_the_one_that_failed_first() -> None:
    first = shown(AMERICAN)
    second = shown(AMERICAN, failed=(first,))
    assert second != first
    newest_first = (second, first, *(one.number for one in POOL if one.number not in (first, second)))
    assert shown(AMERICAN, failed=newest_first) == newest_first[-1]


def test_a_country_sees_the_numbers_that_are_for_it_and_others_those_for_nobody() -> None:
    pool = (*POOL, CallerId("+442079460101", countries=frozenset({"GB"})))
    assert shown(BRITISH, pool) == "+442079460101"
    assert shown(AMERICAN, pool) != "+442079460101"
    assert shown(AMERICAN, pool[-1:]) == "+442079460101"


def test_a_british_number_is_not_shown_on_a_call_to_britain_from_abroad() -> None:
    london = CallerId("+442079460101")
    law = find_law(london, BRITISH, "US")
    assert law is not None
    assert "Ofcom" in law.source
    assert [find_law(london, BRITISH, home) for home in ("GB", "")] == [None, None]
    assert find_law(london, AMERICAN, "US") is None
    assert find_law(replace(london, is_excepted=True), BRITISH, "US") is None
    assert shown(BRITISH, (london, POOL[0]), home_country="US") == POOL[0].number


def test_the_swedish_law_is_about_mobile_numbers() -> None:
    to = Destination("+46701234567")
    assert find_law(CallerId("+46701234568"), to, "DE") is not None
    assert find_law(CallerId("+4681234567"), to, "DE") is None


def test_a_trunk_that_may_show_nothing_is_passed_over() -> None:
    abroad = Trunk("abroad", "main", "out", (CallerId("+442079460101"),), home_country="US")
    at_home = replace(abroad, name="home", home_country="GB")
    assert [hop.trunk.name for hop in find_route(BRITISH, Routes((abroad, at_home)))] == ["home"]


NUMBERS = st.sampled_from([one.number for one in POOL] + ["+442079460101", "+46701234568", "+34612345678"])
CALLER_IDS = st.builds(
    CallerId,
    NUMBERS,
    countries=st.frozensets(st.sampled_from(["US", "GB", "SE"])),
    weight=st.integers(1, 1000),
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(CALLER_IDS, min_size=1, max_size=6, unique_by=lambda one: one.number),
    st.sampled_from([AMERICAN, BRITISH, Destination("+46701234567"), Destination("+34612345679")]),
    st.sampled_from(["", "US", "GB", "SE"]),
    st.lists(NUMBERS, unique=True),
)
def test_what_is_shown_is_of_the_pool_lawful_and_untried_before_what_failed(
    pool: list[CallerId], to: Destination, home: str, failed: list[str]
) -> None:
    chosen = choose_caller_ids(pool, to, home_country=home, failed=failed)
    assert set(chosen) <= set(pool)
    assert not [one for one in chosen if find_law(one, to, home)]
    assert bool(chosen) == any(find_law(one, to, home) is None for one in pool)
    places = [one.number in failed for one in chosen]
    assert places == sorted(places)
