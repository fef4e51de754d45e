"""What goes wrong for people on the pages, and what they do about it: with JavaScript and without."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.watching import Watch
from tests.unit.adapters.web.browsing import Site, site_of
from tests.unit.application.conftest import ADMIN, NUMBER, TESTER, bench_in
from tests.unit.application.scripted import ScriptedLeg, answers
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.page_sessions import PageCreated
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.page_session import PagePurpose
from voicegate.domain.phone_number import Destination
from voicegate.lab.deadlines import within

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEW_NUMBER = "+12025550102"


@dataclass(frozen=True)
class Person:
    """Somebody at the pages, who has set up an office telephone."""

    site: Site
    page: Page
    watch: Watch
    has_script: bool

    async def comes(self, purpose: PagePurpose) -> PageCreated:
        """They are sent to the pages."""
        path, made = await self.site.link(purpose)
        await self.page.goto(f"{self.site.served.remote.base_url}{path}")
        return made

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def calls_again(self) -> None:
        """They press until they are called: the page may be just renewing itself below the finger."""
        made = self.site.bench.pbx.legs
        before = len(made)
        async with within(60):
            while len(made) == before:
                await self.press("Call again")
                with suppress(TimeoutError):
                    async with within(5):
                        while len(made) == before:
                            await asyncio.sleep(0.05)

    async def enter(self, code: str) -> None:
        await self.page.get_by_label("Verification code").fill(code)
        await self.press("Verify")

    async def learns(self, made: PageCreated, ending: str) -> str:
        """Wait until the call has ended, and read so; return its code."""
        code = await self.site.code(made)
        if not self.has_script:
            await self.page.get_by_role("link", name="Show what is new").click()
        await expect(self.page.locator("#outcome")).to_contain_text(ending)
        return code

    async def reads(self, text: str, role: str = "h1") -> None:
        await expect(self.page.locator(role)).to_contain_text(text)
        await self.watch.picture(self.page, text.partition(".")[0])


@pytest_asyncio.fixture(loop_scope="session", params=["with JavaScript", "without JavaScript"])
async def person(tmp_path: Path, watch: Watch, request: pytest.FixtureRequest) -> AsyncIterator[Person]:
    has_script = request.param == "with JavaScript"
    page = await watch.open(java_script_enabled=has_script, viewport={"width": 340, "height": 700})
    async with bench_in(tmp_path) as bench, site_of(bench, tmp_path) as site:
        telephone = Destination(NUMBER, "204")
        await site.bench.enrollment.enroll(
            EnrollRequest(replace(ADMIN, name=TESTER.name), "alice", telephone, is_proven=True)
        )
        yield Person(site, page, watch, has_script)


async def busy(leg: ScriptedLeg) -> None:
    leg.tell(Hangup(sip_status=486))


async def test_a_person_signs_in_after_a_busy_line_a_wrong_code_and_an_expired_one(person: Person) -> None:
    person.site.bench.pbx.plots = [busy, answers]
    made = await person.comes(PagePurpose.SIGN_IN)
    await person.press("Call")
    await person.learns(made, "The line is busy. End the other call, then call again.")
    await person.calls_again()
    first = await person.learns(made, "The code was spoken.")
    await person.enter(f"{(int(first) + 1) % 1_000_000:06}")
    await person.reads("That code is not right. 4 tries left.", "[role=alert]")
    person.site.bench.clock.time += timedelta(minutes=6)
    await person.enter(first)
    await person.reads("This code is too old. Call again for a new one.", ".note, [role=alert]")
    await person.calls_again()
    second = await person.learns(made, "The code was spoken.")
    assert second != first
    await person.enter(f" {second[:3]}-{second[3:]} ")
    await person.reads("You are verified")


async def test_a_person_resets_their_telephone_and_activates_the_new_one(person: Person) -> None:
    made = await person.comes(PagePurpose.MANAGE)
    await person.page.get_by_role("link", name="Reset").click()
    await person.page.get_by_label("Country").select_option("US")
    await person.page.get_by_label("Phone number").fill("202 555 0102")
    await person.press("Update and call")
    code = await person.learns(made, "The code was spoken.")
    await person.enter(code)
    await person.reads("Your new phone is set up")
    [record] = await person.site.bench.factors.list(TESTER, "alice")
    assert record.factor.destination == Destination(NEW_NUMBER)


async def test_a_person_who_did_not_ask_for_a_call_says_so(person: Person) -> None:
    made = await person.comes(PagePurpose.SIGN_IN)
    await person.press("Call")
    await person.learns(made, "The code was spoken.")
    await person.press("This wasn't me")
    await person.reads("Thank you for telling us")
    [record] = await person.site.bench.factors.list(TESTER, "alice")
    assert record.challenge is not None
    assert record.challenge.challenge.state is ChallengeState.CANCELED
