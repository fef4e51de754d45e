"""Every refusal names the rule that made it, so that an admin knows which setting to change."""

from datetime import UTC, datetime, timedelta

import pytest

from voicegate.domain.challenge import GUESS_RULES, GuessResult
from voicegate.domain.policy import (
    Allow,
    CallPolicy,
    Deny,
    DenyReason,
    Guesses,
    PastCall,
    Target,
    may_issue,
    may_ring,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NUMBER = "+12025550101"
PLAIN = Target(NUMBER, NUMBER)


@pytest.mark.parametrize("reason", DenyReason)
def test_every_refusal_has_a_rule(reason: DenyReason) -> None:
    assert Deny(reason).rule
    assert Deny(reason, rule="policy.own").rule == "policy.own"


def test_every_guess_that_is_not_accepted_has_a_rule() -> None:
    assert set(GUESS_RULES) == set(GuessResult) - {GuessResult.VERIFIED}


def refusal_of(*ages_s: float, live: tuple[str, ...] = ()) -> str:
    own = [PastCall(PLAIN, NOW - timedelta(seconds=age), NOW - timedelta(seconds=age)) for age in ages_s]
    ringing = [PastCall(Target(telephone, NUMBER), NOW) for telephone in live]
    decision = may_ring(PLAIN, ringing, own, policy=CallPolicy(), now=NOW)
    return "" if isinstance(decision, Allow) else decision.rule


def test_a_telephone_that_may_not_ring_yet_names_what_holds_it() -> None:
    assert refusal_of() == ""
    assert refusal_of(5) == "policy.call_spacing_s"
    assert refusal_of(*(600 + n for n in range(10))) == "policy.call_lock_after"
    assert refusal_of(live=(NUMBER,)) == "one call in progress"
    assert refusal_of(live=(f"{NUMBER},204",)) == "policy.calls_per_number"


@pytest.mark.parametrize("rule", ["policy.guesses_per_destination", "policy.guesses_per_subscriber"])
def test_a_lock_by_wrong_guesses_names_whose_limit_it_was(rule: str) -> None:
    budgets = (Guesses(20, (), ()), Guesses(20, [NOW] * 20, (), rule))
    decision = may_issue(5, budgets, window=HOUR, now=NOW)
    assert isinstance(decision, Deny)
    assert decision.rule == rule
