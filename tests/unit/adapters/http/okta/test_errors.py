"""What goes wrong is told in Okta's error objects and codes, with a cause that people can be shown."""

import time
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.unit.adapters.http.okta.serving import NUMBER, PHONE, Okta
from tests.unit.application.conftest import ADMIN
from tests.unit.application.scripted import ScriptedLeg
from voicegate.adapters.http import problems
from voicegate.adapters.http.okta.errors import denial, error_response, refusal
from voicegate.adapters.http.problems import Refused
from voicegate.application.clients import NewKey
from voicegate.domain.call import Rang
from voicegate.domain.challenge import GuessResult, VerifyResult
from voicegate.domain.client import Scope
from voicegate.domain.errors import StoreError
from voicegate.domain.policy import Deny, DenyReason, GuessPolicy

FIELDS = {"errorCode", "errorSummary", "errorLink", "errorId", "errorCauses"}


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


def error(response: httpx.Response) -> tuple[int, str, str]:
    """Status, code and cause of an error, once its shape is as Okta has it."""
    body = response.json()
    assert set(body) == FIELDS
    assert body["errorLink"] == body["errorCode"]
    assert body["errorId"] == response.headers["X-Okta-Request-Id"] == response.headers["X-Request-Id"]
    (cause,) = body["errorCauses"]
    return response.status_code, body["errorCode"], cause["errorSummary"]


def told(response: httpx.Response) -> tuple[int, str]:
    return error(response)[:2]


def seconds_to_reset(response: httpx.Response) -> float:
    assert (response.headers["X-Rate-Limit-Limit"], response.headers["X-Rate-Limit-Remaining"]) == ("1", "0")
    return float(response.headers["X-Rate-Limit-Reset"]) - time.time()


def phone(number: str, extension: str | None = None, **more: object) -> dict[str, Any]:
    return PHONE | {"profile": {"phoneNumber": number, "phoneExtension": extension} | more}


@pytest.mark.parametrize(
    "number", ["", "nonsense", "+1202555010", "+999123456789", "sip:+12025550101", "1" * 40]
)
async def test_a_number_that_is_none_is_e0000098(okta: Okta, number: str) -> None:
    assert told(await okta.post("/factors", json=phone(number))) == (400, "E0000098")


@pytest.mark.parametrize("number", ["+19005550123", "+18005550123"])
@pytest.mark.parametrize("validate", [True, False])
async def test_premium_and_toll_free_numbers_never_whatever_the_client_says(
    okta: Okta, number: str, validate: bool
) -> None:
    response = await okta.post("/factors", json=phone(number, validatePhone=validate))
    assert told(response) in {(400, "E0000098"), (403, "E0000099")}
    assert okta.bench.pbx.legs == []


async def test_a_country_that_is_not_allowed_is_e0000099(okta: Okta) -> None:
    assert told(await okta.post("/factors", json=phone("+442079460101"))) == (403, "E0000099")


async def test_an_extension_of_the_pbx_that_no_route_leads_to_is_e0000098(okta: Okta) -> None:
    status, code, cause = error(await okta.post("/factors", json=phone("4711")))
    assert (status, code) == (400, "E0000098")
    assert "route" in cause


@pytest.mark.parametrize("extension", ["12x4", "1" * 16, "1/2", "1;2"])
async def test_a_bad_extension_is_e0000121(okta: Okta, extension: str) -> None:
    assert told(await okta.post("/factors", json=phone(NUMBER, extension))) == (400, "E0000121")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"factorType": "sms", "provider": "OKTA", "profile": {"phoneNumber": NUMBER}}, "factorType"),
        ({"factorType": "call", "provider": "DUO", "profile": {"phoneNumber": NUMBER}}, "factorType"),
        ({"factorType": "call", "provider": "OKTA"}, "profile"),
        ({"factorType": "call", "provider": "OKTA", "profile": {}}, "phoneNumber"),
        ({"factorType": 7, "profile": {"phoneNumber": NUMBER}}, "factorType"),
    ],
)
async def test_what_is_no_call_factor_is_e0000001(okta: Okta, body: dict[str, Any], field: str) -> None:
    status, code, cause = error(await okta.post("/factors", json=body))
    assert (status, code) == (400, "E0000001")
    assert field in cause


@pytest.mark.parametrize(
    "query", ["tokenLifetimeSeconds=0", "tokenLifetimeSeconds=86401", "updatePhone=maybe"]
)
async def test_a_wrong_query_is_e0000001(okta: Okta, query: str) -> None:
    assert told(await okta.post(f"/factors?{query}", json=PHONE)) == (400, "E0000001")


async def test_a_factor_is_not_activated_without_its_code(okta: Okta) -> None:
    factor = await okta.enroll()
    path = f"/factors/{factor['id']}/lifecycle/activate"
    assert told(await okta.post(path)) == (400, "E0000001")
    assert told(await okta.post(path, json={"passCode": ""})) == (400, "E0000001")


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"{", {"Content-Type": "application/json"}, "E0000003"),
        (b"\xff", {"Content-Type": "application/json"}, "E0000003"),
        (b"", {"Content-Type": "application/json"}, "E0000003"),
        (b"passCode=1", {"Content-Type": "application/x-www-form-urlencoded"}, "E0000021"),
        (b"[" * 70000, {"Content-Type": "application/json"}, "E0000003"),
    ],
)
async def test_a_body_that_cannot_be_read_is_a_bad_request(
    okta: Okta, body: bytes, headers: dict[str, str], code: str
) -> None:
    assert told(await okta.post("/factors", content=body, headers=headers)) == (400, code)


async def test_a_wrong_code_is_e0000068_and_the_cause_says_what_is_left(okta: Okta) -> None:
    factor = await okta.enroll()
    status, code, cause = error(await okta.guess(factor, "lifecycle/activate", okta.wrong(factor)))
    assert (status, code) == (403, "E0000068")
    assert "4" in cause


@pytest.mark.parametrize("guess", ["123", "12345678901", "12a456", "①②③④⑤⑥"])
async def test_a_guess_of_a_wrong_shape_is_e0000068_and_costs_none(okta: Okta, guess: str) -> None:
    factor = await okta.enroll()
    assert told(await okta.guess(factor, "lifecycle/activate", guess)) == (403, "E0000068")
    shown = (await okta.get(f"/factors/{factor['id']}")).json()
    assert shown["_embedded"]["verification"]["attemptsLeft"] == 5


async def test_a_code_that_was_used_is_e0000082(okta: Okta) -> None:
    challenge = await okta.challenge(await okta.active())
    await okta.guess(challenge, "verify")
    assert told(await okta.guess(challenge, "verify")) == (403, "E0000082")


async def test_a_code_whose_time_is_over_is_e0000083(okta: Okta) -> None:
    challenge = await okta.challenge(await okta.active())
    okta.turn(seconds=300)
    assert told(await okta.guess(challenge, "verify")) == (403, "E0000083")


async def test_the_fifth_wrong_code_locks_and_the_next_call_says_another(okta: Okta) -> None:
    factor = await okta.enroll()
    wrong = okta.wrong(factor)
    answers = [told(await okta.guess(factor, "lifecycle/activate", wrong)) for _ in range(5)]
    assert answers == [(403, "E0000068")] * 4 + [(403, "E0000069")]
    okta.turn(seconds=30)
    resent = await okta.post(f"/factors/{factor['id']}/resend")
    assert resent.status_code == 200
    assert (await okta.guess(resent.json(), "lifecycle/activate")).status_code == 200


async def test_where_too_many_guesses_are_out_no_code_is_said_and_the_answer_says_until_when(
    okta: Okta,
) -> None:
    rules = GuessPolicy(per_destination=5)
    okta.bench.challenge_service.policy = replace(okta.bench.challenge_service.policy, guesses=rules)
    factor = await okta.enroll()
    for _ in range(5):
        await okta.guess(factor, "lifecycle/activate", okta.wrong(factor))
    okta.turn(seconds=30)
    resent = await okta.post(f"/factors/{factor['id']}/resend")
    assert told(resent) == (429, "E0000047")
    assert 3565 < seconds_to_reset(resent) <= 3571


async def test_a_second_call_within_30_s_is_e0000133_and_says_when_to_come_back(okta: Okta) -> None:
    factor = await okta.enroll()
    okta.turn(seconds=10)
    response = await okta.post(f"/factors/{factor['id']}/resend")
    assert told(response) == (429, "E0000133")
    assert "30 seconds" in response.json()["errorSummary"]
    assert 18 < seconds_to_reset(response) <= 21
    assert response.headers["Retry-After"] == "20"


async def test_an_answer_that_called_says_when_the_next_call_is_due(okta: Okta) -> None:
    response = await okta.post("/factors", json=PHONE)
    due = okta.bench.clock.time.timestamp() + 30
    assert float(response.headers["X-Rate-Limit-Reset"]) == due


async def test_a_call_in_progress_is_e0000133_and_says_when_to_come_back(okta: Okta) -> None:
    okta.bench.pbx.plots = [rings]
    factor = (await okta.post("/factors", json=PHONE)).json()
    okta.turn(seconds=31)
    response = await okta.post(f"/factors/{factor['id']}/resend")
    assert told(response) == (429, "E0000133")
    assert response.headers["Retry-After"] == "30"
    assert 28 < seconds_to_reset(response) <= 31


async def test_a_factor_in_another_state_is_e0000107(okta: Okta) -> None:
    factor = await okta.enroll()
    assert told(await okta.post(f"/factors/{factor['id']}/verify")) == (403, "E0000107")
    await okta.guess(factor, "lifecycle/activate")
    okta.turn(seconds=30)
    assert told(await okta.post(f"/factors/{factor['id']}/resend")) == (403, "E0000107")


async def test_a_guess_at_no_code_is_e0000068(okta: Okta) -> None:
    factor_id = await okta.active()
    response = await okta.post(f"/factors/{factor_id}/verify", json={"passCode": "123456"})
    assert told(response) == (403, "E0000068")


async def test_a_second_telephone_is_e0000001(okta: Okta) -> None:
    await okta.active()
    assert told(await okta.post("/factors", json=phone("+12025550102"))) == (400, "E0000001")


async def test_resending_never_changes_the_telephone(okta: Okta) -> None:
    factor = await okta.enroll()
    okta.turn(seconds=30)
    response = await okta.post(f"/factors/{factor['id']}/resend", json=phone("+12025550102"))
    assert told(response) == (400, "E0000001")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_factor_of_nobody_or_of_somebody_else_is_e0000007(okta: Okta, method: str) -> None:
    factor = await okta.enroll()
    for path in ("alice/factors/fac_nobody", f"bob/factors/{factor['id']}"):
        response = await okta.http.request(method, f"/api/v1/users/{path}")
        assert told(response) == (404, "E0000007")


@pytest.mark.parametrize("name", ["a%00b", "a%0Ab", "%7F", "%C2%9B31m", "x" * 256])
async def test_a_user_whose_name_is_none_is_e0000007(okta: Okta, name: str) -> None:
    assert told(await okta.http.get(f"/api/v1/users/{name}/factors")) == (404, "E0000007")


async def test_a_path_that_is_not_there_is_e0000008(okta: Okta) -> None:
    assert told(await okta.http.get("/api/v1/groups")) == (404, "E0000008")


async def test_a_method_that_is_not_there_is_e0000022(okta: Okta) -> None:
    response = await okta.http.put("/api/v1/users/alice/factors")
    assert told(response) == (405, "E0000022")
    assert response.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("header", ["SSWS {key}", "SSWS{key}", "ssws {key}"])
async def test_a_key_is_taken_with_and_without_the_blank(okta: Okta, header: str) -> None:
    made = await okta.bench.clients.add(ADMIN, "backend", frozenset({Scope.FACTORS}))
    assert isinstance(made, NewKey)
    response = await okta.http.get(
        "/api/v1/users/alice/factors", headers={"Authorization": header.format(key=made.key)}
    )
    assert response.status_code == 200


async def test_a_wrong_key_is_e0000011(okta: Okta) -> None:
    response = await okta.http.get("/api/v1/users/a/factors", headers={"Authorization": "SSWS 00nonsense"})
    assert told(response) == (401, "E0000011")
    assert response.headers["WWW-Authenticate"] == "SSWS"


async def test_a_client_that_may_not_have_factors_is_e0000006(okta: Okta) -> None:
    made = await okta.bench.clients.add(ADMIN, "plain", frozenset({Scope.VERIFICATIONS}))
    assert isinstance(made, NewKey)
    response = await okta.http.get("/api/v1/users/a/factors", headers={"Authorization": f"SSWS {made.key}"})
    assert told(response) == (403, "E0000006")


async def test_only_an_admin_vouches_for_a_telephone(okta: Okta) -> None:
    made = await okta.bench.clients.add(ADMIN, "backend", frozenset({Scope.FACTORS}))
    assert isinstance(made, NewKey)
    headers = {"Authorization": f"SSWS {made.key}"}
    assert told(await okta.post("/factors?activate=true", json=PHONE, headers=headers)) == (403, "E0000006")


async def test_another_client_sees_nothing_of_a_factor(okta: Okta) -> None:
    factor = await okta.enroll()
    made = await okta.bench.clients.add(ADMIN, "other", frozenset({Scope.FACTORS}))
    assert isinstance(made, NewKey)
    headers = {"Authorization": f"SSWS {made.key}"}
    response = await okta.http.get(f"/api/v1/users/alice/factors/{factor['id']}", headers=headers)
    assert told(response) == (404, "E0000007")


async def test_a_database_that_is_away_is_a_503_that_clients_may_repeat(
    okta: Okta, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise StoreError

    monkeypatch.setattr(okta.bench.store, "factors", broken)
    response = await okta.get("/factors")
    assert told(response) == (503, "E0000181")
    assert 0 < seconds_to_reset(response) <= 2


def test_every_refusal_of_the_core_has_an_error_of_its_own_status() -> None:
    for reason in DenyReason:
        assert refusal(Deny(reason)).kind.status in {400, 403, 409, 429, 503}, reason
    for result in set(GuessResult) - {GuessResult.VERIFIED}:
        assert denial(VerifyResult(result, 0)).kind.status in {403, 429}, result


def test_only_what_may_be_repeated_is_a_429_where_calls_are_used_up() -> None:
    assert refusal(Deny(DenyReason.TOO_MANY_CALLS)).kind.status == 403


def test_every_problem_of_ours_has_an_error() -> None:
    kinds = [kind for kind in vars(problems).values() if isinstance(kind, problems.Kind)]
    of_the_native_door = {"not_ready", "idempotency_key_reused", "client_exists", "pages_off"}
    for kind in kinds:
        if kind.name in of_the_native_door or kind.name in set(DenyReason):
            continue
        assert error_response(Refused(kind), "req_1").status in {400, 401, 403, 404, 405, 500, 503}, kind
