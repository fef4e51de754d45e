"""The telephone in the browser on real calls, through the lab's PBX of each kind."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.accessibility import LOOKS
from tests.browser.conftest import AssertAccessible
from tests.browser.listening import Ear
from tests.browser.watching import Watch
from tests.pbx.conftest import EACH_PBX
from voicegate.client import AsyncClient, Call
from voicegate.config import project_folder
from voicegate.lab.browser import page_url
from voicegate.lab.deadlines import within
from voicegate.lab.ear import hear_code
from voicegate.lab.numbers import find_number
from voicegate.lab.telephones import AGAIN_S, REACTION_S
from voicegate.lab.testers import BROWSER
from voicegate.lab.world import Lab

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOOK_S = 0.2
HEAR_S = 2


async def opened(page: Page, lab: Lab) -> None:
    """Open the page, and wait until its telephone can be called."""
    await page.goto(await asyncio.to_thread(page_url, lab.settings))
    await expect(page.locator("#call-me")).to_be_enabled()


async def answered(page: Page) -> Ear:
    """Answer the call that comes, and listen to it."""
    await page.click("#answer")
    await expect(page.locator("#keypad button").first).to_be_enabled()
    ear = Ear(project_folder("sounds"))
    await ear.attach(page)
    return ear


async def press_asked_key(lab: Lab, page: Page, ear: Ear) -> None:
    """Press the key that is asked for, as a person does: anew whenever it is asked for again."""
    async with within(45):
        while not (await newest_call(lab)).evidence.human:
            if key := await asyncio.to_thread(ear.asked_key):
                for wait_s in (REACTION_S, AGAIN_S):
                    await asyncio.sleep(wait_s)
                    await page.locator("#keypad").get_by_text(key, exact=True).click()
            await asyncio.sleep(LOOK_S)


async def heard_code(ear: Ear, file: Path) -> str:
    """Listen to the call in progress until the code was made out twice alike, then from more of it."""
    before, code = None, None
    async with within(60):
        while code is None or code != before:
            before = code
            await asyncio.sleep(HEAR_S)
            code = await asyncio.to_thread(hear_code, ear.keep(file), 6)
    return code


async def newest_call(lab: Lab) -> Call:
    async with AsyncClient(socket=lab.settings.socket) as client:
        return (await client.calls(1, number=BROWSER))[0]


async def ended_call(lab: Lab) -> Call:
    """Wait for the end of the newest call."""
    async with within(20):
        while (call := await newest_call(lab)).ended_at is None:
            await asyncio.sleep(LOOK_S)
    return call


@dataclass(frozen=True)
class Person:
    """A person who tests: the telephone in one tab, the pages for people in another."""

    lab: Lab
    page: Page
    client: AsyncClient
    folder: Path

    async def comes(self, purpose: str) -> Page:
        """They are sent to the pages, in a tab beside the telephone's."""
        beside = await self.page.context.new_page()
        await beside.goto((await self.client.pages.create("tester", purpose)).url)
        return beside

    async def enrolls(self, beside: Page, extension: str, button: str) -> None:
        """Have the browser's telephone called as one with an extension."""
        await beside.get_by_label("Country").select_option(label="Company extension")
        await beside.get_by_label("Phone number").fill(BROWSER)
        await beside.get_by_label("Extension (optional)").fill(extension)
        await beside.get_by_role("button", name=button, exact=True).click()

    async def is_busy(self, beside: Page) -> None:
        """Have a telephone called that is busy with another call."""
        await beside.get_by_label("Country").select_option("US")
        await beside.get_by_label("Phone number").fill(find_number("busy").american())
        await beside.get_by_role("button", name="Call", exact=True).click()
        await expect(beside.locator("#outcome")).to_have_text(
            "The line is busy. End the other call, then call again."
        )

    async def hears(self, beside: Page, heading: str, *, after_wrong: Watch | None = None) -> Ear:
        """Take the call, enter the code that it speaks, and hang up once the page says that it was right.

        `after_wrong`: a wrong code is entered first, and the page pictured that says so.
        """
        ear = await answered(self.page)
        await expect(beside.locator(".steps")).to_contain_text("Dialing your extension")
        await press_asked_key(self.lab, self.page, ear)
        code = await heard_code(ear, self.folder / "heard.wav")
        if after_wrong is not None:
            await enter_on_page(beside, other_than(code))
            await expect(beside.get_by_role("alert")).to_have_text("That code is not right. 4 tries left.")
            await after_wrong.picture(beside, "wrong-code")
        await enter_on_page(beside, f"{code[:3]} {code[3:]}")
        await expect(beside.get_by_role("heading", level=1)).to_have_text(heading)
        await self.page.click("#hang-up")
        await expect(self.page.locator("#state")).to_have_text("You hung up. Ready for calls.")
        call = await ended_call(self.lab)
        assert (call.outcome, call.evidence.strongest) == ("delivered", "announced")
        assert call.evidence.human
        assert call.evidence.media
        return ear


@EACH_PBX
async def test_a_person_enrolls_signs_in_and_resets_with_a_browser_alone(
    lab: Lab, page: Page, watch: Watch, tmp_path: Path
) -> None:
    await opened(page, lab)
    url, _, key = (await asyncio.to_thread(page_url, lab.settings)).partition("#key=")
    async with AsyncClient(base_url=url.removesuffix("/lab"), key=key) as client:
        # Whatever an earlier run of the same lab left.
        await client.factors.reset_all("tester")
        person = Person(lab, page, client, tmp_path)
        async with page.context.expect_page() as opening:
            await page.get_by_role("button", name="Open the pages").click()
        beside = await opening.value
        await beside.get_by_role("link", name="Set up").click()
        await person.is_busy(beside)
        await watch.picture(beside, "busy")
        await beside.get_by_role("link", name="Use another number").click()
        await person.enrolls(beside, "204", "Call")
        await expect(page.locator("#caller")).to_have_text("Voicegate · 4000")
        await watch.picture(page, "ringing")
        ear = await person.hears(beside, "Your phone is set up")
        assert ear.peak > 3000
        await watch.picture(beside, "set-up")

        beside = await person.comes("sign_in")
        await beside.get_by_role("button", name="Call").click()
        await person.hears(beside, "You are verified", after_wrong=watch)
        await watch.picture(beside, "verified")

        beside = await person.comes("manage")
        await beside.get_by_role("link", name="Reset").click()
        await person.enrolls(beside, "205", "Update and call")
        await person.hears(beside, "Your new phone is set up")
        await watch.picture(beside, "replaced")

        beside = await person.comes("sign_in")
        await beside.get_by_role("button", name="Call").click()
        await answered(page)
        # Nothing more comes of the call then that would show the page's end before a code is entered.
        await expect(beside.locator(".steps")).to_contain_text("Press the key that you are asked for")
        await asyncio.to_thread(let_codes_expire, lab)
        await enter_on_page(beside, "000000")
        too_old = "This code is too old. Call again for a new one."
        await expect(beside.locator("main")).to_contain_text(too_old)
        await watch.picture(beside, "expired-code")
        await beside.get_by_role("button", name="This wasn't me").click()
        await expect(beside.get_by_role("heading", level=1)).to_have_text("Thank you for telling us")
        await expect(page.locator("#state")).to_have_text("The caller hung up. Ready for calls.")
        await watch.picture(beside, "not-me")
        assert (await ended_call(lab)).outcome == "canceled"


async def enter_on_page(beside: Page, code: str) -> None:
    await beside.get_by_label("Verification code").fill(code)
    await beside.get_by_role("button", name="Verify").click()


def other_than(code: str) -> str:
    """A code that is wrong."""
    return str((int(code) + 1) % 1_000_000).zfill(6)


def let_codes_expire(lab: Lab) -> None:
    """Let the time of every code be over, as five minutes would."""
    with closing(sqlite3.connect(lab.settings.folder / "voicegate.db")) as database, database:
        database.execute("UPDATE challenges SET expires_at = issued_at WHERE state = 'delivering'")


async def enter(page: Page, code: str) -> None:
    await page.fill("#code", code)
    await page.get_by_role("button", name="Verify").click()


@EACH_PBX
async def test_a_person_signs_in_with_a_browser_alone(
    lab: Lab, page: Page, watch: Watch, tmp_path: Path
) -> None:
    await opened(page, lab)
    await page.click("#call-me")
    await expect(page.locator("#caller")).to_have_text("Voicegate · 4000")
    await expect(page.locator("#answer")).to_be_enabled()
    await watch.picture(page, "ringing")
    ear = await answered(page)
    await press_asked_key(lab, page, ear)
    await expect(page.locator("#steps")).to_contain_text("Speaking the code")
    await watch.picture(page, "speaking")
    code = await heard_code(ear, tmp_path / "heard.wav")
    assert ear.peak > 3000
    await enter(page, other_than(code))
    await expect(page.locator("#result")).to_have_text("That is not the code.")
    await enter(page, f"{code[:3]} {code[3:]}")
    await expect(page.locator("#result")).to_have_text("Done: you are signed in.")
    await watch.picture(page, "done")
    await page.click("#hang-up")
    await expect(page.locator("#steps")).to_contain_text("the code was spoken")
    call = await ended_call(lab)
    assert (call.outcome, call.evidence.strongest, call.evidence.human) == ("delivered", "announced", True)
    assert call.evidence.media


@EACH_PBX
async def test_a_call_that_is_declined_is_told_as_such(lab: Lab, page: Page) -> None:
    await opened(page, lab)
    await page.click("#call-me")
    await expect(page.locator("#answer")).to_be_enabled()
    await page.click("#hang-up")
    await expect(page.locator("#state")).to_have_text("You declined. Ready for calls.")
    await expect(page.locator("#steps")).to_contain_text("The call was declined")
    await expect(page.locator("#call-me")).to_be_visible()
    await enter(page, "000000")
    await expect(page.locator("#result")).to_have_text("That is not the code.")


async def test_the_page_is_for_everybody(
    lab: Lab, page: Page, watch: Watch, assert_accessible: AssertAccessible
) -> None:
    await opened(page, lab)
    for look, (scheme, size) in LOOKS.items():
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await page.set_viewport_size(size)
        await watch.picture(page, look)
        await assert_accessible(page)
    assert page.url.endswith("/lab")


async def test_without_the_key_the_page_tells_nothing(
    lab: Lab, page: Page, watch: Watch, assert_accessible: AssertAccessible
) -> None:
    await page.goto((await asyncio.to_thread(page_url, lab.settings)).partition("#")[0])
    await expect(page.get_by_label("API key")).to_be_visible()
    await assert_accessible(page)
    await page.fill("#key", "vgk_wrong")
    await page.get_by_role("button", name="Open").click()
    await expect(page.get_by_role("alert")).not_to_be_empty()
    await expect(page.locator("#telephone")).to_be_hidden()
    await watch.picture(page, "locked")
    watch.forgive("401")
