"""What is said: the invitation never has a code in it, a reading has all of it, in groups."""

from dataclasses import replace
from datetime import timedelta

import pytest

from voicegate.domain.announcement import (
    Asking,
    Digit,
    HumanCheck,
    Opening,
    Part,
    Pause,
    Phrasing,
    Prompt,
    compose_invitation,
    compose_reading,
    is_key,
)
from voicegate.domain.challenge import draw_digits
from voicegate.domain.passcode import Passcode

SHORT, LONG = timedelta(milliseconds=450), timedelta(milliseconds=900)
PHRASING = Phrasing(tuple(Asking), {4: (2, 2), 6: (3, 3), 7: (3, 4)}, SHORT, LONG)


def spoken(parts: tuple[Part, ...]) -> str:
    return "".join(in_writing(part) for part in parts)


def in_writing(part: Part) -> str:
    match part:
        case Pause(length):
            return {SHORT: ".", LONG: " "}.get(length, "")
        case Prompt(name):
            return f"<{name}>"
        case Digit(value):
            return value


@pytest.mark.parametrize(
    ("code", "said"),
    [("471029", "4.7.1 0.2.9"), ("4710", "4.7 1.0"), ("4710293", "4.7.1 0.2.9.3")],
)
def test_a_reading_says_the_code_in_groups(code: str, said: str) -> None:
    assert spoken(compose_reading(Passcode(code), PHRASING)) == f"<your_code_is> {said} <never_asked>"


def test_every_code_digit_is_marked_as_one() -> None:
    digits = [part for part in compose_reading(Passcode("471029"), PHRASING) if isinstance(part, Digit)]
    assert [digit.is_code for digit in digits] == [True] * 6


def test_the_invitation_asks_for_the_key() -> None:
    parts = compose_invitation(HumanCheck.RANDOM_KEY, "7", PHRASING)
    assert spoken(parts) == "<this_is><to_hear_your_code><press>7"
    assert not any(isinstance(part, Digit) and part.is_code for part in parts)


def test_the_key_stands_where_the_language_has_it() -> None:
    asking = (Asking.PRESS, Asking.KEY, Asking.TO_HEAR_YOUR_CODE)
    parts = compose_invitation(HumanCheck.RANDOM_KEY, "7", replace(PHRASING, asking=asking))
    assert spoken(parts) == "<this_is><press>7<to_hear_your_code>"


def test_any_key_and_no_key_name_no_digit() -> None:
    assert spoken(compose_invitation(HumanCheck.ANY_KEY, "7", PHRASING)) == "<this_is><press_any_key>"
    assert spoken(compose_invitation(HumanCheck.NONE, "7", PHRASING)) == "<this_is>"


def test_parts_do_not_show_digits() -> None:
    assert "7" not in repr(compose_reading(Passcode("7777"), PHRASING))


@pytest.mark.parametrize(
    ("check", "asked"),
    [
        (HumanCheck.RANDOM_KEY, "<to_hear_your_code><press>7"),
        (HumanCheck.ANY_KEY, "<press_any_key>"),
        (HumanCheck.NONE, ""),
    ],
)
def test_the_digits_that_the_screen_shows_are_told_before_the_key(check: HumanCheck, asked: str) -> None:
    parts = compose_invitation(check, "7", PHRASING, opening=Opening(matching_digits="42"))
    assert spoken(parts) == f"<this_is><your_screen_shows>42{asked}"
    shown = [part for part in parts if isinstance(part, Digit) and part.value in "42"]
    assert [(part.is_code, is_key(part)) for part in shown] == [(False, False)] * 2
    assert [is_key(part) for part in parts].count(True) == (check is not HumanCheck.NONE)


def test_matching_digits_differ_from_each_other() -> None:
    assert draw_digits(max) == "98"
    assert draw_digits(min) == "01"
