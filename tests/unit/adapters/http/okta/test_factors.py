"""The life of a call factor as Okta's clients see it."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.unit.adapters.http.okta.serving import NUMBER, PHONE, Okta, serving
from tests.unit.application.conftest import Bench
from tests.unit.application.scripted import ScriptedLeg
from voicegate.domain.call import Rang
from voicegate.domain.call_outcome import Hangup

BASE = "http://voicegate/api/v1/users/alice"


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


async def is_busy(leg: ScriptedLeg) -> None:
    leg.tell(Hangup(cause=17, sip_status=486))


async def test_enrolling_calls_and_waits_for_the_code(okta: Okta) -> None:
    response = await okta.post("/factors", json=PHONE)
    factor = response.json()
    assert response.status_code == 200
    assert factor["status"] == "PENDING_ACTIVATION"
    assert (factor["factorType"], factor["provider"], factor["vendorName"]) == ("call", "OKTA", "OKTA")
    assert factor["profile"] == {"phoneNumber": NUMBER, "phoneExtension": None}
    await okta.bench.settled(factor["_embedded"]["verification"]["id"])
    assert len(okta.bench.pbx.legs) == 1


async def test_a_pending_factor_links_to_what_can_be_done_with_it(okta: Okta) -> None:
    factor = await okta.enroll()
    path = f"{BASE}/factors/{factor['id']}"
    links = factor["_links"]
    assert links["self"] == {"href": path, "hints": {"allow": ["GET", "DELETE"]}}
    assert links["activate"] == {"href": f"{path}/lifecycle/activate", "hints": {"allow": ["POST"]}}
    assert links["resend"] == [{"href": f"{path}/resend", "hints": {"allow": ["POST"]}, "name": "call"}]
    assert links["user"]["href"] == BASE


async def test_links_do_not_follow_what_a_client_says_it_asks(bench: Bench, tmp_path: Path) -> None:
    async with serving(bench, tmp_path) as okta:
        response = await okta.http.get(
            "/api/v1/users/alice/factors/catalog", headers={"Host": "evil.example"}
        )
        assert response.status_code == 200
        assert "evil" not in response.text


async def test_links_begin_with_the_public_url_where_there_is_one(bench: Bench, tmp_path: Path) -> None:
    async with serving(bench, tmp_path, public_url="https://voice.example/") as okta:
        factor = await okta.enroll()
    assert factor["_links"]["user"]["href"] == "https://voice.example/api/v1/users/alice"


async def test_a_users_name_is_quoted_in_links(okta: Okta) -> None:
    response = await okta.http.post("/api/v1/users/a%2Fb%20c/factors", json=PHONE)
    assert response.json()["_links"]["user"]["href"] == "http://voicegate/api/v1/users/a%2Fb%20c"


@pytest.mark.parametrize("written", ["+1-202-555-0101", "+1 (202) 555-0101", "+1.202.555.0101"])
async def test_a_formatted_number_is_taken_as_e_164(okta: Okta, written: str) -> None:
    assert (await okta.enroll(phoneNumber=written))["profile"]["phoneNumber"] == NUMBER


async def test_the_extension_is_dialed_and_shown(okta: Okta) -> None:
    factor = await okta.enroll(phoneExtension="4321")
    assert factor["profile"]["phoneExtension"] == "4321"
    assert "send 4321" in okta.bench.pbx.legs[0].done


@pytest.mark.parametrize("given", ["", None])
async def test_an_empty_extension_is_none(okta: Okta, given: str | None) -> None:
    assert (await okta.enroll(phoneExtension=given))["profile"]["phoneExtension"] is None


async def test_a_trailing_slash_is_borne_as_okta_s_2_x_sdk_sends_it(okta: Okta) -> None:
    response = await okta.post("/factors/", params={"tokenLifetimeSeconds": 600}, json=PHONE)
    assert response.status_code == 200
    assert (await okta.get("/factors/")).json()[0]["id"] == response.json()["id"]


async def test_the_code_counts_as_long_as_the_client_wants(okta: Okta) -> None:
    response = await okta.post("/factors", params={"tokenLifetimeSeconds": "600"}, json=PHONE)
    verification = response.json()["_embedded"]["verification"]
    assert verification["expiresAt"] == "2026-01-01T00:10:00Z"


async def test_the_code_activates_the_factor(okta: Okta) -> None:
    factor = await okta.enroll()
    response = await okta.guess(factor, "lifecycle/activate")
    active = response.json()
    assert (response.status_code, active["status"], active["id"]) == (200, "ACTIVE", factor["id"])
    assert sorted(active["_links"]) == ["self", "user", "verify"]


async def test_a_telephone_proven_elsewhere_is_active_at_once_and_not_called(okta: Okta) -> None:
    response = await okta.post("/factors", params={"activate": "true"}, json=PHONE)
    assert response.json()["status"] == "ACTIVE"
    assert set(response.json()["_embedded"]) == {"phone"}
    assert "X-Rate-Limit-Reset" not in response.headers
    assert okta.bench.pbx.legs == []


async def test_an_answer_tells_what_became_of_the_call(okta: Okta) -> None:
    okta.bench.pbx.plots = [is_busy]
    factor = await okta.enroll()
    shown = (await okta.get(f"/factors/{factor['id']}")).json()["_embedded"]
    assert shown["verification"]["status"] == "undeliverable"
    call = shown["call"]
    assert (call["state"], call["outcome"], call["blame"]) == ("ended", "busy", "callee")
    assert (call["evidence"], call["retrySafe"]) == ("none", True)
    assert call["callerId"] == "+12025550100"
    assert NUMBER not in call["destination"]


async def test_a_call_in_progress_has_no_outcome_yet(okta: Okta) -> None:
    okta.bench.pbx.plots = [rings]
    call = (await okta.post("/factors", json=PHONE)).json()["_embedded"]["call"]
    assert (call["outcome"], call["endedAt"]) == (None, None)


async def test_how_many_enrollments_share_a_number_is_shown(okta: Okta) -> None:
    await okta.enroll()
    okta.turn(seconds=30)
    response = await okta.http.post("/api/v1/users/bob/factors", json=PHONE)
    assert response.json()["_embedded"]["phone"] == {"enrollments": 2}


async def test_resending_calls_again_with_the_same_code(okta: Okta) -> None:
    factor = await okta.enroll()
    okta.turn(seconds=30)
    response = await okta.post(f"/factors/{factor['id']}/resend", json=PHONE)
    again = response.json()
    assert response.status_code == 200
    assert again["_embedded"]["verification"]["id"] == factor["_embedded"]["verification"]["id"]
    assert again["_embedded"]["call"]["id"] != factor["_embedded"]["call"]["id"]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"factorType": "call"}'])
async def test_resending_needs_no_more_than_the_path(okta: Okta, body: bytes) -> None:
    factor = await okta.enroll()
    okta.turn(seconds=30)
    headers = {"Content-Type": "application/json"}
    response = await okta.post(f"/factors/{factor['id']}/resend", content=body, headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"", {"Content-Type": "application/json"}),
        (b"{}", {"Content-Type": "application/json"}),
        (b'{"passCode": ""}', {"Content-Type": "application/json"}),
        (b'{"passCode": null}', {"Content-Type": "application/json"}),
    ],
)
async def test_verifying_without_a_code_challenges(okta: Okta, body: bytes, headers: dict[str, str]) -> None:
    factor_id = await okta.active(phoneExtension="4321")
    response = await okta.post(f"/factors/{factor_id}/verify", content=body, headers=headers)
    answer = response.json()
    assert (response.status_code, answer["factorResult"]) == (200, "CHALLENGE")
    assert answer["profile"] == {"phoneNumber": NUMBER, "phoneExtension": "4321"}
    assert answer["expiresAt"] == "2026-01-01T00:05:30Z"
    path = f"{BASE}/factors/{factor_id}"
    assert {name: link["href"] for name, link in answer["_links"].items()} == {
        "verify": f"{path}/verify",
        "poll": f"{path}/transactions/{answer['_embedded']['verification']['id']}",
        "factor": path,
    }


async def test_a_challenge_counts_as_long_as_the_client_wants(okta: Okta) -> None:
    factor_id = await okta.active()
    response = await okta.post(f"/factors/{factor_id}/verify/", params={"tokenLifetimeSeconds": 60})
    assert response.json()["expiresAt"] == "2026-01-01T00:01:30Z"


async def test_the_challenges_code_signs_in(okta: Okta) -> None:
    challenge = await okta.challenge(await okta.active())
    response = await okta.guess(challenge, "verify")
    assert (response.status_code, response.json()) == (200, {"factorResult": "SUCCESS"})


async def transaction(okta: Okta, challenge: dict[str, Any]) -> dict[str, Any]:
    path = challenge["_links"]["poll"]["href"].removeprefix("http://voicegate")
    return dict((await okta.http.get(path)).json())


async def test_polling_tells_where_a_challenge_stands(okta: Okta) -> None:
    challenge = await okta.challenge(await okta.active())
    seen = await transaction(okta, challenge)
    assert seen["factorResult"] == "CHALLENGE"
    assert seen["_embedded"]["call"]["outcome"] == "delivered"
    await okta.guess(challenge, "verify")
    assert (await transaction(okta, challenge))["factorResult"] == "SUCCESS"


async def test_polling_tells_that_a_challenge_is_locked_or_over(okta: Okta) -> None:
    challenge = await okta.challenge(await okta.active())
    for _ in range(5):
        await okta.guess(challenge, "verify", okta.wrong(challenge))
    assert (await transaction(okta, challenge))["factorResult"] == "FAILED"
    okta.turn(seconds=600)
    later = await okta.challenge(challenge["id"])
    okta.turn(seconds=300)
    assert (await transaction(okta, later))["factorResult"] == "EXPIRED"
    assert (await okta.get(f"/factors/{challenge['id']}/transactions/nothing")).status_code == 404


async def test_factors_are_listed_and_shown(okta: Okta) -> None:
    assert (await okta.get("/factors")).json() == []
    factor = await okta.enroll()
    listed = (await okta.get("/factors")).json()
    assert [entry["id"] for entry in listed] == [factor["id"]]
    assert (await okta.get(f"/factors/{factor['id']}")).json() == listed[0]


async def test_the_catalog_says_what_can_be_enrolled(okta: Okta) -> None:
    (kind,) = (await okta.get("/factors/catalog")).json()
    assert (kind["factorType"], kind["status"], kind["enrollment"]) == ("call", "NOT_SETUP", "OPTIONAL")
    assert kind["_links"]["enroll"]["href"] == f"{BASE}/factors"
    await okta.active()
    assert (await okta.get("/factors/catalog")).json()[0]["status"] == "ACTIVE"


@pytest.mark.parametrize("query", ["", "?removeRecoveryEnrollment=true"])
async def test_an_unenrolled_factor_is_gone_and_its_call_hung_up(okta: Okta, query: str) -> None:
    okta.bench.pbx.plots = [rings]
    factor = (await okta.post("/factors", json=PHONE)).json()
    path = f"/api/v1/users/alice/factors/{factor['id']}"
    response = await okta.http.delete(f"{path}{query}")
    assert (response.status_code, response.content) == (204, b"")
    assert (await okta.http.get(path)).status_code == 404
    record = await okta.bench.settled(factor["_embedded"]["verification"]["id"])
    assert record.challenge.state == "canceled"


async def test_reset_ends_all_of_a_users_factors_and_enrollment_starts_again(okta: Okta) -> None:
    factor_id = await okta.active()
    response = await okta.post("/lifecycle/reset_factors")
    assert (response.status_code, response.json()) == (200, {})
    assert (await okta.get("/factors")).json() == []
    again = await okta.enroll()
    assert again["id"] != factor_id
    assert again["status"] == "PENDING_ACTIVATION"


async def test_another_telephone_is_another_factor(okta: Okta) -> None:
    factor_id = await okta.active()
    other = PHONE | {"profile": {"phoneNumber": "+12025550102"}}
    assert (await okta.post("/factors", json=other)).status_code == 400
    response = await okta.post("/factors", params={"updatePhone": "True"}, json=other)
    assert response.status_code == 200
    assert response.json()["status"] == "PENDING_ACTIVATION"
    assert (await okta.get(f"/factors/{factor_id}")).status_code == 404


async def test_the_languages_a_person_likes_are_tried_in_order(okta: Okta) -> None:
    headers = {"Accept-Language": "fr-CH, de;q=0.8, en;q=0.9;x=1, *;q=0.5"}
    factor = (await okta.post("/factors", json=PHONE, headers=headers)).json()
    record = await okta.bench.settled(factor["_embedded"]["verification"]["id"])
    assert record.challenge.language == "en"


async def test_with_the_switch_the_3_x_sdk_understands_the_answers(bench: Bench, tmp_path: Path) -> None:
    async with serving(bench, tmp_path, sdk3_compat=True) as okta:
        factor = await okta.enroll()
        assert factor["_links"]["resend"]["name"] == "call"
        await okta.guess(factor, "lifecycle/activate")
        okta.turn(seconds=30)
        challenge = await okta.challenge(factor["id"])
        assert "profile" not in challenge
        assert challenge["factorResult"] == "CHALLENGE"


@pytest.mark.parametrize(
    "profile",
    [
        {"phoneNumber": NUMBER},
        {"phoneNumber": "+1 202 555 0101", "phoneExtension": None},
        {"phoneNumber": NUMBER, "phoneExtension": ""},
        {"phoneNumber": f"{NUMBER};ext=204"},
        {"phoneNumber": NUMBER, "phoneExtension": "2-04"},
    ],
)
async def test_a_resend_that_is_silent_about_the_extension_means_the_same_telephone(
    okta: Okta, profile: dict[str, Any]
) -> None:
    factor = await okta.enroll(phoneExtension="204")
    okta.turn(seconds=30)
    response = await okta.post(f"/factors/{factor['id']}/resend", json={"profile": profile})
    assert response.status_code == 200, response.text
    await okta.bench.settled(factor["_embedded"]["verification"]["id"])
    assert "send 204" in okta.bench.pbx.legs[-1].done


@pytest.mark.parametrize(
    "profile",
    [{"phoneNumber": "+12025550102"}, {"phoneNumber": NUMBER, "phoneExtension": "205"}, {"phoneNumber": "1"}],
)
async def test_a_resend_to_another_telephone_is_refused(okta: Okta, profile: dict[str, Any]) -> None:
    factor = await okta.enroll(phoneExtension="204")
    okta.turn(seconds=30)
    response = await okta.post(f"/factors/{factor['id']}/resend", json={"profile": profile})
    assert response.status_code == 400
    plain = await okta.http.post("/api/v1/users/bob/factors", json=PHONE)
    await okta.bench.settled(plain.json()["_embedded"]["verification"]["id"])
    okta.turn(seconds=30)
    path = f"/api/v1/users/bob/factors/{plain.json()['id']}/resend"
    more = await okta.http.post(path, json={"profile": {"phoneNumber": NUMBER, "phoneExtension": "204"}})
    assert more.status_code == 400


@pytest.mark.parametrize("user", [".", "..", "...", "a.b", "\u00fc", "a/b", "%", "%FF"])
async def test_a_users_links_lead_back_to_the_user(okta: Okta, user: str) -> None:
    raw = quote(user, safe="").replace(".", "%2E")
    enrolled = await okta.http.post(f"/api/v1/users/{raw}/factors", json=PHONE)
    assert enrolled.status_code == 200, enrolled.text
    await okta.bench.settled(enrolled.json()["_embedded"]["verification"]["id"])
    link = enrolled.json()["_links"]["self"]["href"]
    followed = await okta.http.get(link)
    assert (followed.status_code, followed.json()["id"]) == (200, enrolled.json()["id"])


@pytest.mark.parametrize("raw", ["%FF", "%C3", "a%80b", "%ED%A0%80", "%00", "%0A"])
async def test_a_user_of_bytes_that_are_no_text_is_refused(okta: Okta, raw: str) -> None:
    named = await okta.http.post("/api/v1/users/%25FF/factors", json=PHONE)
    assert named.status_code == 200
    for response in (
        await okta.http.get(f"/api/v1/users/{raw}/factors"),
        await okta.http.post(f"/api/v1/users/{raw}/factors", json=PHONE),
        await okta.http.get(f"/api/v1/users/{raw}/factors/{named.json()['id']}"),
    ):
        assert (response.status_code, response.json()["errorCode"]) == (404, "E0000007")
