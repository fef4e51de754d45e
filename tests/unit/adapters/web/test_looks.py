"""What a page weighs, how a client's colour is made readable, and how numbers are written as one types."""

from pathlib import Path

import pytest

from tests.unit.adapters.web.browsing import Site
from voicegate.adapters.web import branding, numbers
from voicegate.adapters.web.branding import DARK, LIGHT, Logo, contrast, readable, stylesheet, text_on
from voicegate.adapters.web.numbers import INTERNAL, Picker, as_typed
from voicegate.adapters.web.texts import languages, texts_for
from voicegate.domain.errors import InvalidNumber
from voicegate.domain.phone_number import Destination

COLOURS = ("#000000", "#ffffff", "#ffdd00", "#2457c5", "#ff0000", "#00ff00", "#777777", "#0a0a40")


@pytest.mark.parametrize("colour", COLOURS)
def test_every_colour_is_readable_by_day_and_by_night(colour: str) -> None:
    for behind in (LIGHT, DARK):
        shown = readable(colour, behind)
        assert contrast(shown, behind) >= 4.5
        assert contrast(text_on(shown), shown) >= 4.5


def test_a_readable_colour_stays_as_it_is() -> None:
    assert readable("#2457c5", LIGHT) == "#2457c5"
    assert "--accent:#2457c5;--on-accent:#ffffff;" in stylesheet("#2457c5")


def test_contrast_is_as_wcag_defines_it() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_a_logo_is_a_picture(tmp_path: Path) -> None:
    file = tmp_path / "logo.svg"
    file.write_bytes(b"<svg/>")
    assert Logo.read(file).media_type == "image/svg+xml"
    with pytest.raises(ValueError, match="a logo is one of"):
        Logo.read(tmp_path / "logo.html")
    assert set(branding.LOGO_TYPES) == {".svg", ".png", ".webp"}


@pytest.mark.parametrize(
    ("country", "typed", "written"),
    [
        ("US", "2025550101", "(202) 555-0101"),
        ("DE", "030123456", "030 123456"),
        ("US", "+4930123456", "+49 30 123456"),
        ("DE", "０３０１２３４５６", "030 123456"),
        ("US", "202-555", "202-555"),
        ("US", "hello", ""),
        ("US", "", ""),
        ("XX", "2025550101", ""),
        (INTERNAL, "204", ""),
    ],
)
def test_numbers_are_written_as_in_their_country(country: str, typed: str, written: str) -> None:
    assert as_typed(country, typed) == written


def test_a_number_is_read_in_the_country_that_was_picked() -> None:
    assert numbers.read("DE", "030 12345678", "12") == Destination("+493012345678", "12")
    assert numbers.read("US", "+49 30 12345678", "") == Destination("+493012345678")
    assert numbers.read(INTERNAL, "204", "") == Destination("204")
    with pytest.raises(InvalidNumber):
        numbers.read("US", "204", "")


@pytest.mark.parametrize("language", languages())
def test_countries_are_named_in_the_persons_language(language: str) -> None:
    t = texts_for((language,))
    options = Picker(("US", "DE", "AT"), has_internal=True).options(t)
    assert options[-1] == (INTERNAL, t("internal"))
    assert all("+" in name for _, name in options[:-1])
    assert Picker(("US", "DE"), has_internal=False).guess(("en", "de-DE")) == "DE"
    assert Picker(("US", "DE"), has_internal=False).guess(("fr-FR",)) == "US"
    assert Picker((), has_internal=True).guess(()) == INTERNAL


@pytest.mark.parametrize(
    ("language", "first_to_last"),
    [
        ("de", ("AF", "EG", "AT", "US")),
        ("ru", ("AT", "DE", "RU", "FR")),
        ("ja", ("IS", "US", "BR", "JP")),
        ("zh", ("AR", "DE", "US", "CN")),
    ],
)
def test_countries_stand_where_people_look_for_them(language: str, first_to_last: tuple[str, ...]) -> None:
    options = Picker(tuple(sorted(first_to_last)), has_internal=False).options(texts_for((language,)))
    assert tuple(code for code, _ in options) == first_to_last


async def test_a_page_weighs_little_with_all_that_it_loads(site: Site) -> None:
    url, made = await site.link()
    async with site.browser() as browser:
        page = await browser.get(url)
        await browser.get(browser.read.links[0])
        parts = [browser.answer, page]
        for path in (f"/p/{made.session.id}/brand.css", "/p/static/page.css", "/p/static/page.js"):
            parts.append(await browser.http.get(path))
            assert parts[-1].status_code == 200
        assert sum(len(part.content) for part in parts) < 40_000


async def test_a_number_is_written_while_it_is_typed(site: Site) -> None:
    url, made = await site.link()
    async with site.browser() as browser:
        await browser.get(url)
        await browser.get(browser.read.links[0])
        form = browser.read.forms[0]
        sent = form.fields | {"country": "US", "number": "2025550101"}
        answer = await browser.http.post(f"/p/{made.session.id}/format", data=sent)
        assert answer.text == "(202) 555-0101"
