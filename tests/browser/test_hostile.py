"""What somebody hostile can have shown on a page is shown as it is written, and runs nothing."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.sip import SipPeer, sip_peer
from tests.browser.watching import Watch
from tests.unit.adapters.http.serving import serving
from tests.unit.adapters.web.browsing import Site, site_of
from tests.unit.application.conftest import NUMBER, TESTER, Bench, bench_in
from voicegate.adapters.web.branding import Brand
from voicegate.adapters.web.numbers import Picker
from voicegate.adapters.web.showing import PageWriter
from voicegate.bootstrap.doors import telephone_doors
from voicegate.config import CallerIdSettings, InternalSettings, Settings, Testing
from voicegate.domain.client import Scope
from voicegate.domain.page_session import PagePurpose

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVIL = "<img src=x onerror='window.pwned = 1'><script>window.pwned = 1</script>\"'{{7*7}}&amp;"
SHORT = EVIL[:40]
"""As much of it as a field takes."""


async def assert_harmless(page: Page) -> None:
    assert await page.evaluate("window.pwned === undefined")
    assert await page.locator("img[src='x'], script:not([src])").count() == 0


@asynccontextmanager
async def evil_site(folder: Path) -> AsyncIterator[Site]:
    brand = Brand(EVIL)
    writer = PageWriter({TESTER.name: brand}, brand, Picker(("US",), has_internal=True))
    async with bench_in(folder) as bench, site_of(bench, folder, writer=writer) as site:
        yield site


async def test_people_are_shown_it_as_it_is_written(tmp_path: Path, watch: Watch) -> None:
    page = await watch.open(user_agent=EVIL.replace("\n", ""), locale="en-US")
    async with evil_site(tmp_path) as site:
        path, made = await site.link(
            alternative_url=f"https://other.example/{EVIL}", reference=EVIL, subscriber=EVIL
        )
        await page.goto(f"{site.served.remote.base_url}{path}")
        assert EVIL in await page.title()
        await expect(page.locator(".brand")).to_have_text(EVIL)
        await expect(page.locator(".lead")).to_contain_text(EVIL)
        await assert_harmless(page)
        await page.get_by_role("link", name="Set up").click()
        await page.get_by_label("Country").select_option("US")
        for field in ("Phone number", "Extension (optional)"):
            await page.get_by_label(field).fill(EVIL)
        await page.evaluate("document.getElementById('country').options[0].value = 'XX\"><b>'")
        await page.get_by_role("button", name="Call").click()
        await expect(page.get_by_role("alert")).to_contain_text("This is not a phone number")
        watch.forgive("422")
        await expect(page.get_by_label("Phone number")).to_have_value(SHORT)
        await expect(page.get_by_label("Extension (optional)")).to_have_value(SHORT)
        await assert_harmless(page)
        await page.get_by_label("Extension (optional)").fill("204")
        await page.get_by_label("Phone number").fill(NUMBER)
        await page.get_by_role("button", name="Call").click()
        await page.get_by_label("Verification code").fill(SHORT)
        await page.get_by_role("button", name="Verify").click()
        await expect(page.get_by_role("alert")).to_have_text("A code has 6 digits. Check what you typed.")
        await page.get_by_label("Verification code").fill(await site.code(made))
        await page.get_by_role("button", name="Verify").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your phone is set up")
        await assert_harmless(page)


async def test_settings_and_errors_show_it_as_it_is_written(tmp_path: Path, watch: Watch, page: Page) -> None:
    async with evil_site(tmp_path) as site:
        await site.enrolled(EVIL)
        path, made = await site.link(PagePurpose.MANAGE, subscriber=EVIL, return_url=None)
        here = f"{site.served.remote.base_url}/p/{made.session.id}"
        await page.goto(f"{site.served.remote.base_url}{path}")
        await expect(page.locator("main")).to_contain_text(EVIL)
        await assert_harmless(page)
        for address in (f"{here}?error={EVIL}&wait={EVIL}", f"{here}/x{EVIL}".replace("/x<", "/x%3C")):
            await page.goto(address)
            await assert_harmless(page)
        watch.forgive("404")


def settings_of(folder: Path, websocket_url: str) -> Settings:
    file = folder / "password"
    file.write_text("secret\n")
    own = Testing(enabled=True, websocket_url=websocket_url, account="4109", password_file=str(file))
    desks = InternalSettings(pbx="main", pattern="41[0-9]{2}", caller_id=CallerIdSettings(number="4000"))
    return Settings(testing=own, internal={"desks": desks})


@asynccontextmanager
async def lab_page(bench: Bench, folder: Path, page: Page) -> AsyncIterator[tuple[str, SipPeer]]:
    async with sip_peer() as (peer, websocket_url):
        doors = telephone_doors(settings_of(folder, websocket_url))
        async with serving(bench, folder, doors=doors) as served:
            headers = await served.key(Scope.VERIFICATIONS, name="lab")
            key = headers["Authorization"].removeprefix("Bearer ")
            yield f"{served.remote.base_url}/lab#key={key}", peer


@pytest.mark.parametrize(
    ("caller", "shown"),
    [
        (f'"{EVIL.replace(chr(34), "")}" <sip:4000@127.0.0.1>', f"{EVIL.replace(chr(34), '')} · 4000"),
        ("<sip:%3Cscript%3Ewindow.pwned=1%3C%2Fscript%3E@127.0.0.1>", "<script>window.pwned=1</script>"),
    ],
)
async def test_the_telephone_shows_a_callers_name_as_it_is_written(
    tmp_path: Path, page: Page, caller: str, shown: str
) -> None:
    async with bench_in(tmp_path) as bench, lab_page(bench, tmp_path, page) as (address, peer):
        await page.goto(address)
        await expect(page.locator("#call-me")).to_be_enabled()
        await peer.call(caller)
        await expect(page.locator("#state")).to_have_text("Ringing…")
        await expect(page.locator("#caller")).to_have_text(shown)
        await assert_harmless(page)
        assert await page.locator("#caller > *").count() == 0
        await page.click("#hang-up")
        await expect(page.locator("#state")).to_have_text("You declined. Ready for calls.")


async def test_the_lab_page_shows_what_the_api_says_as_it_is_written(
    tmp_path: Path, page: Page, watch: Watch
) -> None:
    async def evil_account(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, json=await answer.json() | {"destination": EVIL})

    async def refuse(route: Route) -> None:
        problem = json.dumps({"title": "x", "detail": EVIL})
        await route.fulfill(status=422, content_type="application/problem+json", body=problem)

    async with bench_in(tmp_path) as bench, lab_page(bench, tmp_path, page) as (address, _):
        await page.route("**/lab/account", evil_account)
        await page.route(re.compile("/v1/"), refuse)
        await page.goto(address)
        await expect(page.locator("#destination")).to_have_text(EVIL)
        await page.click("#call-me")
        await expect(page.locator("#result")).to_have_text(EVIL)
        await assert_harmless(page)
        watch.forgive("422")
