"""The lists of numbers at the native door, and what each door says of a number that is on one."""

from datetime import timedelta

import pytest

from tests.unit.adapters.http.serving import NUMBER, Served
from voicegate.adapters.http import policy_errors
from voicegate.adapters.http.okta import errors as okta
from voicegate.adapters.http.problems import Refused
from voicegate.adapters.http.twilio import errors as twilio
from voicegate.domain.client import Scope
from voicegate.domain.policy import Deny, DenyReason

BLOCK = {"list": "blocked", "number": "+1 (202) 555-0101", "reason": "complaint 7"}


async def test_a_number_is_blocked_found_whole_shown_masked_and_unblocked(served: Served) -> None:
    added = await served.http.post("/v1/numbers", json=BLOCK)
    assert (added.status_code, added.json()["number"]) == (201, "+1••••••••01")
    refused = await served.http.post("/v1/verifications", json={"destination": NUMBER})
    assert (refused.status_code, refused.json()["title"]) == (403, "This number is blocked.")
    (found,) = (await served.http.get("/v1/numbers", params={"number": NUMBER})).json()["numbers"]
    assert (found["list"], found["reason"], found["expires_at"]) == ("blocked", "complaint 7", None)
    other = await served.http.get("/v1/numbers", params={"number": "+12025550102"})
    assert other.json()["numbers"] == []
    query = {"list": "blocked", "number": NUMBER, "reason": "settled"}
    assert (await served.http.delete("/v1/numbers", params=query)).status_code == 200
    assert (await served.http.delete("/v1/numbers", params=query)).status_code == 404
    await served.create()


@pytest.mark.parametrize(
    "wrong",
    [
        {"list": "trusted"},
        {"list": "reported"},
        {"number": "+12"},
        {"reason": ""},
        {"reason": "a\nb"},
    ],
)
async def test_what_is_incomplete_is_not_listed(served: Served, wrong: dict[str, str]) -> None:
    response = await served.http.post("/v1/numbers", json=BLOCK | wrong)
    assert response.status_code == 422, response.text
    assert (await served.http.get("/v1/numbers")).json()["numbers"] == []


async def test_only_an_admin_may(served: Served) -> None:
    headers = await served.key(Scope.VERIFICATIONS, Scope.FACTORS)
    for method in ("GET", "POST", "DELETE"):
        response = await served.remote.request(method, "/v1/numbers", headers=headers, json=BLOCK)
        assert response.status_code == 403


@pytest.mark.parametrize("reason", [DenyReason.NUMBER_BLOCKED, DenyReason.DO_NOT_CALL, DenyReason.TOO_SOON])
@pytest.mark.parametrize("door", [policy_errors.refusal, okta.refusal, twilio.refusal])
def test_every_door_names_whom_to_ask(door: object, reason: DenyReason) -> None:
    for wait in (None, timedelta(seconds=5)):
        refused = door(Deny(reason, wait, contact="the help desk"))  # type: ignore[operator]
        assert isinstance(refused, Refused)
        assert "the help desk" in refused.detail


async def test_twilios_clients_read_whom_to_ask() -> None:
    refused = twilio.refusal(Deny(DenyReason.DO_NOT_CALL, contact="the help desk"))
    response = twilio.error_response(refused, "req_1")
    assert b"blocked. Help: the help desk" in response.body  # type: ignore[operator]
