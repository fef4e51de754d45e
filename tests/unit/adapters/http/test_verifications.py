"""The native door's verifications: created, looked at, checked, called again, taken back."""

import asyncio
from typing import Any

import pytest

from tests.unit.adapters.http.serving import NUMBER, Served
from tests.unit.application.scripted import ScriptedLeg
from voicegate.domain.call import Answered, Progressed, Rang
from voicegate.domain.call_outcome import Hangup


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


async def busy(leg: ScriptedLeg) -> None:
    leg.tell(Hangup(17, 486))


def labels(call: dict[str, Any]) -> list[str]:
    shown: list[str] = []
    for step in call["timeline"]:
        label = f"{step['state']} {step['reading']}" if step["event"] == "reading_started" else step["state"]
        if step["event"] == "reading_started" or step["state"] not in (shown[-1].split()[0] if shown else ""):
            shown.append(label)
    return shown


async def test_a_verification_is_accepted_before_its_telephone_rings(served: Served) -> None:
    response = await served.http.post("/v1/verifications", json={"destination": NUMBER})
    body = response.json()
    assert response.status_code == 202
    assert response.headers["Location"] == f"/v1/verifications/{body['id']}"
    assert body["status"] == "delivering"
    assert body["call"]["state"] == "queued"
    assert body["expires_at"] == "2026-01-01T00:05:00Z"


async def test_the_timeline_tells_every_step_from_the_queue_to_the_end(served: Served) -> None:
    created = await served.create(extension="204")
    seen = await served.settled(created["id"])
    assert seen["status"] == "delivered"
    assert labels(seen["call"]) == [
        "queued",
        "originating",
        "ringing",
        "answered",
        "sending_extension",
        "awaiting_human",
        "announcing 1",
        "announcing 2",
        "ended",
    ]
    assert [step["seq"] for step in seen["call"]["timeline"]] == list(range(len(seen["call"]["timeline"])))


async def test_a_call_shows_its_outcome_its_evidence_and_its_way(served: Served) -> None:
    created = await served.create(extension="204")
    call = (await served.settled(created["id"]))["call"]
    assert call["evidence"] == {
        "strongest": "announced",
        "answered": True,
        "media": True,
        "extension_sent": True,
        "human": True,
        "announced": 2,
    }
    assert (call["outcome"], call["blame"], call["retry_safe"]) == ("delivered", "nobody", True)
    assert (call["trunk"], call["caller_id"]) == ("carrier", "+12025550100")
    assert (call["hangup_cause"], call["sip_status"], call["gave_up"]) == (16, None, "finished")
    ended = call["timeline"][-1]
    assert (ended["outcome"], ended["hangup_cause"], ended["gave_up"]) == ("delivered", 16, "finished")


async def test_a_busy_telephone_is_the_callees_affair(served: Served) -> None:
    served.bench.pbx.plots = [busy]
    seen = await served.settled((await served.create())["id"])
    assert seen["status"] == "undeliverable"
    assert (seen["call"]["outcome"], seen["call"]["blame"], seen["call"]["sip_status"]) == (
        "busy",
        "callee",
        486,
    )


async def test_neither_the_code_nor_the_whole_number_is_ever_shown(served: Served) -> None:
    response = await served.http.post(
        "/v1/verifications", json={"destination": NUMBER, "passcode": "918273", "extension": "7733"}
    )
    verification_id = response.json()["id"]
    await served.settled(verification_id)
    paths = (
        "/v1/calls",
        f"/v1/verifications/{verification_id}",
        f"/v1/calls/{response.json()['call']['id']}",
    )
    shown = response.text + "".join([(await served.http.get(path)).text for path in paths])
    assert "+1••••••••01" in shown
    assert not [secret for secret in ("918273", NUMBER, NUMBER[1:], "7733") if secret in shown]


async def test_a_long_poll_is_answered_by_the_next_change(served: Served) -> None:
    served.bench.pbx.plots = [rings]
    verification_id = (await served.create())["id"]
    path = f"/v1/verifications/{verification_id}"
    while (seen := (await served.http.get(path)).json())["call"]["state"] != "ringing":
        await served.http.get(path, params={"wait_s": 5, "since": seen["revision"]})
    waiting = asyncio.create_task(served.http.get(path, params={"wait_s": 60, "since": seen["revision"]}))
    served.bench.pbx.legs[0].tell(Progressed())
    news = (await waiting).json()
    assert news["revision"] > seen["revision"]
    assert news["call"]["timeline"][-1]["event"] == "progressed"


async def test_a_long_poll_for_what_is_known_already_is_answered_at_once(served: Served) -> None:
    served.bench.pbx.plots = [rings]
    verification_id = (await served.create())["id"]
    response = await served.http.get(
        f"/v1/verifications/{verification_id}", params={"wait_s": 60, "since": 0}
    )
    assert response.json()["revision"] > 0


async def test_the_right_code_is_verified_and_then_used_up(served: Served) -> None:
    verification_id = (await served.create())["id"]
    guess = {"passcode": served.bench.code(verification_id)}
    first, second = [
        (await served.http.post(f"/v1/verifications/{verification_id}/check", json=guess)).json()
        for _ in range(2)
    ]
    assert first == {"status": "verified", "attempts_left": 5, "reason": None, "retry_after_s": None}
    assert second == {"status": "denied", "attempts_left": 0, "reason": "already_used", "retry_after_s": None}


async def test_wrong_codes_count_down_to_the_lock(served: Served) -> None:
    verification_id = (await served.create(passcode="4711"))["id"]
    answers = [
        (
            await served.http.post(f"/v1/verifications/{verification_id}/check", json={"passcode": guess})
        ).json()
        for guess in ["1111"] * 5 + ["4711"]
    ]
    assert [answer["attempts_left"] for answer in answers] == [4, 3, 2, 1, 0, 0]
    assert {answer["status"] for answer in answers} == {"denied"}
    assert [answer["reason"] for answer in answers] == ["wrong_passcode"] * 4 + ["locked"] * 2


@pytest.mark.parametrize("guess", ["", "123", "12345678901", "12a4", "①②③④"])
async def test_a_guess_of_a_wrong_shape_costs_no_attempt(served: Served, guess: str) -> None:
    verification_id = (await served.create())["id"]
    path = f"/v1/verifications/{verification_id}"
    response = await served.http.post(f"{path}/check", json={"passcode": guess})
    assert response.status_code == 422
    assert response.json()["field"] == "passcode"
    assert guess == "" or guess not in response.text
    assert (await served.http.get(path)).json()["attempts_left"] == 5


async def test_an_expired_verification_denies_and_says_why(served: Served) -> None:
    verification_id = (await served.create())["id"]
    guess = {"passcode": served.bench.code(verification_id)}
    served.bench.clock.time = served.bench.clock.time.replace(year=2027)
    response = await served.http.post(f"/v1/verifications/{verification_id}/check", json=guess)
    assert response.json() == {
        "status": "denied",
        "attempts_left": 0,
        "reason": "expired",
        "retry_after_s": None,
    }
    assert (await served.http.get(f"/v1/verifications/{verification_id}")).json()["status"] == "expired"


async def test_a_second_call_says_the_same_code(served: Served) -> None:
    created = await served.create()
    await served.settled(created["id"])
    response = await served.http.post(f"/v1/verifications/{created['id']}/calls")
    call = response.json()["call"]
    assert response.status_code == 202
    assert response.headers["Location"] == f"/v1/calls/{call['id']}"
    seen = await served.settled(created["id"])
    assert [entry["id"] for entry in seen["calls"]] == [created["call"]["id"], call["id"]]
    assert seen["call"]["id"] == call["id"]
    first, second = served.bench.speech.said
    assert [part.value for part in first[1] if hasattr(part, "value")] == [
        part.value for part in second[1] if hasattr(part, "value")
    ]


async def test_taking_a_verification_back_hangs_up_its_call(served: Served) -> None:
    served.bench.pbx.plots = [rings]
    verification_id = (await served.create())["id"]
    response = await served.http.delete(f"/v1/verifications/{verification_id}")
    assert (response.status_code, response.json()["status"]) == (200, "canceled")
    seen = await served.settled(verification_id)
    assert (seen["call"]["state"], seen["call"]["outcome"]) == ("ended", "canceled")
    again = await served.http.delete(f"/v1/verifications/{verification_id}")
    assert again.json()["status"] == "canceled"


async def test_a_repeated_request_with_its_key_calls_nobody_again(served: Served) -> None:
    async def ask() -> Any:
        return await served.http.post(
            "/v1/verifications",
            content=b'{"passcode": "4711", "destination": "%s"}' % NUMBER.encode(),
            headers={"Idempotency-Key": "order-1", "Content-Type": "application/json"},
        )

    first, second = await ask(), await ask()
    assert (first.status_code, second.status_code) == (202, 202)
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Location"] == first.headers["Location"]
    assert second.json()["call"]["id"] == first.json()["call"]["id"]
    await served.settled(first.json()["id"])
    assert len(served.bench.pbx.legs) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"destination": "+12025550102", "passcode": "4711"},
        {"destination": NUMBER, "passcode": "4712"},
        {"destination": NUMBER},
        {"destination": NUMBER, "passcode": "4711", "language": "de"},
    ],
)
async def test_a_key_that_comes_back_with_another_request_is_refused(
    served: Served, other: dict[str, str]
) -> None:
    headers = {"Idempotency-Key": "order-1"}
    body = {"destination": NUMBER, "passcode": "4711"}
    assert (await served.http.post("/v1/verifications", json=body, headers=headers)).status_code == 202
    response = await served.http.post("/v1/verifications", json=other, headers=headers)
    assert response.status_code == 409
    assert response.json()["type"] == "urn:voicegate:problem:idempotency_key_reused"


async def test_calls_are_listed_newest_first_a_page_at_a_time(served: Served) -> None:
    ids: list[str] = []
    for second in range(3):
        served.bench.clock.time = served.bench.clock.time.replace(second=second)
        created = await served.create()
        ids.insert(0, created["call"]["id"])
        await served.bench.settled(created["id"])
    first = (await served.http.get("/v1/calls", params={"limit": 2})).json()
    second_page = await served.http.get("/v1/calls", params={"limit": 2, "cursor": first["next"]})
    assert [call["id"] for call in first["calls"]] == ids[:2]
    assert [call["id"] for call in second_page.json()["calls"]] == ids[2:]
    assert second_page.json()["next"] is None


async def test_a_call_is_shown_with_its_timeline(served: Served) -> None:
    created = await served.create()
    seen = await served.settled(created["id"])
    response = await served.http.get(f"/v1/calls/{created['call']['id']}")
    assert response.json() == seen["call"]


async def test_trunks_are_shown_as_their_pbx_sees_them(served: Served) -> None:
    carrier = {
        "name": "carrier",
        "pbx": "main",
        "endpoint": "carrier",
        "set_aside_until": None,
        "drained": None,
    }
    up = (await served.http.get("/v1/trunks")).json()["trunks"]
    (shown,) = up
    assert shown.pop("figures")["calls"] == 0
    assert shown == carrier | {"state": "available", "pbx_connected": True}


async def test_a_late_ringing_after_answer_is_shown_where_it_came(served: Served) -> None:
    async def late(leg: ScriptedLeg) -> None:
        leg.tell(Answered(), Rang())

    served.bench.pbx.plots = [late]
    seen = await served.settled((await served.create())["id"])
    events = [step["event"] for step in seen["call"]["timeline"]]
    assert events.index("answered") < events.index("rang")
