"""What people do on the pages, from the first to the last, without JavaScript."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.unit.adapters.web.browsing import BACK, Browser, Site, site_of
from tests.unit.application.conftest import ADMIN, NUMBER, TESTER, UNHURRIED, Bench
from tests.unit.application.scripted import ScriptedLeg, answers
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.page_sessions import PageCreated, PageResultTold
from voicegate.domain.call import Rang
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.page_session import PagePurpose, PageResult
from voicegate.domain.phone_number import Destination


async def enrolled(site: Site, extension: str | None = None) -> None:
    request = EnrollRequest(
        replace(ADMIN, name=TESTER.name), "alice", Destination(NUMBER, extension), is_proven=True
    )
    await site.bench.enrollment.enroll(request)


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


async def told(site: Site, made: PageCreated, url: str) -> PageResult | None:
    """What the backend is told when the person comes back."""
    query = parse_qs(urlsplit(url).query)
    assert query["page_session"] == [made.session.id]
    answer = await site.bench.app.pages.redeem(TESTER, query["result_code"][0], made.state)
    return answer.session.result if isinstance(answer, PageResultTold) else None


async def test_a_person_sets_their_telephone_up(site: Site) -> None:
    url, made = await site.link(return_url=BACK, alternative_url="https://app.example/other")
    async with site.browser() as browser:
        await browser.get(url)
        assert browser.title == "Extra verification is required for your account"
        assert "https://app.example/other" in browser.read.links
        await site.enroll(browser, "(202) 555-0101", country="US", extension="204")
        assert browser.title == "Call is in progress…"
        await browser.submit("verify", code=await site.code(made))
        assert browser.title == "Your phone is set up"
        back = next(link for link in browser.read.links if link.startswith(BACK))
        assert await told(site, made, back) is PageResult.ENROLLED
        [record] = await site.bench.factors.list(TESTER, "alice")
        assert record.factor.destination == Destination(NUMBER, "204")
        await browser.get(f"/p/{made.session.id}")
        assert BACK in browser.read.links


async def test_the_call_is_told_step_by_step(site: Site) -> None:
    url, made = await site.link()
    async with site.browser() as browser:
        await browser.get(url)
        await site.enroll(browser, extension="204")
        code = await site.code(made)
        await browser.get(f"/p/{made.session.id}")
        steps = [
            *("Getting ready to call", "Dialing your number", "Your phone is ringing", "Call answered"),
            *("Dialing your extension", "Press the key that you are asked for to hear the code"),
            *("Key pressed", "Speaking the code", "Speaking the code again", "Call ended"),
        ]
        places = [browser.words.index(step) for step in steps]
        assert places == sorted(places)
        assert browser.title == "Enter the code from the call"
        assert "The code was spoken. Enter it below." in browser.words
        assert code not in browser.answer.text


async def test_a_person_signs_in_and_is_sent_back_at_once(site: Site) -> None:
    await enrolled(site, "204")
    url, made = await site.link(PagePurpose.SIGN_IN, return_url=BACK)
    async with site.browser() as browser:
        await browser.get(url)
        assert browser.title == "Enter your voice call verification code"
        assert "+1••••••••01" in browser.words
        assert NUMBER not in browser.answer.text
        await browser.submit("call")
        await browser.submit("verify", code=await site.code(made))
        assert browser.answer.status_code == 303
        assert await told(site, made, browser.answer.headers["Location"]) is PageResult.SIGNED_IN


@pytest.mark.parametrize("shape", ["{0} {1}", " {0}-{1} ", "{0}\u00a0{1}", "full-width"])
async def test_a_code_is_taken_as_people_type_it(site: Site, shape: str) -> None:
    await enrolled(site)
    url, made = await site.link(PagePurpose.SIGN_IN)
    async with site.browser() as browser:
        await browser.get(url)
        await browser.submit("call")
        code = await site.code(made)
        wide = "".join(chr(0xFF10 + int(digit)) for digit in code)
        typed = wide if shape == "full-width" else shape.format(code[:3], code[3:])
        await browser.submit("verify", code=typed)
        assert browser.title == "You are verified"
        assert "You can close this page." in browser.words


async def test_a_sign_in_without_a_telephone_leads_into_setting_one_up(site: Site) -> None:
    url, made = await site.link(PagePurpose.SIGN_IN, return_url=BACK)
    async with site.browser() as browser:
        await browser.get(url)
        assert browser.title == "Extra verification is required for your account"
        await site.enroll(browser)
        await browser.submit("verify", code=await site.code(made))
        assert browser.title == "Your phone is set up"


async def test_a_telephone_is_replaced_in_the_settings(site: Site) -> None:
    await enrolled(site)
    url, made = await site.link(PagePurpose.MANAGE, return_url=BACK)
    async with site.browser() as browser:
        await browser.get(url)
        assert browser.title == "Your phone"
        assert "Active" in browser.words
        await browser.get(browser.read.links[0])
        assert browser.title == "Enter your new number"
        await browser.submit("enroll", number="202 555 0102", country="US")
        await browser.submit("verify", code=await site.code(made))
        assert browser.title == "Your new phone is set up"
        [record] = await site.bench.factors.list(TESTER, "alice")
        assert record.factor.destination == Destination("+12025550102")


async def test_settings_say_when_a_telephone_was_used_and_when_it_was_called(site: Site) -> None:
    await enrolled(site)

    async def settings() -> str:
        url, _ = await site.link(PagePurpose.MANAGE)
        async with site.browser() as browser:
            await browser.get(url)
            return browser.words

    assert "Not called yet" in await settings()
    url, made = await site.link(PagePurpose.SIGN_IN)
    async with site.browser() as browser:
        await browser.get(url)
        await browser.submit("call")
        called, code = site.bench.clock.now(), await site.code(made)
        assert f"Last called {called:%Y-%m-%d %H:%M} UTC" in (shown := await settings())
        assert "Last used" not in shown
        site.bench.clock.time += timedelta(minutes=2)
        await browser.get(f"/p/{made.session.id}")
        await browser.submit("verify", code=code)
    used = site.bench.clock.now()
    assert (shown := await settings()).count(f"Last used {used:%Y-%m-%d %H:%M} UTC") == 1
    assert f"Last called {called:%Y-%m-%d %H:%M} UTC" in shown
    [record] = await site.bench.factors.list(TESTER, "alice")
    assert record.factor.verified_at == used


@pytest.mark.parametrize("purpose", [PagePurpose.SIGN_IN, PagePurpose.MANAGE])
async def test_it_was_not_me_is_told_to_the_backend(site: Site, purpose: PagePurpose) -> None:
    await enrolled(site)
    url, made = await site.link(purpose, return_url=BACK)
    async with site.browser() as browser:
        await browser.get(url)
        await browser.submit("not-me")
        assert browser.title == "Thank you for telling us"
        back = next(link for link in browser.read.links if link.startswith(BACK))
        assert await told(site, made, back) is PageResult.NOT_ME


async def test_a_mistyped_number_is_changed(site: Site) -> None:
    url, made = await site.link()
    async with site.browser() as browser:
        await browser.get(url)
        await site.enroll(browser)
        await browser.get(f"/p/{made.session.id}?step=number")
        await browser.submit("enroll", number="+1 202 555 0102")
        await browser.submit("verify", code=await site.code(made))
        [record] = await site.bench.factors.list(TESTER, "alice")
        assert record.factor.destination.number == "+12025550102"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"number": "12"}, "This is not a phone number"),
        ({"number": "+44 20 7946 0123"}, "Calls to this country are not possible"),
        ({"number": "1-800-555-0199"}, "This kind of number cannot be called"),
        ({"number": "202 555 0101", "extension": "hello"}, "An extension has only digits"),
        ({"number": "", "country": "XX"}, "This is not a phone number"),
        ({"number": "99", "country": "internal"}, "This is not a phone number"),
    ],
)
async def test_a_number_that_cannot_be_called_is_shown_again(
    site: Site, typed: dict[str, str], says: str
) -> None:
    url, _ = await site.link()
    async with site.browser() as browser:
        await browser.get(url)
        await browser.get(browser.read.links[0])
        await browser.submit("enroll", **({"country": "US"} | typed))
        assert browser.answer.status_code == 422
        assert says in browser.words
        assert browser.read.forms[0].fields["number"] == typed["number"]
        assert 'aria-invalid="true"' in browser.answer.text


@pytest.mark.parametrize(
    ("hangup", "says"),
    [
        (Hangup(sip_status=486), "The line is busy."),
        (Hangup(sip_status=404), "This number does not exist."),
        (Hangup(sip_status=480), "The phone cannot be reached."),
        (Hangup(sip_status=603), "The call was declined."),
        (Hangup(sip_status=302), "The call was forwarded"),
        (Hangup(cause=19), "Nobody answered."),
    ],
)
async def test_a_call_that_fails_says_what_to_do(site: Site, hangup: Hangup, says: str) -> None:
    async def fails(leg: ScriptedLeg) -> None:
        leg.tell(*([] if hangup.sip_status == 480 else [Rang()]), hangup)

    site.bench.pbx.plots = [fails]
    url, made = await site.link()
    async with site.browser() as browser:
        await browser.get(url)
        await site.enroll(browser)
        await site.code(made)
        await browser.get(f"/p/{made.session.id}")
        assert says in browser.words
        assert "Call again" in browser.words
        assert any(form.action.endswith("/call") for form in browser.read.forms)


async def guess_wrong(browser: Browser, times: int) -> None:
    for _ in range(times):
        await browser.submit("verify", code="0000000")


async def test_wrong_codes_are_counted_and_then_over(site: Site) -> None:
    await enrolled(site)
    url, made = await site.link(PagePurpose.SIGN_IN)
    async with site.browser() as browser:
        await browser.get(url)
        await browser.submit("call")
        code = await site.code(made)
        await browser.submit("verify", code="12")
        assert "A code has 6 digits." in browser.words
        await guess_wrong(browser, 1)
        assert "4 tries left" in browser.words
        await guess_wrong(browser, 3)
        assert "One try left" in browser.words
        await guess_wrong(browser, 1)
        assert "Too many wrong codes. Call again for a new code." in browser.words
        assert "Enter it below" not in browser.words
        assert '<div id="enter" hidden>' in browser.answer.text
        site.bench.clock.time += timedelta(seconds=1)
        await browser.submit("call")
        assert await site.code(made) != code
        await browser.get(f"/p/{made.session.id}")
        await browser.submit("verify", code=await site.code(made))
        assert browser.title == "You are verified"


async def test_an_expired_code_is_called_anew(site: Site) -> None:
    await enrolled(site)
    url, made = await site.link(PagePurpose.SIGN_IN)
    async with site.browser() as browser:
        await browser.get(url)
        await browser.submit("call")
        await site.code(made)
        site.bench.clock.time += timedelta(minutes=6)
        await browser.get(f"/p/{made.session.id}")
        assert "This code is too old." in browser.words
        assert "Enter it below" not in browser.words
        await browser.submit("call")
        await browser.submit("verify", code=await site.code(made))
        assert browser.title == "You are verified"


async def test_a_page_refreshes_itself_while_a_call_goes_on_and_not_while_a_code_is_typed(
    site: Site,
) -> None:
    site.bench.pbx.plots = [rings]
    url, _ = await site.link()
    async with site.browser() as browser:
        await browser.get(url)
        await site.enroll(browser)
        assert '<noscript><meta http-equiv="refresh"' in browser.answer.text
        assert not any(form.action.endswith("/call") for form in browser.read.forms)


async def test_pages_speak_the_persons_language(site: Site) -> None:
    url, _ = await site.link()
    async with site.browser("pt-XX;q=0.1, de-AT, en;q=0.5") as browser:
        await browser.get(url)
        assert '<html lang="de" dir="ltr">' in browser.answer.text
    url, _ = await site.link(language="fr")
    async with site.browser("de") as browser:
        await browser.get(url)
        assert '<html lang="fr"' in browser.answer.text


async def busy(leg: ScriptedLeg) -> None:
    leg.tell(Hangup(sip_status=486))


def refresh_s(browser: Browser) -> int:
    """After how many seconds the page is asked for again where no script runs; 0: never."""
    found = re.search(
        r'<noscript><meta http-equiv="refresh" content="(\d+); url=[^?"]+"', browser.answer.text
    )
    return int(found[1]) if found else 0


async def test_the_wait_for_the_next_call_is_told_and_refreshed_without_a_script(
    bench: Bench, tmp_path: Path
) -> None:
    bench.pbx.plots = [busy, answers]
    spaced = replace(UNHURRIED, call_spacing=(timedelta(seconds=30), timedelta(seconds=60)))
    async with site_of(bench.rebuilt(policy=spaced), tmp_path, call_spacing=spaced.call_spacing[0]) as site:
        await enrolled(site)
        url, made = await site.link(PagePurpose.SIGN_IN)
        async with site.browser() as browser:
            here = f"/p/{made.session.id}"
            await browser.get(url)
            await browser.submit("call")
            await site.code(made)
            site.bench.clock.time += timedelta(seconds=9.5)
            await browser.get(here)
            assert "You can call again in 21 s" in browser.words
            # Nothing can be typed yet, so the page comes again when the wait is over.
            assert refresh_s(browser) == 21
            await browser.submit("call")
            assert "Please wait 21 s before the next call." in browser.words
            assert refresh_s(browser) == 21
            site.bench.clock.time += timedelta(seconds=20.5)
            await browser.get(here)
            assert ("You can call again" in browser.words, refresh_s(browser)) == (False, 0)
            await browser.submit("call")
            assert (await site.code(made)).isdecimal()
            await browser.get(here)
            assert "The code was spoken." in browser.words
            # A code may be half entered: the page says the seconds, and is left alone.
            assert ("You can call again in 60 s" in browser.words, refresh_s(browser)) == (True, 0)


async def test_the_wait_begins_anew_when_a_call_ends(bench: Bench, tmp_path: Path) -> None:
    legs = asyncio.Queue[ScriptedLeg]()

    async def waits(leg: ScriptedLeg) -> None:
        legs.put_nowait(leg)

    bench.pbx.plots = [waits]
    spacing = timedelta(seconds=30)
    spaced = bench.rebuilt(policy=replace(UNHURRIED, call_spacing=(spacing,)))
    async with site_of(spaced, tmp_path, call_spacing=spacing) as site, site.browser() as browser:
        await enrolled(site)
        url, made = await site.link(PagePurpose.SIGN_IN)
        await browser.get(url)
        await browser.submit("call")
        leg = await legs.get()
        site.bench.clock.time += timedelta(seconds=25)
        leg.tell(Rang(), Hangup(cause=19))
        await site.code(made)
        await browser.get(f"/p/{made.session.id}")
        assert "You can call again in 30 s" in browser.words
        await browser.submit("call")
        assert "Please wait 30 s before the next call." in browser.words


async def test_who_may_not_call_yet_is_told_for_how_long(bench: Bench, tmp_path: Path) -> None:
    bench.pbx.plots = [busy]
    spacing = timedelta(seconds=30)
    spaced = bench.rebuilt(policy=replace(UNHURRIED, call_spacing=(spacing,)))
    async with site_of(spaced, tmp_path, call_spacing=spacing) as site:
        await enrolled(site)
        first, made = await site.link(PagePurpose.SIGN_IN)
        async with site.browser() as browser:
            await browser.get(first)
            await browser.submit("call")
            await site.code(made)
        url, _ = await site.link(PagePurpose.SIGN_IN)
        async with site.browser() as browser:
            await browser.get(url)
            await browser.submit("call")
            assert browser.title == "Enter your voice call verification code"
            assert "Please wait 30 s before the next call." in browser.words
            assert "You can call again in 30 s" in browser.words
            assert refresh_s(browser) == 30
