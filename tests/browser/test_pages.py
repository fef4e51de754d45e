"""The pages for people in a real browser: every stage looked at in light and dark, wide and narrow."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.accessibility import LOOKS, NARROW
from tests.browser.conftest import AssertAccessible
from tests.browser.watching import Watch
from tests.unit.adapters.web.browsing import Site, site_of
from tests.unit.application.conftest import ADMIN, NUMBER, TESTER, UNHURRIED, bench_in
from tests.unit.application.scripted import ScriptedLeg, answers
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.page_sessions import PageCreated
from voicegate.application.store_port import Transaction
from voicegate.domain.call import Answered, Rang
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.errors import StoreError
from voicegate.domain.factor import FactorState
from voicegate.domain.page_session import PagePurpose
from voicegate.domain.phone_number import Destination

pytestmark = pytest.mark.asyncio(loop_scope="session")

_WEIGHT: Final = """["navigation", "resource"].flatMap(kind => performance.getEntriesByType(kind))
  .reduce((sum, entry) => sum + entry.decodedBodySize, 0)"""
"""Bytes of a page with all that it loaded."""
_BLOCKING: Final = "document.querySelectorAll('script:not([defer])').length"


_LINES_OF_DATES: Final = """[...document.querySelectorAll(".factor dd")].flatMap(item => {
  const text = item.firstChild, at = text.data ? text.data.search(/\\d{4}-/) : -1, range = new Range();
  if (at < 0) return [];
  range.setStart(text, at); range.setEnd(text, text.length);
  return [new Set([...range.getClientRects()].map(line => line.top)).size];
})"""
"""On how many lines each date is."""


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with bench_in(tmp_path) as bench, site_of(bench, tmp_path) as served:
        yield served


class Eye:
    """Looks at a page as it is, in every way that people see it."""

    def __init__(self, page: Page, watch: Watch, assert_accessible: AssertAccessible) -> None:
        self.page = page
        self._watch = watch
        self._assert_accessible = assert_accessible

    async def look(self, name: str) -> None:
        for look, (scheme, size) in LOOKS.items():
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await self.page.set_viewport_size(size)
            await self._watch.picture(self.page, f"{name}-{look}")
            await self._assert_accessible(self.page)
            assert await self.page.evaluate(_WEIGHT) < 100_000, f"{name} is heavy"
            assert not await self.page.evaluate(_BLOCKING), f"{name} waits for a script before it is painted"
            overflow = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            assert not await self.page.evaluate(overflow), f"{name} scrolls sideways"


@pytest.fixture
def eye(page: Page, watch: Watch, assert_accessible: AssertAccessible) -> Eye:
    return Eye(page, watch, assert_accessible)


async def opened(
    site: Site, page: Page, purpose: PagePurpose, alternative_url: str | None = None
) -> PageCreated:
    path, made = await site.link(purpose, alternative_url=alternative_url)
    await page.goto(f"{site.served.remote.base_url}{path}")
    return made


async def enrolled(site: Site) -> None:
    request = EnrollRequest(
        replace(ADMIN, name=TESTER.name), "alice", Destination(NUMBER, "204"), is_proven=True
    )
    await site.bench.enrollment.enroll(request)


async def test_a_person_sets_their_telephone_up_and_sees_the_call_happen(
    site: Site, page: Page, eye: Eye
) -> None:
    legs = asyncio.Queue[ScriptedLeg]()

    async def waits(leg: ScriptedLeg) -> None:
        legs.put_nowait(leg)

    site.bench.pbx.plots = [waits]
    made = await opened(site, page, PagePurpose.ENROLL, "http://127.0.0.1/other")
    await eye.look("1-setup")
    await page.get_by_role("link", name="Set up").click()
    await page.get_by_label("Country").select_option("US")
    await page.get_by_label("Phone number").press_sequentially("2025550101")
    await expect(page.get_by_label("Phone number")).to_have_value("(202) 555-0101")
    await page.get_by_label("Extension (optional)").fill("204")
    await eye.look("2-number")
    await page.get_by_role("button", name="Call").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Call is in progress…")
    # From here on nothing is loaded anew: each step comes by itself.
    await page.evaluate("window.isTheSame = true")
    leg, current = await legs.get(), page.locator("[aria-current=step]")
    leg.tell(Rang())
    await expect(current).to_have_text("Your phone is ringing")
    await expect(page.locator("#announce")).to_have_text("Your phone is ringing")
    await eye.look("3-ringing")
    await page.get_by_label("Verification code").fill("12")
    leg.tell(Answered())
    await expect(page.locator("#outcome")).to_have_text("The code was spoken. Enter it below.")
    await expect(page.locator(".steps")).to_contain_text("Dialing your extension")
    assert await page.evaluate("window.isTheSame")
    await expect(page.get_by_label("Verification code")).to_have_value("12")
    await eye.look("4-spoken")
    await page.get_by_label("Verification code").fill("000 000 0")
    await page.get_by_role("button", name="Verify").click()
    await expect(page.get_by_role("alert")).to_have_text("That code is not right. 4 tries left.")
    await eye.look("5-wrong")
    code = await site.code(made)
    await page.get_by_label("Verification code").fill(f"{code[:3]} {code[3:]}")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your phone is set up")
    await eye.look("6-done")
    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your phone is set up")


async def test_a_person_signs_in_after_their_line_was_busy(site: Site, page: Page, eye: Eye) -> None:
    async def busy(leg: ScriptedLeg) -> None:
        leg.tell(Hangup(sip_status=486))

    site.bench.pbx.plots = [busy, answers]
    await enrolled(site)
    made = await opened(site, page, PagePurpose.SIGN_IN)
    await expect(page.get_by_role("button", name="Call")).to_be_focused()
    await eye.look("1-ready")
    await page.keyboard.press("Enter")
    await expect(page.locator("#outcome")).to_contain_text("The line is busy.")
    await eye.look("2-busy")
    await page.get_by_role("button", name="Call again").click()
    await expect(page.locator("#outcome")).to_contain_text("The code was spoken.")
    await page.get_by_label("Verification code").fill(await site.code(made))
    await page.get_by_role("button", name="Verify").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("You are verified")


async def test_two_digits_of_the_call_are_shown_for_everybody(tmp_path: Path, page: Page, eye: Eye) -> None:
    async def rings(leg: ScriptedLeg) -> None:
        leg.tell(Rang())

    async with bench_in(tmp_path) as bench, site_of(bench, tmp_path, matching_digits=True) as site:
        site.bench.pbx.plots = [rings]
        await enrolled(site)
        await opened(site, page, PagePurpose.SIGN_IN)
        await page.get_by_role("button", name="Call").click()
        await expect(page.locator("[aria-current=step]")).to_have_text("Your phone is ringing")
        await expect(page.locator(".match strong")).to_have_text(re.compile(r"^\d \d$"))
        await eye.look("digits")


async def test_calling_again_counts_down_its_wait(tmp_path: Path, page: Page, eye: Eye) -> None:
    async def busy(leg: ScriptedLeg) -> None:
        leg.tell(Hangup(sip_status=486))

    spacing = timedelta(seconds=30)
    async with bench_in(tmp_path) as bench:
        bench.pbx.plots = [busy, answers]
        spaced = bench.rebuilt(policy=replace(UNHURRIED, call_spacing=(spacing,)))
        async with site_of(spaced, tmp_path, call_spacing=spacing) as site:
            await enrolled(site)
            await page.clock.install()
            made = await opened(site, page, PagePurpose.SIGN_IN)
            await page.get_by_role("button", name="Call").click()
            again = page.locator("#again button")
            await expect(again).to_have_text("You can call again in 30 s")
            await expect(again).to_be_disabled()
            await page.clock.run_for(12_000)
            await expect(again).to_have_text("You can call again in 18 s")
            await eye.look("waits")
            await page.clock.run_for(18_000)
            await expect(again).to_have_text("Call again")
            bench.clock.time += spacing
            await again.click()
            await expect(page.locator("#outcome")).to_contain_text("The code was spoken.")
            assert (await site.code(made)).isdecimal()


async def test_a_person_looks_at_their_settings(site: Site, page: Page, watch: Watch, eye: Eye) -> None:
    await enrolled(site)
    made = await opened(site, page, PagePurpose.SIGN_IN)
    await page.get_by_role("button", name="Call").click()
    await page.get_by_label("Verification code").fill(await site.code(made))
    await page.get_by_role("button", name="Verify").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("You are verified")
    await opened(site, page, PagePurpose.MANAGE)
    await expect(page.locator(".factor")).to_contain_text("Last used")
    await page.set_viewport_size(NARROW)
    assert await page.evaluate(_LINES_OF_DATES) == [1, 1, 1]
    await eye.look("1-settings")
    await page.get_by_role("link", name="Reset").click()
    await page.get_by_label("Phone number").fill("12")
    await page.get_by_role("button", name="Update and call").click()
    await expect(page.get_by_role("alert")).to_contain_text("This is not a phone number")
    watch.forgive("422")
    await expect(page.get_by_label("Phone number")).to_be_focused()
    await eye.look("2-number")
    await page.goto(page.url.removesuffix("/enroll"))
    await page.get_by_role("button", name="This wasn't me").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you for telling us")
    await eye.look("3-not-me")


async def test_a_person_without_javascript_sets_their_telephone_up(site: Site, watch: Watch) -> None:
    legs = asyncio.Queue[ScriptedLeg]()

    async def waits(leg: ScriptedLeg) -> None:
        legs.put_nowait(leg)

    site.bench.pbx.plots = [waits]
    page = await watch.open(java_script_enabled=False, viewport=NARROW)
    made = await opened(site, page, PagePurpose.ENROLL)
    await page.get_by_role("link", name="Set up").click()
    await page.get_by_label("Country").select_option("US")
    await page.get_by_label("Phone number").fill("202 555 0101")
    await page.get_by_role("button", name="Call").click()
    leg = await legs.get()
    leg.tell(Rang())
    await expect(page.locator("[aria-current=step]")).to_have_text("Your phone is ringing")
    leg.tell(Answered())
    code = await site.code(made)
    await expect(page.locator("#outcome")).to_have_text("The code was spoken. Enter it below.")
    await watch.picture(page, "spoken")
    await page.get_by_label("Verification code").fill(code)
    await page.get_by_role("button", name="Verify").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your phone is set up")


async def test_a_link_that_was_used_says_so(site: Site, page: Page, watch: Watch, eye: Eye) -> None:
    await opened(site, page, PagePurpose.ENROLL)
    used = page.url
    await page.context.clear_cookies()
    await page.goto(used)
    watch.forgive("410")
    await expect(page.get_by_role("heading", level=1)).to_have_text("This page is no longer available")
    await eye.look("gone")


async def test_pages_at_which_nothing_can_be_done_say_why(
    site: Site, page: Page, watch: Watch, eye: Eye, monkeypatch: pytest.MonkeyPatch
) -> None:
    title, base = page.get_by_role("heading", level=1), site.served.remote.base_url
    link, _ = await site.link(PagePurpose.ENROLL)
    await enrolled(site)
    await page.goto(f"{base}{link}")
    await expect(title).to_have_text("Your phone is set up already")
    await eye.look("1-active")

    await opened(site, page, PagePurpose.SIGN_IN)
    await page.evaluate("document.querySelector('input[name=form]').value = 'of another page'")
    await page.get_by_role("button", name="Call").click()
    await expect(title).to_have_text("That did not come from this page")
    watch.forgive("403")
    await eye.look("2-forbidden")

    made = await opened(site, page, PagePurpose.SIGN_IN)
    await page.get_by_role("button", name="Call").click()
    await site.code(made)
    site.bench.clock.time += timedelta(minutes=6)
    await page.goto(f"{base}/p/{made.session.id}")
    await expect(page.locator(".note")).to_contain_text("This code is too old.")
    await eye.look("3-expired")

    async def fail(*_: object) -> None:
        raise StoreError("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(site.bench.store, "page_session", fail)
        await page.goto(f"{base}/p/{made.session.id}")
        await expect(title).to_have_text("Something went wrong")
        watch.forgive("503")
        await eye.look("4-trouble")

    [record] = await site.bench.factors.list(TESTER, "alice")
    locked = replace(record.factor, state=FactorState.LOCKED)

    def lock(tx: Transaction) -> None:
        tx.save_factor(locked)

    await site.bench.store.transact(lock)
    for purpose, text in ((PagePurpose.SIGN_IN, "Your phone is locked"), (PagePurpose.MANAGE, "Your phone")):
        await opened(site, page, purpose)
        await expect(title).to_have_text(text)
        await eye.look(f"5-locked-{purpose}")
