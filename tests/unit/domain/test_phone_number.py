"""Whom to call: shapes that are accepted, and how they hide."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fuzz import hostile
from voicegate.domain.errors import InvalidExtension, InvalidNumber
from voicegate.domain.number_reading import NumberStyle
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
    ["", "+", "+1555", "+1", "12025550143", "1 202 555 0143", "+12025550143\r\nX: y", "+1-202-FLOWERS",
     "+1202555014312345678", "+9991234567", "++12025550143", "+1" + " " * 30 + "2025550143", "1+2025550143",
     "sip:a@b", "PJSIP/1", "1", "+0123456789", "+12025550143\n", "+1•••••••43", "+1²025550143", "tel:",
     "tel:a b", "a", "4a", "tester 1", "tester1@b", "tester1\n", "téster", "a" * 33,
     "+1 202 555 0143 home", "+1 202 555 0143" + " " * 60],
)  # fmt: skip
def test_anything_else_is_refused(number: str) -> None:
    with pytest.raises(InvalidNumber) as error:
        Destination.parse(number)
    assert "0143" not in str(error.value).replace("+12025550143", "")


@pytest.mark.parametrize(
    "written",
    [
        "+1-202-555-0143",
        "+1 202 555 0143",
        "+1 (202) 555-0143",
        "+1.202.555.0143",
        "+12025550143",
        "+1(202)5550143",
        "(+1) 202 555 0143",
        "+1 202/555-0143",
        " +1 202 555 0143",
        "\t+1 202 555 0143 ",
        "+1\u00a0202\u00a0555\u00a00143",
        "+1\u2009202\u202f555\u30000143",
        "+1\u2011202\u2010555\u20130143",
        "+1\u2212202\u2212555\u22120143",
        "\u202a+12025550143\u202c",
        "\u2066+1 202\u2069 555\u200e 0143\ufeff",
        "\u200b+12025550143",
        "＋１（２０２）５５５－０１４３",
        "+١٢٠٢٥٥٥٠١٤٣",
        "+۱۲۰۲۵۵۵۰۱۴۳",
        "+१२०२५५५०१४३",
        "tel:+12025550143",
        "TEL:+1-202-555-0143",
        "tel:+1-202-555-0143;phone-context=+1",
        "callto:+12025550143",
    ],
)
def test_a_number_is_read_however_it_is_separated(written: str) -> None:
    assert Destination.parse(written).number == "+12025550143"


def test_a_trunk_prefix_in_parentheses_is_no_part_of_the_number() -> None:
    assert Destination.parse("+44 (0)20 7946 0101").number == "+442079460101"


@pytest.mark.parametrize("extension", ["4321", "w4321", "WW12#", "1*2", "A"])
def test_an_extension_has_dtmf_digits_and_pauses(extension: str) -> None:
    assert Destination.parse("+12025550143", extension).extension == extension


@pytest.mark.parametrize(
    ("written", "extension"),
    [
        ("12,34", "12WW34"),
        (",,204", "WWWW204"),
        ("12 34", "1234"),
        ("12-34", "1234"),
        ("１２", "12"),
        ("٢٠٤", "204"),
        (" 204 ", "204"),
        ("x204", "204"),
        ("ext. 204", "204"),
        ("Extension: 204", "204"),
        ("#204", "#204"),
        ("", None),
        ("  ", None),
        ("\u200e", None),
    ],
)
def test_an_extension_is_read_as_people_write_it(written: str, extension: str | None) -> None:
    assert Destination.parse("+12025550143", written).extension == extension


@pytest.mark.parametrize(
    "extension", ["12\r\n", "1" * 33, "," * 17, "p1", "12/34", "²", "a", "12;34", "x", "ext"]
)
def test_an_extension_of_anything_else_is_refused(extension: str) -> None:
    with pytest.raises(InvalidExtension):
        assert Destination.parse("+12025550143", extension).extension


@pytest.mark.parametrize(
    ("behind", "extension"),
    [
        (";ext=204", "204"),
        (";EXT=2-0-4", "204"),
        (";ext=204;phone-context=example.com", "204"),
        (";isub=1;ext=204", "204"),
        (" ; CPC=ordinary ; ext=204;", "204"),
        ("x204", "204"),
        (" x 204", "204"),
        (" ext 204", "204"),
        (" ext.204", "204"),
        (", ext. 204", "204"),
        (" extn 204", "204"),
        (" Extension 204", "204"),
        ("#204", "204"),
        (",204", "WW204"),
        (",,204", "WWWW204"),
        (",,204#", "WWWW204#"),
        ("w204", "w204"),
        (" Ｘ２０４", "204"),
        (" x٢٠٤", "204"),
    ],
)
def test_an_extension_may_stand_behind_the_number(behind: str, extension: str) -> None:
    found = Destination.parse(f"+1 202 555 0143{behind}")
    assert (found.number, found.extension) == ("+12025550143", extension)
    assert Destination.parse(f"tel:+12025550143{behind}", "") == found
    assert Destination.parse(f"+12025550143{behind}", extension) == found


@pytest.mark.parametrize("behind", [";204", ";x204", ";extension=204", ";postd=204", ";ext 204", ";e=204"])
def test_what_may_be_an_extension_is_never_left_out(behind: str) -> None:
    with pytest.raises(InvalidNumber, match=";ext=204"):
        Destination.parse(f"+12025550143{behind}")


def test_two_extensions_that_differ_are_refused() -> None:
    for number, extension in (("+12025550143x204", "205"), ("+12025550143;ext=204;ext=205", None)):
        with pytest.raises(InvalidExtension):
            Destination.parse(number, extension)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("", "empty"),
        ("2025550143 9", "no plus sign"),
        ("12025550143", "no plus sign"),
        (" 12025550143", "%2B"),
        ("0012025550143", "no plus sign"),
        ("+1 202 555 0143 home", "LATIN SMALL LETTER H (U+0068)"),
        ("+1 202 555 0143 home", ";ext=204"),
        ("+1•••••••43", "BULLET (U+2022)"),
        ("+12025550143\n", "control character (U+000A)"),
        ("+1²025550143", "SUPERSCRIPT TWO"),
        ("++12025550143", "two plus signs"),
        ("+1202555", "too short"),
        ("+15550143", "area code"),
        ("+120255501433", "too long"),
        ("+9991234567", "no country's code"),
    ],
)
def test_a_refusal_says_what_is_wrong(number: str, told: str) -> None:
    with pytest.raises(InvalidNumber, match=re.escape(told)):
        Destination.parse(number)


def test_a_refused_extension_names_its_character() -> None:
    with pytest.raises(InvalidExtension, match=re.escape("LATIN SMALL LETTER P (U+0070)")):
        Destination.parse("+12025550143", "12p")


@pytest.mark.parametrize(("number", "lacks"), [("2025550143", True), ("4021", False), ("*971234567", False)])
def test_a_number_without_its_plus_is_told_from_an_extension(number: str, *, lacks: bool) -> None:
    assert Destination.parse(number).lacks_plus is lacks


@pytest.mark.parametrize(
    ("style", "written", "number"),
    [
        (NumberStyle(plus_is_optional=True), "12025550143", "+12025550143"),
        (NumberStyle(plus_is_optional=True), "1 (202) 555-0143", "+12025550143"),
        (NumberStyle(plus_is_optional=True), "+12025550143", "+12025550143"),
        (NumberStyle(plus_is_optional=True), "493012345", "+493012345"),
        (NumberStyle(plus_is_optional=True), "4021", "4021"),
        (NumberStyle("DE"), "0171 1234567", "+491711234567"),
        (NumberStyle("DE"), "+49 171 1234567", "+491711234567"),
        (NumberStyle("DE"), "49 171 1234567", "+491711234567"),
        (NumberStyle("DE"), "0049 171 1234567", "+491711234567"),
        (NumberStyle("DE"), "+49 (0)171 1234567", "+491711234567"),
        (NumberStyle("DE"), "0012025550143", "+12025550143"),
        (NumberStyle("DE"), "0171/1234567 x204", "+491711234567"),
        (NumberStyle("DE"), "4021", "4021"),
        (NumberStyle("DE", plus_is_optional=True), "442079460101", "+442079460101"),
        (NumberStyle("FR"), "06 12 34 56 78", "+33612345678"),
        (NumberStyle("FR"), "33612345678", "+33612345678"),
        (NumberStyle("US"), "(202) 555-0143", "+12025550143"),
        (NumberStyle("US"), "2025550143", "+12025550143"),
        (NumberStyle("US"), "1 202 555 0143", "+12025550143"),
        (NumberStyle("US"), "011 44 20 7946 0101", "+442079460101"),
        (NumberStyle("US", plus_is_optional=True), "442079460101", "+442079460101"),
        (NumberStyle("IT"), "06 1234 5678", "+390612345678"),
        (NumberStyle("DE"), "tester1", "tester1"),
    ],
)
def test_a_program_may_leave_out_the_plus_where_it_is_told_to(
    style: NumberStyle, written: str, number: str
) -> None:
    assert Destination.parse(written, style=style).number == number


@pytest.mark.parametrize(
    ("style", "written"),
    [
        (NumberStyle(plus_is_optional=True), "02025550143"),
        (NumberStyle(plus_is_optional=True), "0049 171 1234567"),
        (NumberStyle("US"), "442079460101"),
        (NumberStyle("US"), "5550143 12"),
        (NumberStyle("DE"), "abc 1234567"),
    ],
)
def test_what_can_mean_no_number_is_refused(style: NumberStyle, written: str) -> None:
    with pytest.raises(InvalidNumber):
        Destination.parse(written, style=style)


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


PIECES = st.one_of(
    st.sampled_from(
        ["+1", "+49", "202 555 0143", "(0)", "tel:", ";ext=", "x", ",", "w", "#", "\u202a", "\u2011", "٣"]
    ),
    st.text(alphabet="0123456789+-/. ()xXwW,;=#*", max_size=12),
    st.text(max_size=4),
)
STYLES = st.sampled_from(
    [None, NumberStyle("DE"), NumberStyle("US", plus_is_optional=True), NumberStyle(plus_is_optional=True)]
)


@hostile(400)
@given(st.lists(PIECES, max_size=8), st.lists(PIECES, max_size=3), STYLES)
def test_whatever_is_written_is_a_number_or_a_refusal(
    number: list[str], extension: list[str], style: NumberStyle | None
) -> None:
    try:
        found = Destination.parse("".join(number), "".join(extension), style=style)
    except (InvalidNumber, InvalidExtension):
        return
    assert re.fullmatch(r"\+[1-9][0-9]{4,14}|[0-9*#]{2,10}|[A-Za-z][A-Za-z0-9_.-]{1,31}", found.number)
    assert found.extension is None or re.fullmatch(r"[0-9*#A-DwW]{1,32}", found.extension)
    assert Destination.parse(found.number, found.extension) == found


def test_a_blank_before_a_number_may_have_been_its_plus_sign() -> None:
    german, austrian = NumberStyle("DE"), NumberStyle("AT")
    assert Destination.parse(" 12025550143", style=german).number == "+12025550143"
    assert Destination.parse(" 0171 2345678", style=german).number == "+491712345678"
    assert Destination.parse(" 2025550143", style=NumberStyle("US")).number == "+12025550143"
    with pytest.raises(InvalidNumber, match="%2B"):
        Destination.parse(" 12025550143", style=austrian)
