"""The table of the carrier's numbers: complete, valid, and what the dialplan is rendered from."""

import re

import phonenumbers
import pytest

from voicegate.domain.call import EvidenceLevel
from voicegate.domain.call_outcome import Outcome
from voicegate.domain.errors import InvalidNumber
from voicegate.domain.phone_number import Destination
from voicegate.lab.behaviour import Action, LabNumber
from voicegate.lab.numbers import NUMBERS, find_number

UNTOLD = (Action.NOTHING, Action.LISTEN, Action.HANG_UP, Action.REPORT)
AREAS = ("202", "212", "312", "415", "617", "713")
each_number = pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)


def matches(pattern: str, dialed: str) -> bool:
    shapes = {"X": "[0-9]", "N": "[2-9]", "+": r"\+"}
    return bool(re.fullmatch("".join(shapes.get(sign, sign) for sign in pattern.removeprefix("_")), dialed))


@each_number
def test_a_number_is_valid_in_every_area_code(number: LabNumber) -> None:
    for area in AREAS:
        assert Destination.parse(number.american(area)).number == number.american(area)


@each_number
def test_a_number_is_valid_in_london(number: LabNumber) -> None:
    for spare in range(10):
        assert not Destination.parse(number.british(spare)).is_internal


@each_number
def test_a_number_answers_in_every_format_a_trunk_may_want(number: LabNumber) -> None:
    national = phonenumbers.PhoneNumberFormat.NATIONAL
    for e164 in (number.example, number.american("312"), number.british(), number.british(7)):
        at_home = re.sub(r"\D", "", phonenumbers.format_number(phonenumbers.parse(e164), national))
        for dialed in (e164, e164.removeprefix("+"), at_home):
            found = [value for pattern, value in number.dialed.items() if matches(pattern, dialed)]
            assert [
                value.replace("${EXTEN:1}", dialed[1:]).replace("${EXTEN}", dialed) for value in found
            ] == [e164]


def test_no_dialed_number_means_two_behaviours() -> None:
    patterns = [pattern for number in NUMBERS for pattern in number.dialed]
    assert len(patterns) == len(set(patterns))
    assert len({number.digits for number in NUMBERS}) == len(NUMBERS)
    assert len({number.name for number in NUMBERS}) == len(NUMBERS)


@each_number
def test_evidence_agrees_with_what_the_person_does(number: LabNumber) -> None:
    assert (number.expected.evidence < EvidenceLevel.ANNOUNCED) == (number.action in UNTOLD)
    assert (number.expected.outcome is Outcome.DELIVERED) == (number.action not in UNTOLD)
    assert number.action is not Action.NOTHING or number.expected.evidence <= EvidenceLevel.ANSWERED


@each_number
def test_what_a_sip_status_ends_was_not_answered(number: LabNumber) -> None:
    assert number.sip_status is None or number.expected.evidence is EvidenceLevel.NONE


@each_number
def test_only_its_own_numbers_reach_a_telephone_by_its_request(number: LabNumber) -> None:
    dialed = [
        other for other in NUMBERS if re.search(number.request_uri, f"sip:{other.example}@127.0.0.1:5060")
    ]
    assert dialed == [number]
    assert re.search(number.request_uri, f"sip:{number.british(3).replace('+44', '0')}@127.0.0.1")


@each_number
def test_only_an_office_says_what_a_wrong_extension_comes_to(number: LabNumber) -> None:
    assert (number.extension is None) == (number.otherwise is None)


def test_a_number_is_found_by_name() -> None:
    assert find_number("busy").example == "+12025550103"


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InvalidNumber, match="no number named nobody"):
        find_number("nobody")
