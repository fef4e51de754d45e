"""What is no proper request gets a clear answer, and the server still serves."""

import json
import string
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.adapters.http.serving import NUMBER, Served
from voicegate.adapters.http.native.admin_schemas import GivenKey
from voicegate.adapters.http.okta.schemas import PassCode, PhoneProfile
from voicegate.adapters.http.okta_hook import MessageProfile, TelephonyData
from voicegate.adapters.http.schemas import Guess, NewVerification
from voicegate.application.listing import AuditFilter, CallFilter, ServiceCallFilter
from voicegate.application.store_port import WrongGuess

JSON = {"Content-Type": "application/json"}


async def post(served: Served, body: bytes, **headers: str) -> httpx.Response:
    return await served.http.post("/v1/verifications", content=body, headers=JSON | headers)


def problem(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["Content-Type"] == "application/problem+json"
    return dict(response.json())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"destination": "\xff"}', 400),
        (b'{"destination": "\\ud800"}', 400),
        (b'\xef\xbb\xbf{"destination": "+12025550101"}', 400),
        (b'{"destination": NaN}', 400),
        (b"[" * 60_000, 422),
        (b'{"destination":' * 4_000, 422),
        (b"[]", 422),
        (b"null", 422),
        (b'"+12025550101"', 422),
    ],
)
async def test_a_body_that_is_no_request_is_refused(served: Served, body: bytes, status: int) -> None:
    response = await post(served, body)
    assert response.status_code == status
    assert problem(response)["detail"]
    assert (await served.http.get("/healthz")).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("destination", 12025550101),
        ("destination", "12025550101"),
        ("destination", "+1 202 555"),
        ("destination", "+15550100"),
        ("destination", "+12025550101\r\nAction: Originate"),
        ("destination", "+12025550101\n"),
        ("destination", "101\n"),
        ("destination", "+1202555\0101"),
        ("destination", "+" + "1" * 5000),
        ("destination", "+¹²٠٢٥٥٥٠١٠١"),
        ("extension", "p"),
        ("extension", "20\r\n4"),
        ("extension", "1" * 33),
        ("extension", 204),
        ("language", "klingon"),
        ("language", "../../etc"),
        ("language", "en\r\n"),
        ("language", ""),
        ("passcode", "12"),
        ("passcode", "12\n34x"),
        ("passcode", "①②③④"),
        ("passcode", 123456),
        ("human_check", "maybe"),
        ("lifetime_s", 0),
        ("lifetime_s", 86401),
        ("lifetime_s", 1.5),
        ("lifetime_s", "60"),
        ("lifetime_s", 10**400),
        ("reference", "a\nb"),
        ("reference", "a\0b"),
        ("reference", "a" * 201),
        ("reference", {}),
    ],
)
async def test_a_wrong_value_is_refused_by_its_name(served: Served, field: str, value: object) -> None:
    body = {"destination": NUMBER} | {field: value}
    response = await served.http.post("/v1/verifications", json=body)
    assert response.status_code == 422, response.text
    refused = problem(response)
    assert refused["field"] == field
    assert refused["detail"].startswith(f"{field}: ")
    assert not served.bench.pbx.legs


async def test_a_wrong_value_is_never_repeated(served: Served) -> None:
    response = await served.http.post(
        "/v1/verifications", json={"destination": "+12025550", "passcode": "99x9", "human_check": "9zz9"}
    )
    assert not [secret for secret in ("12025550", "99x9", "9zz9") if secret in response.text]


def test_what_holds_a_code_a_key_or_a_number_does_not_show_it() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for held in (
        Guess(passcode="918273"),
        NewVerification(destination=NUMBER, passcode="918273"),
        PassCode(pass_code="918273"),
        PhoneProfile(phone_number=NUMBER),
        TelephonyData(MessageProfile(phone_number=NUMBER, otp_code=918273)),
        GivenKey(name="web", scopes=[], key="918273"),
        WrongGuess(at, "web", NUMBER),
        ServiceCallFilter(number=NUMBER, prefix=NUMBER),
        CallFilter(number=NUMBER),
        AuditFilter(number_digests=[b"918273"]),
    ):
        assert "918273" not in repr(held)
        assert NUMBER not in repr(held)


async def test_the_values_to_choose_from_are_named(served: Served) -> None:
    response = await served.http.post(
        "/v1/verifications", json={"destination": NUMBER, "human_check": "maybe"}
    )
    assert problem(response)["detail"] == "human_check: must be one of random_key, any_key, none"


@pytest.mark.parametrize(
    ("method", "path", "detail"),
    [
        ("GET", "/v1/verifications/nobody", "there is no verification 'nobody'"),
        ("POST", "/v1/verifications/nobody/calls", "there is no verification 'nobody'"),
        ("GET", "/v1/calls/nobody", "there is no call 'nobody'"),
        ("GET", "/v1/calls/a%1B%5B2J", "there is no call 'a\\x1b[2J'"),
        ("GET", "/v1/calls/" + "a" * 500, f"there is no call '{'a' * 80}'"),
    ],
)
async def test_an_unknown_id_is_named(served: Served, method: str, path: str, detail: str) -> None:
    response = await served.http.request(method, path)
    assert (response.status_code, problem(response)["detail"]) == (404, detail)


async def test_an_unknown_field_is_refused_with_the_one_that_was_meant(served: Served) -> None:
    response = await served.http.post("/v1/verifications", json={"destination": NUMBER, "pascode": "1234"})
    assert response.status_code == 422
    assert problem(response)["detail"] == "pascode: unknown field; did you mean passcode?"
    assert problem(response)["field"] == "pascode"


async def test_a_missing_field_is_named(served: Served) -> None:
    response = await served.http.post("/v1/verifications", json={})
    assert (response.status_code, problem(response)["field"]) == (422, "destination")


async def test_null_is_as_good_as_absent(served: Served) -> None:
    created = await served.create(extension=None, language=None, passcode=None, lifetime_s=None)
    assert created["status"] == "delivering"


async def test_a_language_is_found_by_its_first_part(served: Served) -> None:
    created = await served.create(language="en-GB")
    assert (await served.settled(created["id"]))["language"] == "en"


async def test_a_reference_comes_back_as_it_came(served: Served) -> None:
    created = await served.create(reference="Bestellung 7 – für Zoë")
    assert (await served.settled(created["id"]))["reference"] == "Bestellung 7 – für Zoë"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
async def test_only_json_in_utf_8_is_read(served: Served, kind: str) -> None:
    response = await served.http.post(
        "/v1/verifications", content=b'{"destination": "+12025550101"}', headers={"Content-Type": kind}
    )
    assert (response.status_code, problem(response)["status"]) == (415, 415)


@pytest.mark.parametrize("charset", ["UTF-8", "utf8", "UTF8", '"utf-8"'])
async def test_utf_8_is_known_by_each_of_its_names(served: Served, charset: str) -> None:
    response = await served.http.post(
        "/v1/verifications",
        content=b'{"destination": "+12025550101"}',
        headers={"Content-Type": f"application/json; charset={charset}"},
    )
    assert response.status_code == 202


async def test_a_packed_body_is_not_unpacked(served: Served) -> None:
    response = await post(served, b"\x1f\x8b\x08", **{"Content-Encoding": "gzip"})
    assert response.status_code == 415


async def test_a_megabyte_is_refused_and_the_next_request_is_served(served: Served) -> None:
    response = await post(served, b'{"destination": "' + b"1" * 1_000_000 + b'"}')
    assert (response.status_code, problem(response)["title"]) == (413, "The request's body is too large.")
    assert (await served.create())["status"] == "delivering"


@pytest.mark.parametrize("key", ["", "a b", "a" * 256, "ä"])
async def test_an_idempotency_key_must_be_one(served: Served, key: str) -> None:
    response = await served.http.post(
        "/v1/verifications", json={"destination": NUMBER}, headers=[(b"Idempotency-Key", key.encode())]
    )
    assert (response.status_code, problem(response)["field"]) == (400, "Idempotency-Key")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("wait_s=61", "wait_s"),
        ("wait_s=-1", "wait_s"),
        ("wait_s=nan", "wait_s"),
        ("wait_s=soon", "wait_s"),
        ("since=-1", "since"),
        ("since=" + "9" * 400, "since"),
        ("since=%FF", "since"),
        ("wait_s=1&wait_s=2", "wait_s"),
        ("wait=1", "wait"),
    ],
)
async def test_a_wrong_query_parameter_is_refused_by_its_name(served: Served, query: str, field: str) -> None:
    response = await served.http.get(f"/v1/verifications/nobody?{query}")
    assert (response.status_code, problem(response)["field"]) == (422, field)


async def test_a_page_of_calls_begins_at_a_moment_with_its_time_zone(served: Served) -> None:
    response = await served.http.get("/v1/calls", params={"before": "2026-01-01T00:00:00"})
    assert (response.status_code, problem(response)["field"]) == (422, "before")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/verification/",
        "/v1/verifications//",
        "/v2/calls",
        "/v1/calls/%00",
        "/v1/calls/%ff",
        "/v1/calls/a%2Fb",
    ],
)
async def test_an_unknown_path_is_a_problem_too(served: Served, path: str) -> None:
    assert problem(await served.http.get(path))["status"] == 404


async def test_a_method_that_a_path_lacks_is_answered_with_those_it_has(served: Served) -> None:
    response = await served.http.put("/v1/verifications/nobody")
    assert (response.status_code, response.headers["Allow"]) == (405, "DELETE, GET, HEAD")
    assert problem(response)["type"] == "urn:voicegate:problem:method_not_allowed"


async def test_what_can_be_got_can_be_asked_for_its_head(served: Served) -> None:
    response = await served.http.head("/healthz")
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize(("given_id", "is_kept"), [("order-1.a_B", True), ("a" * 65, False), ("a b", False)])
async def test_a_sane_request_id_is_echoed_and_another_replaced(
    served: Served, given_id: str, is_kept: bool
) -> None:
    response = await served.http.get("/v1/calls/nobody", headers={"X-Request-Id": given_id})
    assert (response.headers["X-Request-Id"] == given_id) is is_kept
    assert problem(response)["instance"].endswith(response.headers["X-Request-Id"])


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([NUMBER, "101", "en"])
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(), SCALARS, max_size=3)
FIELDS = st.sampled_from(
    ["destination", "extension", "language", "passcode", "human_check", "lifetime_s", "reference", "other"]
)
BODIES = (
    st.dictionaries(FIELDS, VALUES).map(lambda body: json.dumps(body).encode())
    | st.binary(max_size=200)
    | st.text(alphabet=string.printable, max_size=200).map(str.encode)
)


@given(body=BODIES, path=st.sampled_from(["/v1/verifications", "/v1/verifications/nobody/check"]))
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_no_body_breaks_the_server(served: Served, body: bytes, path: str) -> None:
    response = await served.http.post(path, content=body, headers=JSON)
    assert response.status_code < 500, response.text
    assert response.status_code == 202 or problem(response)["status"] == response.status_code


@given(
    query=st.dictionaries(st.sampled_from(["wait_s", "since", "limit", "before", "x"]), st.text(max_size=20))
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_query_breaks_the_server(served: Served, query: dict[str, str]) -> None:
    for path in ("/v1/verifications/nobody", "/v1/calls"):
        response = await served.http.get(path, params=query)
        assert response.status_code in (200, 404, 422), response.text
