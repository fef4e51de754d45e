"""Twilio's verifications: called, called again, guessed at, taken back, approved, gone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.adapters.http.serving import NUMBER
from tests.unit.adapters.http.twilio.serving import (
    BANK,
    SHOP,
    Twilio,
    challenge_id,
    is_busy,
    rings,
    told,
    wrong,
)
from voicegate.domain.announcement import HumanCheck, Prompt, PromptName
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.policy import CallPolicy, GuessPolicy

PENDING = ("pending", False)


async def test_a_verification_calls_and_looks_as_twilios_do(twilio: Twilio) -> None:
    created = await twilio.create()
    (attempt,) = created["send_code_attempts"]
    account = created["account_sid"]
    assert created == {
        "sid": created["sid"],
        "service_sid": BANK,
        "account_sid": account,
        "to": NUMBER,
        "channel": "call",
        "status": "pending",
        "valid": False,
        "lookup": {},
        "amount": None,
        "payee": None,
        "send_code_attempts": [
            {"time": "2026-01-01T00:00:00Z", "channel": "call", "attempt_sid": attempt["attempt_sid"]}
        ],
        "sna": None,
        "date_created": "2026-01-01T00:00:00Z",
        "date_updated": "2026-01-01T00:00:00Z",
        "url": f"http://voicegate/v2/Services/{BANK}/Verifications/{created['sid']}",
    }
    for sid, prefix in ((created["sid"], "VE"), (attempt["attempt_sid"], "VL"), (account, "AC")):
        assert sid[:2] == prefix
        assert len(bytes.fromhex(sid[2:])) == 16
    record = await twilio.settled(created)
    assert record.challenge.expires_at - record.challenge.issued_at == timedelta(minutes=10)
    assert (await twilio.get(f"Verifications/{created['sid']}")).json()["status"] == "pending"


async def test_the_right_code_approves_and_then_it_is_gone(twilio: Twilio) -> None:
    created = await twilio.ended()
    response = await twilio.post("VerificationCheck", To=NUMBER, Code=twilio.code(created))
    assert response.status_code == 200
    checked = response.json()
    assert (checked["sid"], checked["status"], checked["valid"]) == (created["sid"], "approved", True)
    assert (checked["channel"], checked["to"], checked["sna_attempts_error_codes"]) == ("call", NUMBER, None)
    again = await twilio.post("VerificationCheck", To=NUMBER, Code=twilio.code(created))
    assert told(again) == (404, 20404)
    assert told(await twilio.get(f"Verifications/{created['sid']}")) == (404, 20404)


async def test_a_wrong_code_is_no_error_and_the_fifth_the_end(twilio: Twilio) -> None:
    created = await twilio.ended()
    guess = {"VerificationSid": created["sid"], "Code": wrong(twilio.code(created))}
    for turn in range(5):
        response = await twilio.post("VerificationCheck", **guess)
        assert response.status_code == 200
        status = "pending" if turn < 4 else "max_attempts_reached"
        assert (response.json()["status"], response.json()["valid"]) == (status, False)
    sixth = await twilio.post("VerificationCheck", **guess)
    assert told(sixth) == (429, 60202)
    assert sixth.headers["Retry-After"] == "600"
    fetched = (await twilio.get(f"Verifications/{created['sid']}")).json()
    assert fetched["status"] == "max_attempts_reached"
    another = await twilio.ask()
    assert told(another) == (429, 60202)
    assert another.headers["Retry-After"] == "600"
    twilio.bench.clock.time += timedelta(minutes=10)
    assert (await twilio.create())["sid"] != created["sid"]


async def test_guesses_are_budgeted_over_verifications(twilio: Twilio) -> None:
    rules = GuessPolicy(per_destination=8)
    twilio.bench.challenge_service.policy = replace(twilio.bench.challenge_service.policy, guesses=rules)
    first = await twilio.ended()
    for _ in range(4):
        await twilio.post("VerificationCheck", To=NUMBER, Code=wrong(twilio.code(first)))
    await twilio.post(f"Verifications/{first['sid']}", Status="canceled")
    twilio.bench.clock.time += timedelta(seconds=1)
    refused = await twilio.ask()
    assert told(refused) == (429, 60202)
    assert refused.headers["Retry-After"] == "3599"


async def test_a_pending_verification_is_called_again_with_the_same_code(twilio: Twilio) -> None:
    created = await twilio.ended()
    again = await twilio.ended()
    assert again["sid"] == created["sid"]
    assert len(again["send_code_attempts"]) == 2
    assert again["send_code_attempts"][0] == created["send_code_attempts"][0]
    first, second = (reading for _, reading in twilio.bench.speech.said)
    assert first == second


async def test_a_call_in_progress_is_not_doubled(twilio: Twilio) -> None:
    twilio.bench.pbx.plots = [rings]
    await twilio.create()
    response = await twilio.ask()
    assert told(response) == (429, 60212)
    assert response.headers["Retry-After"] == "30"


async def test_five_calls_are_all(twilio: Twilio) -> None:
    twilio.bench.pbx.plots = [is_busy]
    for _ in range(5):
        await twilio.ended()
    twilio.bench.clock.time += timedelta(minutes=1)
    response = await twilio.ask()
    assert told(response) == (429, 60203)
    assert response.headers["Retry-After"] == "540"


async def test_send_digits_are_sent_after_the_answer(twilio: Twilio) -> None:
    await twilio.ended(SendDigits="wW4321#*")
    assert "send wW4321#*" in twilio.bench.pbx.legs[0].done


async def test_each_extension_of_a_number_has_a_verification_of_its_own(twilio: Twilio) -> None:
    first = await twilio.ended(SendDigits="4321")
    second = await twilio.ended(SendDigits="4322")
    assert first["sid"] != second["sid"]
    assert (await twilio.ended(SendDigits="4321"))["sid"] == first["sid"]
    guess = {"VerificationSid": first["sid"], "Code": twilio.code(first)}
    assert (await twilio.post("VerificationCheck", **guess)).json()["valid"]


async def test_the_clients_own_code_is_spoken(twilio: Twilio) -> None:
    created = await twilio.ended(CustomCode="8674")
    assert (await twilio.ended(CustomCode="8674"))["sid"] == created["sid"]
    assert (await twilio.ended())["sid"] == created["sid"]
    assert (await twilio.post("VerificationCheck", To=NUMBER, Code="8674")).json()["valid"]


async def test_another_code_of_the_client_waits_until_the_first_is_over(twilio: Twilio) -> None:
    created = await twilio.ended(CustomCode="8674")
    refused = await twilio.ask(CustomCode="8675")
    assert told(refused) == (400, 60200)
    assert refused.json()["message"].startswith("Invalid parameter: CustomCode")
    await twilio.post(f"Verifications/{created['sid']}", Status="canceled")
    assert (await twilio.create(CustomCode="8675"))["sid"] != created["sid"]


async def test_cancelling_hangs_up(twilio: Twilio) -> None:
    twilio.bench.pbx.plots = [rings]
    created = await twilio.create()
    response = await twilio.post(f"Verifications/{created['sid']}", Status="canceled")
    assert response.status_code == 200
    assert (response.json()["status"], response.json()["valid"]) == ("canceled", False)
    record = await twilio.settled(created)
    assert record.challenge.state is ChallengeState.CANCELED
    assert record.calls[0].call.ended_at is not None
    assert told(await twilio.post("VerificationCheck", To=NUMBER, Code="123456")) == (404, 20404)
    assert told(await twilio.post(f"Verifications/{created['sid']}", Status="canceled")) == (404, 20404)
    assert (await twilio.get(f"Verifications/{created['sid']}")).json()["status"] == "canceled"


async def test_a_client_may_approve_what_it_checked_itself(twilio: Twilio) -> None:
    twilio.bench.pbx.plots = [rings]
    created = await twilio.create(CustomCode="8674")
    response = await twilio.post(f"Verifications/{created['sid']}", Status="approved")
    assert (response.json()["status"], response.json()["valid"]) == ("approved", True)
    record = await twilio.settled(created)
    assert record.challenge.state is ChallengeState.VERIFIED
    assert record.challenge.sealed is None
    (entry,) = [one for one in await twilio.bench.audit.entries(9) if one.action == "verification.approve"]
    assert entry.subject == challenge_id(created)


async def test_after_its_time_it_is_gone(twilio: Twilio) -> None:
    created = await twilio.ended()
    twilio.bench.clock.time += timedelta(minutes=10)
    code = twilio.code(created)
    assert told(await twilio.post("VerificationCheck", To=NUMBER, Code=code)) == (404, 20404)
    assert told(await twilio.get(f"Verifications/{created['sid']}")) == (404, 20404)
    assert told(await twilio.post(f"Verifications/{created['sid']}", Status="approved")) == (404, 20404)


async def test_each_service_has_its_own_verifications_and_ways(twilio: Twilio) -> None:
    bank = await twilio.ended()
    shop = Twilio(twilio.served, SHOP)
    created = await shop.ended()
    assert created["sid"] != bank["sid"]
    assert told(await shop.get(f"Verifications/{bank['sid']}")) == (404, 20404)
    record = await shop.settled(created)
    found = record.challenge
    assert (found.language, found.passcode_length, found.human_check) == ("de", 4, HumanCheck.NONE)
    assert (await shop.post("VerificationCheck", To=NUMBER, Code=shop.code(created, 4))).json()["valid"]
    invitations = [invitation for invitation, _ in twilio.bench.speech.said]
    assert [parts[0] for parts in invitations] == [
        Prompt(PromptName.THIS_IS, BANK),
        Prompt(PromptName.THIS_IS, SHOP),
    ]


async def test_a_locale_is_spoken_where_there_are_prompts_for_it(twilio: Twilio) -> None:
    for number, locale, language in (("1", "de-AT", "de"), ("2", "fi", "en"), ("3", "", "en")):
        created = await twilio.ended(To=f"+1202555010{number}", Locale=locale)
        assert (await twilio.settled(created)).challenge.language == language


async def test_an_undelivered_code_can_still_be_guessed(twilio: Twilio) -> None:
    twilio.bench.pbx.plots = [is_busy]
    created = await twilio.ended()
    fetched = (await twilio.get(f"Verifications/{created['sid']}")).json()
    assert (fetched["status"], fetched["valid"]) == PENDING
    assert (await twilio.post("VerificationCheck", To=NUMBER, Code=twilio.code(created))).json()["valid"]


@pytest.mark.parametrize("path", [NUMBER, "%2B12025550101", "+1 202 555 0101", "tel:+12025550101"])
async def test_the_number_may_stand_where_the_sid_does(twilio: Twilio, path: str) -> None:
    created = await twilio.ended()
    fetched = await twilio.get(f"Verifications/{path}")
    assert (fetched.status_code, fetched.json()["sid"]) == (200, created["sid"])
    canceled = await twilio.post(f"Verifications/{path}", Status="canceled")
    assert (canceled.json()["sid"], canceled.json()["status"]) == (created["sid"], "canceled")
    twilio.bench.clock.time += timedelta(seconds=1)
    again = await twilio.ended()
    approved = await twilio.post(f"Verifications/{path}/", Status="approved")
    assert (approved.json()["sid"], approved.json()["status"]) == (again["sid"], "approved")
    assert told(await twilio.get(f"Verifications/{path}")) == (404, 20404)


@pytest.mark.parametrize("path", ["+12025550199", "12025550101", "+1", "nonsense", "VE" + "0" * 31, "4021"])
async def test_a_number_without_a_verification_is_not_found(twilio: Twilio, path: str) -> None:
    await twilio.ended()
    assert told(await twilio.get(f"Verifications/{path}")) == (404, 20404)
    assert told(await twilio.post(f"Verifications/{path}", Status="canceled")) == (404, 20404)


async def test_another_services_verification_is_not_found_by_its_number(twilio: Twilio) -> None:
    await twilio.ended()
    assert told(await Twilio(twilio.served, SHOP).get(f"Verifications/{NUMBER}")) == (404, 20404)


@pytest.mark.parametrize(
    ("service", "form", "language"),
    [
        (BANK, {}, "en"),
        (BANK, {"To": "+4915123456789"}, "de"),
        (BANK, {"To": "+41791234567"}, "de"),
        (BANK, {"To": "+41791234567", "Locale": "en"}, "en"),
        (BANK, {"To": "+358401234567"}, "en"),
        (BANK, {"To": "+4915123456789", "Locale": "fi"}, "de"),
        (SHOP, {}, "de"),
        (SHOP, {"Locale": "en-GB"}, "en"),
    ],
)
async def test_without_a_locale_the_services_language_is_spoken_else_the_countrys(
    twilio: Twilio, service: str, form: dict[str, str], language: str
) -> None:
    twilio.bench.challenge_service.policy = CallPolicy(frozenset({"US", "DE", "CH", "FI"}))
    created = await Twilio(twilio.served, service).create(**form)
    record = await twilio.settled(created)
    assert record.challenge.language == language


async def test_slashes_behind_paths_are_borne(twilio: Twilio) -> None:
    response = await twilio.post("Verifications/", To=NUMBER, Channel="call")
    assert response.status_code == 201
    await twilio.settled(response.json())
    assert (await twilio.get(f"Verifications/{response.json()['sid']}/")).status_code == 200
    code = twilio.code(response.json())
    assert (await twilio.post("VerificationCheck/", To=NUMBER, Code=code)).json()["valid"]
    for path in ("Attempts", "Attempts/", "Attempts/Summary/"):
        assert (await twilio.served.http.get(f"/v2/{path}")).status_code == 200, path
