"""Every number of the lab's table, called through real Asterisk, comes to what the table says."""

import asyncio

import pytest

from tests.pbx.busy_hour import BusyHour, Heard, live_through
from voicegate.client import Call, Verification
from voicegate.lab.behaviour import Expected, LabNumber
from voicegate.lab.numbers import NUMBERS, find_number
from voicegate.lab.world import Lab

PICKED_UP = ["queued", "originating", "ringing", "answered"]
TIMELINES = {
    "presses-key": [*PICKED_UP, "awaiting_human", "announcing", "ended"],
    "never-presses": [*PICKED_UP, "awaiting_human", "ended"],
    "busy": ["queued", "originating", "ended"],
    "rings-for-ever": ["queued", "originating", "ringing", "ended"],
    "hangs-up-midway": [*PICKED_UP, "awaiting_human", "announcing", "ended"],
    "office": [*PICKED_UP, "sending_extension", "awaiting_human", "announcing", "ended"],
}


@pytest.fixture(scope="module")
def hour(lab: Lab) -> BusyHour:
    return asyncio.run(live_through(lab))


def last_call(verification: Verification | None) -> Call:
    assert verification is not None
    assert verification.call is not None
    return verification.call


def verdict(verification: Verification | None) -> tuple[str | None, str, str | None]:
    call = last_call(verification)
    return call.outcome, call.evidence.strongest, call.blame


def expected(row: Expected) -> tuple[str, str, str]:
    return row.outcome.value, row.evidence.name.lower(), row.blame.value


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_a_number_of_the_table_comes_to_what_it_says(hour: BusyHour, number: LabNumber) -> None:
    verification = hour.table[number.name]
    assert verdict(verification) == expected(number.expected)
    call = last_call(verification)
    assert list(dict.fromkeys(step.state for step in call.timeline)) == TIMELINES[number.name]
    assert verification.status == ("delivered" if call.outcome == "delivered" else "undeliverable")
    assert call.evidence.extension_sent == (number.extension is not None)


def test_a_wrong_extension_is_not_delivered(hour: BusyHour) -> None:
    otherwise = find_number("office").otherwise
    assert otherwise is not None
    assert verdict(hour.wrong_extension) == expected(otherwise)


def test_an_extension_with_pauses_reaches_the_same_person(hour: BusyHour) -> None:
    assert verdict(hour.paused_extension) == ("delivered", "announced", "nobody")


def test_a_number_that_is_not_in_service_is_the_numbers_fault(hour: BusyHour) -> None:
    assert verdict(hour.out_of_service) == ("invalid_number", "none", "number")
    assert last_call(hour.out_of_service).sip_status == 404


def test_a_desk_of_the_pbx_is_called_as_its_own_endpoint(hour: BusyHour) -> None:
    assert verdict(hour.desk) == ("delivered", "announced", "nobody")
    assert last_call(hour.desk).trunk == "desks"


def test_any_key_will_do_where_any_is_asked_for(hour: BusyHour) -> None:
    assert verdict(hour.any_key) == ("delivered", "announced", "nobody")
    assert last_call(hour.any_key).evidence.human


def test_without_a_human_check_the_code_is_spoken_to_whoever_answers(hour: BusyHour) -> None:
    assert verdict(hour.unchecked) == ("delivered", "announced", "nobody")
    evidence = last_call(hour.unchecked).evidence
    assert (evidence.human, evidence.media) == (False, True)


def test_twenty_calls_at_once_are_each_heard_right(hour: BusyHour) -> None:
    assert [verdict(verification)[0] for verification, _ in hour.twenty] == ["delivered"] * 20
    assert hour.judged == ["verified"] * 20
    assert len({code for _, code in hour.twenty}) == 20


def test_a_callers_own_code_is_what_is_heard(hour: BusyHour) -> None:
    assert hour.own_code is not None
    assert hour.own_code[1] == "904417"


def test_a_redial_speaks_the_same_code(hour: BusyHour) -> None:
    (_, first), (again, second) = hour.redialed
    assert first == second is not None
    assert [call.outcome for call in again.calls] == ["delivered", "delivered"]


def test_what_was_announced_was_announced_twice(hour: BusyHour) -> None:
    heard: list[Heard] = [*hour.twenty, *hour.redialed]
    assert {last_call(verification).evidence.announced for verification, _ in heard} == {2}
