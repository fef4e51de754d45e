"""Each door has an answer for every reason of a refusal, and one for a reason that its table lacks."""

from collections.abc import Callable, MutableMapping
from datetime import timedelta
from typing import Any, cast

import pytest

from voicegate.adapters.http import okta_hook, policy_errors
from voicegate.adapters.http.okta import errors as okta
from voicegate.adapters.http.problems import Refused
from voicegate.adapters.http.twilio import errors as twilio
from voicegate.adapters.web import refusals
from voicegate.domain.policy import Deny, DenyReason

DOORS = {
    "native": (policy_errors.ERROR_OF_REASON, policy_errors.refusal),
    "okta": (okta.ERROR_OF_REASON, okta.refusal),
    "twilio": (twilio.ERROR_OF_REASON, twilio.refusal),
}


@pytest.mark.parametrize("door", DOORS)
def test_every_reason_of_a_refusal_has_its_answer(door: str) -> None:
    table, refusal = DOORS[door]
    assert set(table) == set(DenyReason)
    for reason in DenyReason:
        assert 400 <= cast(Callable[[Deny], Refused], refusal)(Deny(reason)).kind.status < 600


@pytest.mark.parametrize("door", DOORS)
def test_a_reason_that_a_table_lacks_is_refused_and_no_fault_of_the_server(
    door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, refusal = DOORS[door]
    monkeypatch.delitem(cast(MutableMapping[Any, Any], table), DenyReason.TOO_SOON)
    refused = cast(Callable[[Deny], Refused], refusal)(Deny(DenyReason.TOO_SOON))
    assert refused.kind.status == 403
    # Twilio's clients know no words but Twilio's.
    assert door == "twilio" or "too_soon" in refused.detail


NUMBERS = frozenset({DenyReason.INVALID_NUMBER, DenyReason.PLUS_MISSING, DenyReason.NO_ROUTE})
"""What is wrong with the number itself, which no wait mends."""


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("reason", sorted(set(DenyReason) - NUMBERS))
def test_when_asking_again_may_help_is_told_at_every_door(door: str, reason: DenyReason) -> None:
    deny = Deny(reason, timedelta(seconds=90))
    refused = cast(Callable[[Deny], Refused], DOORS[door][1])(deny)
    assert refused.facts.retry_after_s == 90
    assert refusals.query_of(deny).endswith("&wait=90")


@pytest.mark.parametrize("reason", DenyReason)
def test_a_hook_that_is_refused_has_failed_at_once_with_the_reason(
    reason: DenyReason, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[tuple[str, str]] = []
    handlers = object.__new__(okta_hook._Handlers)
    monkeypatch.setattr(
        handlers, "_answer", lambda _, status, *, reason: answers.append((status, reason)), raising=False
    )
    handlers._tell(cast(Any, None), Deny(reason, timedelta(seconds=90)))
    assert answers == [("FAILED", str(reason))]
