"""Whom to call: shapes that are accepted, and how they hide."""

import pytest

from voicegate.domain.errors import InvalidExtension, InvalidNumber
from voicegate.domain.phone_number import Destination, mask


@pytest.mark.parametrize("number", ["+12025550143", "+442079460101", "+491711234567"])
def test_a_valid_e164_number_is_a_destination(number: str) -> None:
    assert not Destination.parse(number).is_internal


@pytest.mark.parametrize("number", ["4021", "*97", "12"])
def test_two_to_ten_keys_are_an_internal_extension(number: str) -> None:
    assert Destination.parse(number).is_internal


@pytest.mark.parametrize("name", ["tester1", "front-desk", "J.Doe_2", "ab"])
def test_a_name_that_begins_with_a_letter_is_internal_too(name: str) -> None:
    assert Destination.parse(name).is_internal


@pytest.mark.parametrize(
    "number",
    ["", "+", "+1555", "+1", "12025550143", "1 202 555 0143", "+12025550143\r\nX: y", "+1 202 555 0143 x9",
     "+1\u00a0202\u00a0555\u00a00143", "+1202-555-0143;ext=9", "+1-202-FLOWERS", "+1202555014312345678",
     "+9991234567", "++12025550143", "+1" + " " * 30 + "2025550143",
     "+١٢٠٢٥٥٥٠١٤٣",
     "sip:a@b", "PJSIP/1", "1", "+0123456789", "+12025550143\n",
     "a", "4a", "tester 1", "tester1@b", "tester1\n", "téster", "a" * 33],
)  # fmt: skip
def test_anything_else_is_refused(number: str) -> None:
    with pytest.raises(InvalidNumber):
        Destination.parse(number)


@pytest.mark.parametrize(
    "written",
    [
        "+1-202-555-0143",
        "+1 202 555 0143",
        "+1 (202) 555-0143",
        "+1.202.555.0143",
        "+12025550143",
        "+1(202)5550143",
    ],
)
def test_a_number_is_read_however_it_is_separated(written: str) -> None:
    assert Destination.parse(written).number == "+12025550143"


def test_a_trunk_prefix_in_parentheses_is_no_part_of_the_number() -> None:
    assert Destination.parse("+44 (0)20 7946 0101").number == "+442079460101"


@pytest.mark.parametrize("extension", ["4321", "w4321", "WW12#", "1*2", "A"])
def test_an_extension_has_dtmf_digits_and_pauses(extension: str) -> None:
    assert Destination.parse("+12025550143", extension).extension == extension


@pytest.mark.parametrize("extension", ["", "12,34", "12\r\n", "x12", "1" * 33, "p1", "12 34", "１２"])
def test_an_extension_of_anything_else_is_refused(extension: str) -> None:
    with pytest.raises(InvalidExtension):
        Destination.parse("+12025550143", extension)


def test_a_destination_shows_two_characters_at_each_end_and_no_extension() -> None:
    destination = Destination.parse("+12025550143", "4321")
    for shown in (repr(destination), str(destination), f"{destination}", repr([destination])):
        assert "2025550" not in shown
        assert "4321" not in shown
    assert mask("+12025550143") == "+1••••••••43"


def test_a_short_extension_is_hidden_too() -> None:
    assert "4021" not in repr(Destination.parse("4021"))


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+12025550101", "US"),
        ("+16135550101", "CA"),
        ("+442079460101", "GB"),
        ("4711", None),
    ],
)
def test_a_number_tells_its_country(number: str, country: str | None) -> None:
    assert Destination(number).country == country
