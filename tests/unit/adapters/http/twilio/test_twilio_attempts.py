"""Twilio's attempts: what became of each call, and how many codes were entered."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.adapters.http.serving import NUMBER
from tests.unit.adapters.http.twilio.serving import BANK, SHOP, Twilio, is_busy, rings, told
from tests.unit.application.conftest import ADMIN
from tests.unit.application.scripted import answers
from voicegate.adapters.http.twilio.views import call_status
from voicegate.application.ports import CallRecord
from voicegate.domain.call import Call, CallState
from voicegate.domain.call_outcome import Blame, CallOutcome, Hangup, Outcome
from voicegate.domain.phone_number import Destination

CANADIAN = "+16135550101"


async def test_a_call_is_shown_with_what_really_happened(twilio: Twilio) -> None:
    created = await twilio.ended()
    await twilio.post("VerificationCheck", To=NUMBER, Code=twilio.code(created))
    sid = created["send_code_attempts"][0]["attempt_sid"]
    (listed,) = (await twilio.list())["attempts"]
    assert listed == {
        "sid": sid,
        "account_sid": created["account_sid"],
        "service_sid": BANK,
        "verification_sid": created["sid"],
        "date_created": "2026-01-01T00:00:00Z",
        "date_updated": "2026-01-01T00:00:00Z",
        "conversion_status": "converted",
        "channel": "call",
        "price": {},
        "channel_data": {
            "verification_sid": created["sid"],
            "to": "+1••••••••01",
            "status": "converted",
            "call_status": "completed",
            "country": "US",
            "code_length": 6,
            "locale": "en",
            "outcome": "delivered",
            "evidence": "announced",
        },
        "url": f"http://voicegate/v2/Attempts/{sid}",
    }
    assert (await twilio.served.http.get(f"/v2/Attempts/{sid}")).json() == listed


async def test_a_call_in_progress_has_no_outcome_yet(twilio: Twilio) -> None:
    twilio.bench.pbx.plots = [rings]
    created = await twilio.create()
    record = await twilio.bench.challenges.calls(ADMIN, 1)
    assert call_status(record[0]) in ("queued", "ringing")
    (listed,) = (await twilio.list())["attempts"]
    assert (listed["channel_data"]["outcome"], listed["verification_sid"]) == (None, created["sid"])


async def test_a_verifications_newest_call_is_the_one_that_converted(twilio: Twilio) -> None:
    twilio.bench.pbx.plots = [is_busy, answers]
    await twilio.ended()
    twilio.bench.clock.time += timedelta(seconds=30)
    created = await twilio.ended()
    await twilio.post("VerificationCheck", To=NUMBER, Code=twilio.code(created))
    statuses = [
        (one["conversion_status"], one["channel_data"]["call_status"])
        for one in (await twilio.list())["attempts"]
    ]
    assert statuses == [("converted", "completed"), ("unconverted", "busy")]
    sids = [call["attempt_sid"] for call in created["send_code_attempts"]]
    found = [(await twilio.served.http.get(f"/v2/Attempts/{sid}")).json() for sid in sids]
    assert [one["conversion_status"] for one in found] == ["unconverted", "converted"]
    assert await summary(twilio) == (2, 1, 1, "50.000000000")


async def test_without_attempts_the_rate_is_nought(twilio: Twilio) -> None:
    assert await summary(twilio) == (0, 0, 0, "0.000000000")


async def test_attempts_are_filtered_as_asked(twilio: Twilio) -> None:
    first = await twilio.ended()
    await twilio.post("VerificationCheck", To=NUMBER, Code=twilio.code(first))
    twilio.bench.clock.time += timedelta(hours=1)
    second = await Twilio(twilio.served, SHOP).ended(To="+12125550102")
    await twilio.bench.issue("+12125550103")
    every = [second["sid"], first["sid"]]
    noon, half_past = "2026-01-01T01:00:00Z", "2026-01-01T00:30:00Z"
    for query, expected in (
        ({}, every),
        ({"VerifyServiceSid": SHOP}, every[:1]),
        ({"VerificationSid": first["sid"]}, every[1:]),
        ({"ChannelData.To": "+1 202 555 0101"}, every[1:]),
        ({"Status": "converted"}, every[1:]),
        ({"Status": "unconverted"}, every[:1]),
        ({"DateCreatedAfter": noon}, every[:1]),
        ({"DateCreatedAfter": half_past, "DateCreatedBefore": noon}, []),
        ({"DateCreatedBefore": half_past}, every[1:]),
        ({"Channel": "call", "Country": "US"}, every),
        ({"Country": "CA"}, []),
        ({"Channel": "sms"}, []),
    ):
        listed = (await twilio.list(**query))["attempts"]
        assert [one["verification_sid"] for one in listed] == expected, query
    for query, expected_counts in (
        ({}, (2, 1, 1, "50.000000000")),
        ({"VerifyServiceSid": BANK}, (1, 1, 0, "100.000000000")),
        ({"DestinationPrefix": "+1212"}, (1, 0, 1, "0.000000000")),
        ({"DateCreatedAfter": noon}, (1, 0, 1, "0.000000000")),
        ({"DateCreatedBefore": noon}, (1, 1, 0, "100.000000000")),
        ({"Country": "US"}, (2, 1, 1, "50.000000000")),
        ({"Country": "GB"}, (0, 0, 0, "0.000000000")),
        ({"Channel": "whatsapp"}, (0, 0, 0, "0.000000000")),
    ):
        assert await summary(twilio, **query) == expected_counts, query


@pytest.mark.parametrize(
    "query",
    [
        {"PageSize": "0"},
        {"PageSize": "1001"},
        {"DateCreatedAfter": "yesterday"},
        {"DateCreatedAfter": "2026-01-01T00:00:00"},
        {"Status": "CONVERTED!"},
        {"Channel": "pigeon"},
        {"VerificationSid": "VE1"},
        {"ChannelData.To": "+1202"},
        {"PageToken": "x"},
    ],
)
async def test_a_filter_that_is_none_is_refused(twilio: Twilio, query: dict[str, str]) -> None:
    response = await twilio.served.http.get("/v2/Attempts", params=query)
    assert told(response) == (400, 60200)
    assert next(iter(query)) in response.json()["message"]


async def test_pages_follow_each_other(twilio: Twilio) -> None:
    sids = []
    for number in range(5):
        created = await twilio.ended(To=f"+1202555010{number}")
        sids.append(created["send_code_attempts"][0]["attempt_sid"])
        twilio.bench.clock.time += timedelta(microseconds=1)
    page = await twilio.list(PageSize="2", Channel="call")
    seen = []
    while True:
        seen += [one["sid"] for one in page["attempts"]]
        meta: dict[str, Any] = page["meta"]
        assert (meta["key"], meta["page_size"], meta["previous_page_url"]) == ("attempts", 2, None)
        assert meta["first_page_url"] == "http://voicegate/v2/Attempts?PageSize=2&Channel=call&Page=0"
        if meta["next_page_url"] is None:
            break
        page = (await twilio.served.http.get(meta["next_page_url"])).json()
        assert page["meta"]["url"] == meta["next_page_url"]
    assert seen == sids[::-1]
    assert page["meta"]["page"] == 2


async def test_an_attempt_that_is_no_services_is_not_found(twilio: Twilio) -> None:
    plain = await twilio.bench.issue()
    record = await twilio.bench.settled(plain)
    number = int(record.calls[0].call.id.partition("_")[2], 36)
    assert told(await twilio.served.http.get(f"/v2/Attempts/VL{number:032x}")) == (404, 20404)
    assert told(await twilio.served.http.get("/v2/Attempts/VL1")) == (404, 20404)
    assert told(await twilio.served.http.get(f"/v2/Attempts/VL{0:032x}")) == (404, 20404)


def record_of(state: CallState, outcome: Outcome | None) -> CallRecord:
    call = Call("call_1", "ver_1", Destination(CANADIAN), "carrier", "+12025550100", None, state=state)  # type: ignore[arg-type]
    ended = CallOutcome(outcome, Blame.UNKNOWN, retry_safe=False) if outcome else None
    return CallRecord(call, ended, Hangup() if outcome else None)


def test_each_state_and_outcome_of_a_call_has_a_word_of_twilios() -> None:
    live = {state: call_status(record_of(state, None)) for state in CallState if state is not CallState.ENDED}
    assert live == {
        CallState.QUEUED: "queued",
        CallState.ORIGINATING: "queued",
        CallState.RINGING: "ringing",
        CallState.ANSWERED: "in-progress",
        CallState.SENDING_EXTENSION: "in-progress",
        CallState.AWAITING_HUMAN: "in-progress",
        CallState.ANNOUNCING: "in-progress",
    }
    ended = {outcome: call_status(record_of(CallState.ENDED, outcome)) for outcome in Outcome}
    words = {
        "completed": {"delivered"},
        "busy": {"busy", "rejected"},
        "no-answer": {"no_answer", "unavailable", "no_human"},
        "canceled": {"canceled", "reported"},
    }
    for word, outcomes in words.items():
        assert {str(outcome) for outcome, told in ended.items() if told == word} == outcomes
    assert set(ended.values()) == {*words, "failed"}


async def summary(twilio: Twilio, **query: str) -> tuple[int, int, int, str]:
    response = await twilio.served.http.get("/v2/Attempts/Summary", params=query)
    assert response.status_code == 200, response.text
    told = response.json()
    assert told["url"] == "http://voicegate/v2/Attempts/Summary"
    return (
        told["total_attempts"],
        told["total_converted"],
        told["total_unconverted"],
        told["conversion_rate_percentage"],
    )
