"""Every number of the lab's table, called through a real PBX of each kind, comes to what the table says."""

import asyncio
from datetime import timedelta

import pytest

from tests.pbx.busy_hour import LANGUAGES, BusyHour, Heard, live_through
from tests.pbx.conftest import EACH_PBX
from tests.pbx.outcomes import events, expected, last_call, outcome_of, readings
from voicegate.config import project_folder
from voicegate.domain.announcement import REPORT_PHRASES
from voicegate.lab.behaviour import LabNumber
from voicegate.lab.hearing.calls import choose_ear
from voicegate.lab.hearing.results import read_heard
from voicegate.lab.numbers import NUMBERS, PREMIUM, find_number
from voicegate.lab.world import Lab

pytestmark = [EACH_PBX, pytest.mark.timeout(400)]

RUNG = ["queued", "originated", "rang"]
READ = ["reading_started", "reading_ended"]
OVER = ["media_counted", "ended"]
UNRUNG = ["queued", "originated", "ended"]
UNHEEDED = [*RUNG, "answered", "invited", *OVER]
HEEDED = ["answered", "invited", "key_pressed"]
TOLD = [*RUNG, *HEEDED, *READ, *READ, *OVER]
TOLD_ONCE = [*RUNG, *HEEDED, *READ, *OVER]
PUT_THROUGH = [*RUNG, "answered", "extension_started", "extension_sent", *HEEDED[1:], *READ, *READ, *OVER]
REPORTED = [*RUNG, "answered", "invited", "reported", "opted_out", *OVER]
UNUSUAL = {
    "never-presses": UNHEEDED,
    "busy": UNRUNG,
    "rings-for-ever": [*RUNG, "ended"],
    "hangs-up-midway": TOLD_ONCE,
    "office": PUT_THROUGH,
    "office-in-opus": PUT_THROUGH,
    "rejects": [*RUNG, "ended"],
    "unallocated": UNRUNG,
    "congested": UNRUNG,
    "forbidden": UNRUNG,
    "announces-failure": ["queued", "originated", "progressed", "ended"],
    "rings-in-early-media": ["queued", "originated", "progressed", *HEEDED, *READ, *READ, *OVER],
    "forwards": UNRUNG,
    "silent-trunk": UNRUNG,
    "voicemail": UNHEEDED,
    "mute": UNHEEDED,
    "hangs-up-at-once": [*RUNG, "answered", *OVER],
    "no-media": UNHEEDED,
    "hangs-up-at-end": TOLD_ONCE,
    "wants-repeat": [*RUNG, *HEEDED, *READ, *READ, *READ, *OVER],
    "speaks-g729": UNRUNG,
    "wants-no-calls": REPORTED,
}
"""What happens on calls that are not just answered, heeded and told the code twice."""


@pytest.fixture(scope="module")
def hour(lab: Lab) -> BusyHour:
    return asyncio.run(live_through(lab))


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_a_number_of_the_table_comes_to_what_it_says(hour: BusyHour, number: LabNumber) -> None:
    verification = hour.table[number.name]
    assert outcome_of(verification) == expected(number.expected)
    call, happened = last_call(verification), events(verification)
    if number.name == "hangs-up-at-once" and "invited" in happened:
        # Whether the first word comes before the good-bye is chance.
        happened.remove("invited")
    assert happened == UNUSUAL.get(number.name, TOLD)
    told = call.outcome in ("delivered", "reported")
    assert verification.status == (call.outcome if told else "undeliverable")
    assert call.evidence.extension_sent == (number.extension is not None)
    if number.sip_status is not None:
        assert call.sip_status == number.sip_status


def test_a_call_that_is_forwarded_to_a_premium_number_never_gets_there(hour: BusyHour, lab: Lab) -> None:
    assert last_call(hour.table["forwards"]).outcome == "forwarded"
    assert lab.recordings(PREMIUM) == []


@pytest.mark.parametrize("name", ["announces-failure", "rings-in-early-media"])
def test_early_media_is_no_ringing(hour: BusyHour, name: str) -> None:
    assert "progressed" in events(hour.table[name])
    assert "rang" not in events(hour.table[name])


def test_a_long_post_dial_delay_is_waited_for(hour: BusyHour) -> None:
    call = last_call(hour.table["rings-late"])
    assert call.answered_at is not None
    assert call.answered_at - call.created_at > timedelta(seconds=10)


def test_a_voicemail_never_hears_the_code(hour: BusyHour) -> None:
    assert hour.voicemail is None


def test_a_code_that_nothing_shows_to_have_arrived_is_not_delivered(hour: BusyHour) -> None:
    assert outcome_of(hour.unheard) == ("no_media", "announced", "unknown")


def test_who_hangs_up_at_the_last_digit_was_told_the_code(hour: BusyHour) -> None:
    assert readings(hour.table["hangs-up-at-end"]) == [True]


def test_who_asks_for_a_repeat_gets_one(hour: BusyHour) -> None:
    assert readings(hour.table["wants-repeat"]) == [True, False, True]


def test_a_reading_during_which_we_were_held_counts_for_nothing(hour: BusyHour) -> None:
    assert readings(hour.table["holds-midway"]) == [False, True]


def test_a_wrong_extension_is_not_delivered(hour: BusyHour) -> None:
    otherwise = find_number("office").otherwise
    assert otherwise is not None
    assert outcome_of(hour.wrong_extension) == expected(otherwise)


def test_an_extension_with_pauses_reaches_the_same_person(hour: BusyHour) -> None:
    assert outcome_of(hour.paused_extension) == ("delivered", "announced", "nobody")


def test_a_number_that_is_not_in_service_is_the_numbers_fault(hour: BusyHour) -> None:
    assert outcome_of(hour.out_of_service) == ("invalid_number", "none", "number")
    assert last_call(hour.out_of_service).sip_status == 404


def test_a_desk_of_the_pbx_is_called_as_its_own_endpoint(hour: BusyHour) -> None:
    assert outcome_of(hour.desk) == ("delivered", "announced", "nobody")
    assert last_call(hour.desk).trunk == "desks"


def test_any_key_will_do_where_any_is_asked_for(hour: BusyHour) -> None:
    assert outcome_of(hour.any_key) == ("delivered", "announced", "nobody")
    assert last_call(hour.any_key).evidence.human


def test_without_a_human_check_the_code_is_spoken_to_whoever_answers(hour: BusyHour) -> None:
    assert outcome_of(hour.unchecked) == ("delivered", "announced", "nobody")
    evidence = last_call(hour.unchecked).evidence
    assert (evidence.human, evidence.media) == (False, True)


def test_twenty_calls_at_once_are_each_heard_right_in_mu_law(hour: BusyHour) -> None:
    assert [outcome_of(verification)[0] for verification, _ in hour.twenty] == ["delivered"] * 20
    assert hour.judged == ["verified"] * 20
    assert len({code for _, code in hour.twenty}) == 20


def test_a_callers_own_code_is_what_is_heard(hour: BusyHour) -> None:
    assert hour.own_code is not None
    assert hour.own_code[1] == "904417"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_code_is_read_in_the_language_asked_for(hour: BusyHour, language: str) -> None:
    verification, heard = hour.languages[language]
    assert outcome_of(verification) == ("delivered", "announced", "nobody")
    assert verification.language == language
    code = LANGUAGES[language][1]
    # The key comes before.
    assert (heard or "").endswith(code + code)


def is_understood(language: str) -> bool:
    """Did the ear read all codes over a clean line when the language was measured?"""
    heard = read_heard(project_folder("sounds") / language)
    return heard is not None and heard.readers[0].lines[0].codes == heard.readers[0].lines[0].of_codes


@pytest.mark.parametrize("language", [name for name in LANGUAGES if is_understood(name)])
def test_an_ear_that_knows_none_of_our_recordings_reads_the_code(hour: BusyHour, language: str) -> None:
    code = LANGUAGES[language][1]
    ear = choose_ear(project_folder("sounds"), language)
    assert ear(hour.recordings[language], len(code)) == code


def test_who_did_not_ask_and_wants_no_more_calls_hears_that_there_are_none(hour: BusyHour) -> None:
    assert hour.opted_out is not None
    assert events(hour.opted_out) == REPORTED
    found = [place for place in hour.phrases if place is not None]
    assert len(found) == len(REPORT_PHRASES[1:])
    assert found == sorted(found)


def test_a_reported_calls_code_counts_no_more_and_its_number_is_refused(hour: BusyHour) -> None:
    assert hour.void_code == "reported"
    assert hour.refused == {"do_not_call"}


def test_a_redial_speaks_the_same_code(hour: BusyHour) -> None:
    (_, first), (again, second) = hour.redialed
    assert first == second is not None
    assert [call.outcome for call in again.calls] == ["delivered", "delivered"]


def test_the_digits_that_the_answer_told_are_heard_before_key_and_code(hour: BusyHour) -> None:
    for (verification, code), heard in zip(hour.redialed, hour.compared, strict=True):
        assert code is not None
        assert verification.matching_digits is not None
        assert heard.startswith(verification.matching_digits)
        assert heard.endswith(code + code)


def test_what_was_announced_was_announced_twice(hour: BusyHour) -> None:
    heard: list[Heard] = [*hour.twenty, *hour.redialed]
    assert {last_call(verification).evidence.announced for verification, _ in heard} == {2}
