"""What calls may cost: no allowed call can pass a cap, and a refusal names the first rule that is hit."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Caller, Deny, DenyReason
from voicegate.domain.policy.spend import (
    Account,
    Cap,
    Cost,
    Quote,
    Rate,
    Rates,
    Reservation,
    SpendKind,
    SpendPolicy,
    account_of,
    accounts_of,
    may_spend,
    quote,
    reserve,
)

NOW = datetime(2026, 1, 1, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
US = Destination("+12025550143")
ADA = Caller("web", "ada")
RATES = Rates(
    {
        ("*", "+1"): Rate(10_000, 60, 60),
        ("dear", "+1"): Rate(50_000, 30, 6),
        ("*", "+1202"): Rate(20_000, 1, 1),
    }
)
seconds = st.integers(1, 400).map(lambda n: timedelta(seconds=n))
rates = st.builds(Rate, st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 60))
caps = st.dictionaries(
    st.sampled_from(SpendKind), st.builds(Cap, st.integers(0, 20), st.integers(0, 4 * 10**6))
)


@pytest.mark.parametrize(
    ("length_s", "billed"), [(0, 0), (0.2, 30), (30, 30), (30.1, 36), (36, 36), (61, 66), (-5, 0)]
)
def test_a_call_is_billed_by_its_minimum_and_then_in_whole_steps(length_s: float, billed: int) -> None:
    cost = Rate(60_000, 30, 6).cost(timedelta(seconds=length_s))
    assert cost == Cost(billed, billed * 1000)


def test_the_longest_prefix_has_the_rate_and_of_equal_ones_the_trunks_own() -> None:
    assert RATES.find("dear", "+12025550143") == Rate(20_000, 1, 1)
    assert RATES.find("dear", "+13125550143") == Rate(50_000, 30, 6)
    assert RATES.find("cheap", "+13125550143") == Rate(10_000, 60, 60)
    assert RATES.find("cheap", "+442079460123") is None


def test_trunks_are_compared_by_what_an_ordinary_call_costs_as_it_is_billed() -> None:
    short, whole = Rate(30_000, 1, 1), Rate(20_000, 60, 60)
    rates = Rates({("short", "+1"): short, ("whole", "+1"): whole, ("whole", "+44"): whole})
    assert rates.compare(["whole", "short"], "+12025550143") == {"whole": 20_000, "short": 15_000}
    assert rates.compare(["whole", "short"], "+442079460123") == {"whole": 20_000}


@given(rate=rates, length=seconds, longest=seconds)
def test_no_call_costs_more_than_its_worst_case(rate: Rate, length: timedelta, longest: timedelta) -> None:
    cost, worst = rate.cost(min(length, longest)), Quote("a", rate, longest).worst
    assert (cost.seconds <= worst.seconds, cost.micros <= worst.micros) == (True, True)


asked = st.tuples(st.sampled_from(["web", "app"]), st.integers(0, 400), st.booleans())


@given(caps=caps, rate=rates, other=rates, longest=seconds, calls=st.lists(asked, max_size=25))
def test_no_calls_that_were_allowed_pass_a_cap(
    caps: dict[SpendKind, Cap],
    rate: Rate,
    other: Rate,
    longest: timedelta,
    calls: list[tuple[str, int, bool]],
) -> None:
    policy = SpendPolicy(Rates({("a", "+1"): rate, ("b", "+1"): other}), caps)
    spent: dict[Account, Cost] = {}
    open_ones: list[tuple[Reservation, int]] = []

    def add(costs: object, sign: int) -> None:
        assert isinstance(costs, dict)
        for account, cost in costs.items():
            before = spent.get(account, Cost())
            spent[account] = before + cost if sign > 0 else before - cost

    for client, length_s, fails_over in calls:
        accounts = accounts_of(US, Caller(client, "ada"))
        quotes = [quote(trunk, US, policy=policy, longest=longest) for trunk in "ab"]
        decision = reserve(quotes, accounts, spent, policy=policy, now=NOW)
        if isinstance(decision, Deny):
            assert decision.reason is DenyReason.SPEND_LIMITED
        else:
            add(decision.held(), 1)
            open_ones.append((decision, length_s))
        for account, cost in spent.items():
            cap = caps.get(account.kind, Cap())
            assert not cap.minutes or cost.seconds <= cap.minutes * 60
            assert not cap.micros or cost.micros <= cap.micros
        if length_s % 3 == 0 and open_ones:
            ended, lasted = open_ones.pop(0)
            add(ended.held(), -1)
            length = min(timedelta(seconds=lasted), longest)
            add(ended.settled(ended.quotes[-1 if fails_over else 0].trunk, length), 1)
    for ended, _ in open_ones:
        add(ended.held(), -1)
        add(ended.settled(ended.quotes[0].trunk, timedelta()), 1)
    assert all(cost.seconds >= 0 and cost.micros >= 0 for cost in spent.values())


@given(caps=caps, rate=rates, longest=seconds, spent=st.lists(st.integers(0, 1200), min_size=5, max_size=5))
def test_a_refusal_names_the_first_cap_that_would_be_passed(
    caps: dict[SpendKind, Cap], rate: Rate, longest: timedelta, spent: list[int]
) -> None:
    policy = SpendPolicy(Rates({("a", "+1"): rate}), caps)
    accounts = (account_of("a"), *accounts_of(US, ADA))
    used = {account: Cost(one, one * 1000) for account, one in zip(accounts, spent, strict=True)}
    quoted = quote("a", US, policy=policy, longest=longest)
    assert isinstance(quoted, Quote)
    passed = []
    for account in accounts:
        cap, after = caps.get(account.kind, Cap()), used[account] + quoted.worst
        if cap.minutes and after.seconds > cap.minutes * 60:
            passed.append(f"spend.minutes_per_{account.kind}")
        if cap.micros and after.micros > cap.micros:
            passed.append(f"spend.money_per_{account.kind}")
    decision = may_spend(quoted, accounts[1:], used, policy=policy, now=NOW)
    assert (decision.rule if isinstance(decision, Deny) else None) == (passed[0] if passed else None)


def test_a_refusal_ends_with_the_day() -> None:
    policy = SpendPolicy(RATES, {SpendKind.CLIENT: Cap(minutes=1)})
    decision = reserve(
        [quote("a", US, policy=policy, longest=2 * MINUTE)], accounts_of(US, ADA), {}, policy=policy, now=NOW
    )
    assert decision == Deny(DenyReason.SPEND_LIMITED, timedelta(hours=4))


def test_a_price_that_is_too_high_or_not_known_refuses_the_trunk() -> None:
    policy = SpendPolicy(RATES)
    for allowed, reason in ((19_999, DenyReason.PRICE_TOO_HIGH), (20_000, None)):
        decision = quote("a", US, policy=policy, longest=MINUTE, max_price=allowed)
        assert (decision.reason if isinstance(decision, Deny) else None) is reason
    british = Destination("+442079460123")
    assert isinstance(quote("a", british, policy=policy, longest=MINUTE), Quote)
    unknown = quote("a", british, policy=policy, longest=MINUTE, max_price=1)
    assert isinstance(unknown, Deny)
    assert unknown.reason is DenyReason.PRICE_UNKNOWN
    capped = SpendPolicy(RATES, {SpendKind.CLIENT: Cap(micros=1)})
    assert isinstance(quote("a", british, policy=capped, longest=MINUTE), Deny)


def test_a_trunk_that_is_spent_leaves_the_call_to_the_next() -> None:
    policy = SpendPolicy(RATES, {SpendKind.TRUNK: Cap(minutes=10)})
    quotes = [quote(trunk, US, policy=policy, longest=MINUTE) for trunk in ("a", "b")]
    spent = {account_of("a"): Cost(seconds=600)}
    decision = reserve(quotes, accounts_of(US, ADA), spent, policy=policy, now=NOW)
    assert isinstance(decision, Reservation)
    assert [one.trunk for one in decision.quotes] == ["b"]
