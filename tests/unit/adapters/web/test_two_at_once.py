"""Two tabs at the very same moment, two browsers with one link, and a page session taken elsewhere: what is
asked for twice happens once."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.unit.adapters.web.browsing import BACK, Browser, Site
from tests.unit.application.conftest import ADMIN, NUMBER, TESTER
from tests.unit.application.scripted import ScriptedLeg
from voicegate.application.listing import AuditFilter, CallFilter
from voicegate.application.page_sessions import PageCreated, PageResultTold
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.call import Rang
from voicegate.domain.factor import FactorState
from voicegate.domain.page_session import PagePurpose, PageResult
from voicegate.domain.phone_number import Destination
from voicegate.lab.deadlines import within

TABS = 4


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


async def opened(site: Site, browser: Browser, purpose: PagePurpose) -> PageCreated:
    url, made = await site.link(purpose, return_url=BACK)
    await browser.get(url)
    return made


async def at_once(browser: Browser, made: PageCreated, *posts: tuple[str, Mapping[str, str]]) -> list[str]:
    """Send forms of one browser's tabs at the same moment; return where each is led."""
    await browser.get(f"/p/{made.session.id}?step=number")
    token = browser.read.forms[0].fields["form"]

    async def post(action: str, typed: Mapping[str, str]) -> httpx.Response:
        return await browser.http.post(f"/p/{made.session.id}/{action}", data={"form": token, **typed})

    answers = await asyncio.gather(*(post(action, typed) for action, typed in posts))
    assert {answer.status_code for answer in answers} == {303}, [answer.text for answer in answers]
    return [answer.headers["Location"] for answer in answers]


async def decisions(site: Site, action: str) -> Counter[str]:
    return Counter(
        entry.decision for entry in await site.bench.audit.entries(100, AuditFilter(action=action))
    )


async def calls(site: Site) -> int:
    """How many calls of all codes there were, once the first one is on the wire."""
    async with within(30):
        while not site.bench.pbx.legs:
            await asyncio.sleep(0)
    return len(await site.bench.challenges.calls(ADMIN, 10, CallFilter()))


async def results(site: Site, made: PageCreated, codes: Sequence[str]) -> list[PageResult | None]:
    """What the backend is told when it asks with all these codes at the same moment."""
    redeem = site.bench.app.pages.redeem
    told = await asyncio.gather(*(redeem(TESTER, code, made.state) for code in codes))
    assert all(isinstance(answer, PageResultTold | NotFound) for answer in told)
    return [answer.session.result for answer in told if isinstance(answer, PageResultTold)]


async def test_a_call_that_tabs_ask_for_at_once_is_one(site: Site) -> None:
    site.bench.pbx.plots = [rings]
    await site.enrolled()
    async with site.browser() as browser:
        made = await opened(site, browser, PagePurpose.SIGN_IN)
        places = await at_once(browser, made, *[("call", {})] * TABS)
        here = f"/p/{made.session.id}"
        assert Counter(place.partition("?")[2][:23] for place in places) == {
            "": 1,
            "error=error_in_progress": TABS - 1,
        }
        assert all(place.partition("?")[0] == here for place in places)
    assert await calls(site) == 1
    assert (await decisions(site, "page.call"))["allowed"] == 1


async def test_a_code_that_tabs_enter_at_once_counts_once(site: Site) -> None:
    await site.enrolled()
    async with site.browser() as browser:
        made = await opened(site, browser, PagePurpose.SIGN_IN)
        await browser.submit("call")
        code = await site.code(made)
        places = await at_once(browser, made, *[("verify", {"code": code})] * TABS)
        assert set(places) == {f"/p/{made.session.id}"}
        assert (await decisions(site, "page.verify"))["verified"] == 1
        back = [(await browser.get(f"/p/{made.session.id}")).headers["Location"] for _ in range(TABS)]
        [result_code] = {parse_qs(urlsplit(url).query)["result_code"][0] for url in back}
        assert await results(site, made, [result_code] * TABS) == [PageResult.SIGNED_IN]


async def test_wrong_codes_that_tabs_enter_at_once_all_count(site: Site) -> None:
    """However they come: a code has five guesses."""
    await site.enrolled()
    async with site.browser() as browser:
        made = await opened(site, browser, PagePurpose.SIGN_IN)
        await browser.submit("call")
        code = await site.code(made)
        places = await at_once(browser, made, *[("verify", {"code": "0000000"})] * 12)
        assert sum("error=error_code" in place for place in places) == 4
        await browser.get(f"/p/{made.session.id}")
        assert "Too many wrong codes." in browser.words
        await at_once(browser, made, ("verify", {"code": code}))
        await browser.get(f"/p/{made.session.id}")
        assert browser.title != "You are verified"


async def test_a_number_that_tabs_enter_at_once_is_enrolled_and_called_once(site: Site) -> None:
    site.bench.pbx.plots = [rings]
    async with site.browser() as browser:
        made = await opened(site, browser, PagePurpose.ENROLL)
        typed = {"country": "US", "number": NUMBER, "extension": ""}
        places = await at_once(browser, made, *[("enroll", typed)] * TABS)
        assert set(places) == {f"/p/{made.session.id}"}
    assert await calls(site) == 1
    [record] = await site.bench.factors.list(TESTER, "alice")
    assert record.factor.destination == Destination(NUMBER)


async def test_of_numbers_that_tabs_enter_at_once_one_is_kept_and_only_its_code_counts(site: Site) -> None:
    async with site.browser() as browser:
        made = await opened(site, browser, PagePurpose.ENROLL)
        numbers = [f"+1202555010{last}" for last in range(1, TABS + 1)]
        posts = [("enroll", {"country": "US", "number": number, "extension": ""}) for number in numbers]
        await at_once(browser, made, *posts)
        [record] = await site.bench.factors.list(TESTER, "alice")
        code = await site.code(made)
        await browser.get(f"/p/{made.session.id}")
        await browser.submit("verify", code=code)
        assert browser.title == "Your phone is set up"
        [kept] = await site.bench.factors.list(TESTER, "alice")
    assert (kept.factor.id, kept.factor.state) == (record.factor.id, FactorState.ACTIVE)
    assert kept.factor.destination.number in numbers


async def test_a_code_and_this_was_not_me_at_once_have_one_result(site: Site) -> None:
    await site.enrolled()
    async with site.browser() as browser:
        made = await opened(site, browser, PagePurpose.SIGN_IN)
        await browser.submit("call")
        code = await site.code(made)
        await at_once(browser, made, ("verify", {"code": code}), ("not-me", {}))
        page = await browser.get(f"/p/{made.session.id}")
        url = page.headers.get("Location") or next(
            link for link in browser.read.links if link.startswith(BACK)
        )
        result_code = parse_qs(urlsplit(url).query)["result_code"][0]
        told = await results(site, made, [result_code, result_code])
    assert told in ([PageResult.SIGNED_IN], [PageResult.NOT_ME])


async def test_a_url_that_browsers_open_at_once_is_for_one_of_them(site: Site) -> None:
    url, made = await site.link()
    async with site.browser() as one, site.browser() as other:
        answers = await asyncio.gather(*(browser.http.get(url) for browser in (one, other) * 3))
        assert sum(answer.status_code == 303 and "Set-Cookie" in answer.headers for answer in answers) == 1
        pages = [await browser.http.get(f"/p/{made.session.id}") for browser in (one, other)]
    assert sorted(page.status_code for page in pages) == [200, 410]


@pytest.mark.parametrize(
    "header", ["", "voicegate_page=", "voicegate_page={other}", "voicegate_page={digest}"]
)
async def test_a_page_session_is_gone_for_every_other_device(site: Site, header: str) -> None:
    """With its address, its link and a cookie of the other device's own: no page, no code, no stream."""
    await site.enrolled()
    async with site.browser() as browser, site.browser() as device:
        made = await opened(site, browser, PagePurpose.SIGN_IN)
        await browser.submit("call")
        token, code = browser.read.forms[0].fields["form"], await site.code(made)
        mine = await opened(site, device, PagePurpose.SIGN_IN)
        other = next(cookie.value for cookie in device.http.cookies.jar if mine.session.id in cookie.path)
        stored = await site.bench.store.page_session(made.session.id)
        assert stored is not None
        assert stored.cookie_digest is not None
        cookie = header.format(other=other, digest=stored.cookie_digest.hex())
        device.http.cookies.clear()
        device.http.headers["Cookie"] = cookie
        here = f"/p/{made.session.id}"
        asked = [await device.http.get(f"{here}{path}") for path in ("", "/events", "/brand.css", "/logo")]
        asked.append(await device.http.get(f"{here}/start/{made.secret}"))
        for action in ("call", "verify", "enroll", "not-me", "format"):
            asked.append(await device.http.post(f"{here}/{action}", data={"form": token, "code": code}))
        assert {answer.status_code for answer in asked} == {410}
        assert not any("Set-Cookie" in answer.headers or "••" in answer.text for answer in asked)
        await browser.get(here)
        await browser.submit("verify", code=code)
        assert browser.answer.headers["Location"].startswith(BACK)
