"""Codes tried out on the pages: over several page sessions, browsers and subscribers."""

import re
from datetime import timedelta

from tests.unit.adapters.web.browsing import Browser, Site
from tests.unit.application.conftest import NUMBER
from voicegate.application.page_sessions import PageCreated
from voicegate.domain.page_session import PagePurpose

BUDGET = 20
"""Wrong guesses that a subscriber, or a number, has in a window."""
TOO_MANY = "There were too many wrong codes lately."


async def called(site: Site, browser: Browser, subscriber: str = "alice") -> PageCreated:
    """A new page session in this browser, which asks for a call."""
    site.bench.clock.time += timedelta(seconds=1)
    url, made = await site.link(PagePurpose.SIGN_IN, subscriber=subscriber)
    await browser.get(url)
    await browser.submit("call")
    return made


async def wrong(browser: Browser, times: int) -> int:
    """Try wrong codes; return how many were judged."""
    judged = 0
    for _ in range(times):
        if not [form for form in browser.read.forms if form.action.endswith("/verify")]:
            break
        await browser.submit("verify", code="0000000")
        judged += (
            re.search("That code is not right|Too many wrong codes. Call again", browser.words) is not None
        )
    return judged


async def signs_in(site: Site, browser: Browser, made: PageCreated) -> None:
    await browser.get(f"/p/{made.session.id}")
    await browser.submit("verify", code=await site.code(made))
    assert browser.title == "You are verified"


async def test_several_page_sessions_of_one_subscriber_share_their_guesses(site: Site) -> None:
    await site.enrolled()
    await site.enrolled("bob", "+12025550102")
    judged = 0
    for round_ in range(8):
        async with site.browser() as thief:
            made = await called(site, thief)
            if TOO_MANY in thief.words:
                break
            await site.code(made)
            await thief.get(f"/p/{made.session.id}")
            # Of the last code one guess is left: for who knows it.
            judged += await wrong(thief, 5 if round_ < 3 else 4)
            if round_ == 3:
                await signs_in(site, thief, made)
    assert (round_, judged) == (4, BUDGET - 1)
    async with site.browser() as browser:
        await signs_in(site, browser, await called(site, browser, "bob"))
    site.bench.clock.time += timedelta(days=1)
    async with site.browser() as browser:
        await signs_in(site, browser, await called(site, browser))


async def test_an_open_code_is_right_however_many_were_tried_in_other_page_sessions(site: Site) -> None:
    """The attacker's page sessions have no code of their own: what they send is no guess."""
    await site.enrolled()
    async with site.browser() as browser:
        made = await called(site, browser)
        await site.code(made)
        for _ in range(8):
            async with site.browser() as thief:
                url, other = await site.link(PagePurpose.SIGN_IN)
                await thief.get(url)
                token = thief.read.forms[0].fields["form"]
                for _ in range(5):
                    sent = {"form": token, "code": "0000000"}
                    answer = await thief.http.post(f"/p/{other.session.id}/verify", data=sent)
                    assert answer.headers["Location"].endswith("error=error_no_code")
        await signs_in(site, browser, made)


async def test_several_subscribers_of_one_number_share_its_guesses(site: Site) -> None:
    names = [f"person {count}" for count in range(8)]
    for name in names:
        await site.enrolled(name, NUMBER)
    await site.enrolled("bob", "+12025550102")
    async with site.browser() as honest:
        # A code that is out before all others: its guesses are kept for it.
        made = await called(site, honest, names.pop())
        await site.code(made)
        judged, refused = 0, 0
        for name in names:
            async with site.browser() as thief:
                own = await called(site, thief, name)
                if TOO_MANY in thief.words:
                    refused += 1
                    continue
                await site.code(own)
                await thief.get(f"/p/{own.session.id}")
                judged += await wrong(thief, 5)
        assert (judged, refused) == (BUDGET - 5, 4)
        await signs_in(site, honest, made)
    async with site.browser() as browser:
        await signs_in(site, browser, await called(site, browser, "bob"))
