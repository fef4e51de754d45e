"""Where the profile of NIST holds, pages say what is less safe about calls, and that there are other ways."""

import html
from pathlib import Path
from typing import cast

import pytest

from tests.unit.adapters.web.browsing import Browser, site_of
from tests.unit.application.conftest import Bench
from voicegate import config
from voicegate.adapters.http.waiting import Waiters
from voicegate.adapters.web.branding import Brand
from voicegate.adapters.web.numbers import Picker
from voicegate.adapters.web.showing import PageWriter
from voicegate.adapters.web.texts import languages, texts_for
from voicegate.bootstrap.pages import page_dependencies
from voicegate.config.profile import NIST
from voicegate.domain.page_session import PagePurpose

APP = "Example"
OTHER = "https://app.example/other"


def says_so(browser: Browser, language: str) -> bool:
    return texts_for((language,))("call_risks", app=APP) in html.unescape(browser.answer.text)


@pytest.mark.parametrize("is_on", [True, False])
async def test_every_language_says_it_before_a_number_is_given_and_before_a_call(
    bench: Bench, tmp_path: Path, is_on: bool
) -> None:
    writer = PageWriter({}, Brand(APP), Picker(("US",), has_internal=False), shows_risks=is_on)
    async with site_of(bench, tmp_path, writer=writer) as site:
        await site.enrolled("bob")
        for language in languages():
            url, _ = await site.link(language=language, alternative_url=OTHER)
            async with site.browser() as browser:
                await browser.get(url)
                await browser.get(browser.read.links[0])
                assert (says_so(browser, language), OTHER in browser.read.links) == (is_on, True)
            url, _ = await site.link(
                PagePurpose.SIGN_IN, subscriber="bob", language=language, alternative_url=OTHER
            )
            async with site.browser() as browser:
                await browser.get(url)
                assert (says_so(browser, language), OTHER in browser.read.links) == (is_on, True)


def test_the_texts_differ_and_name_who_offers_the_other_ways() -> None:
    told = {language: texts_for((language,))("call_risks", app=APP) for language in languages()}
    assert len(set(told.values())) == len(told) == 13
    assert all(APP in text for text in told.values())


@pytest.mark.parametrize("profile", ["", NIST])
def test_the_profile_says_whether_pages_say_it(bench: Bench, profile: str) -> None:
    settings = config.parse({"policy": {"profile": profile}})
    made = page_dependencies(bench.app, settings, cast("Waiters", None))
    assert made.writer._shows_risks is (profile == NIST)
