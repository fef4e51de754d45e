"""Factors at the native door, from the enrollment to the reset, in its own words."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.unit.adapters.http.serving import NUMBER, Served
from voicegate.domain.client import Scope

ENROLL = {"subscriber": "alice", "destination": "+1 (202) 555-0101"}


async def guess(served: Served, path: str, verification_id: str, *, right: bool = True) -> dict[str, Any]:
    code = served.bench.code(verification_id)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    response = await served.http.post(path, json={"passcode": code if right else wrong})
    assert response.status_code == 200, response.text
    return dict(response.json())


def problem(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].removeprefix("urn:voicegate:problem:")


async def test_a_telephone_is_enrolled_activated_challenged_and_verified(served: Served) -> None:
    enrolled = await served.http.post("/v1/factors", json=ENROLL)
    factor = enrolled.json()
    path = f"/v1/factors/{factor['id']}"
    assert (enrolled.status_code, enrolled.headers["Location"]) == (201, path)
    assert (factor["status"], factor["subscriber"]) == ("pending_activation", "alice")
    assert (factor["destination"], factor["extension"]) == (NUMBER, None)
    assert factor["verification"]["purpose"] == "activation"
    await served.bench.settled(factor["verification"]["id"])
    activated = await guess(served, f"{path}/activate", factor["verification"]["id"])
    assert (activated["status"], activated["reason"]) == ("verified", None)
    assert activated["factor"]["status"] == "active"
    served.bench.clock.time += timedelta(seconds=1)
    challenged = await served.http.post(f"{path}/challenges")
    verification = challenged.json()
    where = f"/v1/verifications/{verification['id']}"
    assert (challenged.status_code, challenged.headers["Location"]) == (202, where)
    await served.bench.settled(verification["id"])
    assert (await served.http.get(where, params={"wait_s": 1, "since": 0})).json()["status"] == "delivered"
    verified = await guess(served, f"{path}/verify", verification["id"])
    assert (verified["status"], verified["factor"]["verification"]["status"]) == ("verified", "verified")


async def test_a_wrong_guess_is_denied_with_what_is_left(served: Served) -> None:
    factor = await served.factor()
    path = f"/v1/factors/{factor['id']}/activate"
    answer = await guess(served, path, factor["verification"]["id"], right=False)
    assert (answer["status"], answer["reason"], answer["attempts_left"]) == ("denied", "wrong_passcode", 4)
    assert answer["factor"]["status"] == "pending_activation"


async def test_a_code_that_was_taken_back_is_told_as_canceled(served: Served) -> None:
    factor = await served.factor(is_active=True)
    challenge = await served.challenge(factor["id"])
    await served.http.delete(f"/v1/verifications/{challenge['id']}")
    answer = await guess(served, f"/v1/factors/{factor['id']}/verify", challenge["id"])
    assert (answer["status"], answer["reason"], answer["attempts_left"]) == ("denied", "canceled", 0)


async def test_where_no_code_is_out_that_is_the_answer(served: Served) -> None:
    factor = await served.factor(is_active=True)
    response = await served.http.post(f"/v1/factors/{factor['id']}/verify", json={"passcode": "493817"})
    assert problem(response) == (409, "no_challenge")


@pytest.mark.parametrize("what", ["activate", "verify"])
async def test_what_is_no_code_costs_no_guess(served: Served, what: str) -> None:
    factor = await served.factor()
    response = await served.http.post(f"/v1/factors/{factor['id']}/{what}", json={"passcode": "abc"})
    assert (problem(response), response.json()["field"]) == ((422, "invalid"), "passcode")
    shown = (await served.http.get(f"/v1/factors/{factor['id']}")).json()
    assert shown["verification"]["attempts_left"] == 5


async def test_an_activation_is_called_again_with_the_same_code(served: Served) -> None:
    factor = await served.factor()
    response = await served.http.post(f"/v1/factors/{factor['id']}/calls")
    assert (response.status_code, response.json()["id"]) == (202, factor["verification"]["id"])
    assert len(response.json()["calls"]) == 2


async def test_a_proven_telephone_is_active_and_not_called(served: Served) -> None:
    response = await served.http.post("/v1/factors", json=ENROLL | {"is_activated": True})
    factor = response.json()
    assert (factor["status"], factor["verification"], factor["call"]) == ("active", None, None)
    assert served.bench.pbx.legs == []


async def test_another_telephone_replaces_the_present_one_only_where_that_is_asked(served: Served) -> None:
    first = await served.factor(is_active=True)
    other = {"subscriber": "alice", "destination": "+12025550102", "extension": "w204"}
    assert problem(await served.http.post("/v1/factors", json=other)) == (409, "already_enrolled")
    second = (await served.http.post("/v1/factors", json=other | {"replace": True})).json()
    assert (second["destination"], second["extension"]) == ("+12025550102", "w204")
    assert (await served.http.get(f"/v1/factors/{first['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"destination": "+1202"}, "destination"),
        ({"extension": "!"}, "extension"),
        ({"language": "xx"}, "language"),
        ({"subscriber": "a\x00b"}, "subscriber"),
        ({"subscriber": ""}, "subscriber"),
        ({"lifetime_s": 0}, "lifetime_s"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_is_wrong_with_an_enrollment_is_named(
    served: Served, body: dict[str, object], field: str
) -> None:
    response = await served.http.post("/v1/factors", json=ENROLL | body)
    assert (problem(response), response.json()["field"]) == ((422, "invalid"), field)


async def test_a_repeated_enrollment_with_its_key_calls_nobody_again(served: Served) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await served.http.post("/v1/factors", json=ENROLL, headers=headers)
    await served.bench.settled(first.json()["verification"]["id"])
    again = await served.http.post("/v1/factors", json=ENROLL, headers=headers)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.json()["id"] == first.json()["id"]
    assert len(served.bench.pbx.legs) == 1
    other = await served.http.post("/v1/factors", json=ENROLL | {"subscriber": "bob"}, headers=headers)
    assert problem(other) == (409, "idempotency_key_reused")


async def test_a_repeated_challenge_with_its_key_is_the_first_one(served: Served) -> None:
    factor = await served.factor(is_active=True)
    path, headers = f"/v1/factors/{factor['id']}", {"Idempotency-Key": "two"}
    first = await served.http.post(f"{path}/challenges", headers=headers)
    await served.bench.settled(first.json()["id"])
    calls = len(served.bench.pbx.legs)
    await guess(served, f"{path}/verify", first.json()["id"])
    again = await served.http.post(f"{path}/challenges", headers=headers)
    assert (again.json()["id"], again.headers["Idempotent-Replayed"]) == (first.json()["id"], "true")
    assert again.json()["status"] == "verified"
    assert len(served.bench.pbx.legs) == calls
    # The same word for something else: nothing of it is done.
    response = await served.http.post("/v1/factors", json=ENROLL, headers=headers)
    assert problem(response) == (409, "idempotency_key_reused")


async def test_pages_have_every_factor_once_by_client_and_subscriber(served: Served) -> None:
    key = await served.key(Scope.FACTORS)
    for name in ("carol", "alice", "bob"):
        body = {"subscriber": name, "destination": NUMBER, "is_activated": True}
        assert (await served.http.post("/v1/factors", json=body)).status_code == 201
    own = await served.remote.post("/v1/factors", json=ENROLL, headers=key)
    await served.bench.settled(own.json()["verification"]["id"])
    seen: list[tuple[str, str]] = []
    cursor: str | None = None
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await served.http.get("/v1/factors", params=params)).json()
        seen += [(one["client"], one["subscriber"]) for one in page["factors"]]
        cursor = page["next"]
        if cursor is None:
            break
    admin = next(client for client, _ in seen if client != "backend")
    assert sorted(seen) == seen
    assert set(seen) == {("backend", "alice"), (admin, "alice"), (admin, "bob"), (admin, "carol")}
    listed = (await served.remote.get("/v1/factors", headers=key)).json()
    assert [one["id"] for one in listed["factors"]] == [own.json()["id"]]
    alices = (await served.http.get("/v1/factors", params={"subscriber": "alice"})).json()["factors"]
    assert {one["client"] for one in alices} == {"backend", admin}
    foreign = seen[0] if seen[0][0] != "backend" else seen[-1]
    page = await served.remote.get("/v1/factors", params={"client": foreign[0]}, headers=key)
    assert page.json() == {"factors": [], "next": None}
    assert problem(await served.http.get("/v1/factors", params={"cursor": "fac_x"})) == (422, "invalid")


async def test_a_reset_ends_a_factor_and_its_code(served: Served) -> None:
    factor = await served.factor()
    path = f"/v1/factors/{factor['id']}"
    assert (await served.http.delete(path)).json() == {"reset": [factor["id"]]}
    assert (await served.http.delete(path)).status_code == 404
    code = await served.http.get(f"/v1/verifications/{factor['verification']['id']}")
    assert code.json()["status"] == "canceled"


async def test_a_repeated_enrollment_tells_of_a_factor_that_is_over(served: Served) -> None:
    headers = {"Idempotency-Key": "one"}
    factor = (await served.http.post("/v1/factors", json=ENROLL, headers=headers)).json()
    await served.http.delete(f"/v1/factors/{factor['id']}")
    again = await served.http.post("/v1/factors", json=ENROLL, headers=headers)
    assert (again.json()["id"], again.json()["status"]) == (factor["id"], "reset")


async def test_all_telephones_of_a_subscriber_end_at_once(served: Served) -> None:
    factor = await served.factor()
    reset = await served.http.delete("/v1/factors", params={"subscriber": "alice"})
    assert reset.json() == {"reset": [factor["id"]]}
    again = await served.http.delete("/v1/factors", params={"subscriber": "alice"})
    assert (again.status_code, again.json()) == (200, {"reset": []})
    assert problem(await served.http.delete("/v1/factors")) == (422, "invalid")


@pytest.mark.parametrize(
    ("method", "under", "body"),
    [
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/activate", {"passcode": "493817"}),
        ("POST", "/verify", {"passcode": "493817"}),
        ("POST", "/calls", {}),
        ("POST", "/challenges", {}),
    ],
)
async def test_another_subscribers_factor_is_not_found(
    served: Served, method: str, under: str, body: dict[str, str] | None
) -> None:
    factor = await served.factor()
    named: dict[str, Any] = {"params": {"subscriber": "mallory"}}
    if body is not None:
        named = {"json": body | {"subscriber": "mallory"}}
    response = await served.http.request(method, f"/v1/factors/{factor['id']}{under}", **named)
    assert problem(response) == (404, "not_found")


async def test_another_clients_factor_is_not_found(served: Served) -> None:
    factor = await served.factor()
    key = await served.key(Scope.FACTORS)
    response = await served.remote.get(f"/v1/factors/{factor['id']}", headers=key)
    assert problem(response) == (404, "not_found")


async def test_who_may_challenge_factors_may_watch_their_verifications(served: Served) -> None:
    key = await served.key(Scope.FACTORS)
    enrolled = (await served.remote.post("/v1/factors", json=ENROLL, headers=key)).json()
    await served.bench.settled(enrolled["verification"]["id"])
    path = f"/v1/verifications/{enrolled['verification']['id']}"
    shown = await served.remote.get(path, headers=key)
    assert (shown.status_code, shown.json()["status"]) == (200, "delivered")
    await served.remote.delete(f"/v1/factors/{enrolled['id']}", headers=key)
    events = await served.remote.get(f"{path}/events", headers=key)
    assert (events.status_code, "event: status" in events.text) == (200, True)
    # Its calls and guesses go through the factor.
    assert problem(await served.remote.post(f"{path}/calls", headers=key)) == (403, "scope_missing")


async def test_a_code_counts_as_long_as_it_is_wanted(served: Served) -> None:
    factor = await served.factor(is_active=True)
    path = f"/v1/factors/{factor['id']}"
    body = {"lifetime_s": 60}
    challenge = (await served.http.post(f"{path}/challenges", json=body)).json()
    await served.bench.settled(challenge["id"])
    served.bench.clock.time += timedelta(seconds=60)
    answer = await guess(served, f"{path}/verify", challenge["id"])
    assert (answer["status"], answer["reason"]) == ("denied", "expired")
