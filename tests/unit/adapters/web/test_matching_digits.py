"""Two digits on the page of a call, with and without JavaScript; they are those that the call speaks."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.unit.adapters.web.browsing import Browser, Site, site_of
from tests.unit.application.conftest import TESTER, Bench
from tests.unit.application.scripted import ScriptedLeg
from voicegate.domain.announcement import Digit
from voicegate.domain.call import Rang
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.page_session import PagePurpose

SHOWN = re.compile(r'<p class="match"><strong>(\d) (\d)</strong> ([^<]+)</p>')


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


async def busy(leg: ScriptedLeg) -> None:
    leg.tell(Hangup(17, 486))


def shown(browser: Browser) -> str | None:
    found = SHOWN.search(browser.answer.text)
    return found[1] + found[2] if found else None


async def spoken(bench: Bench) -> str:
    """The digits that the call in progress was mixed with."""
    while not bench.speech.said:
        await asyncio.sleep(0)
    invitation, _ = bench.speech.said[-1]
    return "".join(part.value for part in invitation if isinstance(part, Digit) and not part.is_key)


async def call(site: Site, browser: Browser, purpose: PagePurpose) -> str:
    """Have a page's person called; the page's path."""
    if purpose is PagePurpose.SIGN_IN:
        await site.enrolled()
    url, made = await site.link(purpose)
    await browser.get(url)
    if purpose is PagePurpose.SIGN_IN:
        await browser.submit("call")
    else:
        await site.enroll(browser)
    return f"/p/{made.session.id}"


@pytest.mark.parametrize("purpose", [PagePurpose.ENROLL, PagePurpose.SIGN_IN])
async def test_a_page_shows_what_its_call_speaks(bench: Bench, tmp_path: Path, purpose: PagePurpose) -> None:
    bench.pbx.plots = [rings]
    async with site_of(bench, tmp_path, matching_digits=True) as site, site.browser() as browser:
        path = await call(site, browser, purpose)
        digits = shown(browser)
        assert digits == await spoken(site.bench)
        assert "The call will first say these two digits. If you hear others, hang up." in browser.words
        await browser.get(path)
        assert shown(browser) == digits
        async with browser.http.stream("GET", f"{path}/events", timeout=None) as answer:
            async for line in answer.aiter_lines():
                if found := SHOWN.search(line):
                    assert found[1] + found[2] == digits
                    break


async def test_another_call_of_the_same_code_has_the_same_digits(bench: Bench, tmp_path: Path) -> None:
    bench.pbx.plots = [busy, rings]
    async with site_of(bench, tmp_path, matching_digits=True) as site, site.browser() as browser:
        path = await call(site, browser, PagePurpose.ENROLL)
        first = await spoken(site.bench)
        record = (await site.bench.factors.list(TESTER, "alice"))[0]
        assert record.challenge is not None
        await site.bench.settled(record.challenge.challenge.id)
        await browser.get(path)
        assert shown(browser) is None
        await browser.submit("call")
        assert shown(browser) == first == record.challenge.challenge.matching_digits


async def test_a_page_shows_none_where_the_setting_is_off(bench: Bench, tmp_path: Path) -> None:
    bench.pbx.plots = [rings]
    async with site_of(bench, tmp_path) as site, site.browser() as browser:
        await call(site, browser, PagePurpose.ENROLL)
        assert browser.title == "Call is in progress…"
        assert "match" not in browser.answer.text
        assert await spoken(site.bench) == ""
