"""What people must not be able to do with somebody else's pages, nor with their own."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.unit.adapters.web.browsing import BACK, SVG, Browser, Site, site_of
from tests.unit.application.conftest import ADMIN, NUMBER, TESTER, Bench
from voicegate.adapters.web import pacing
from voicegate.adapters.web.branding import Brand
from voicegate.adapters.web.numbers import Picker
from voicegate.adapters.web.pacing import Pace
from voicegate.adapters.web.showing import PageWriter
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.listing import AuditFilter
from voicegate.application.page_sessions import PageCreated
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.errors import StoreError
from voicegate.domain.page_session import PagePurpose
from voicegate.domain.phone_number import Destination

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


async def signing_in(site: Site, browser: Browser) -> PageCreated:
    """A browser at the page where the code is entered."""
    request = EnrollRequest(replace(ADMIN, name=TESTER.name), "alice", Destination(NUMBER), is_proven=True)
    await site.bench.enrollment.enroll(request)
    url, made = await site.link(PagePurpose.SIGN_IN, return_url=BACK)
    await browser.get(url)
    await browser.submit("call")
    return made


async def test_a_url_is_worth_nothing_the_second_time(site: Site) -> None:
    url, made = await site.link()
    async with site.browser() as browser, site.browser() as thief:
        await browser.get(url)
        await thief.get(url)
        assert (thief.answer.status_code, thief.title) == (410, "This page is no longer available")
        assert not thief.http.cookies
        await thief.get(f"/p/{made.session.id}")
        assert thief.answer.status_code == 410
        await browser.get(url)
        assert browser.title == "Extra verification is required for your account"


async def test_who_steals_a_url_first_brings_nothing_to_the_backend(site: Site) -> None:
    """The thief's own browser has no `state` with the backend: what it brings is not redeemed."""
    async with site.browser() as thief:
        made = await signing_in(site, thief)
        await thief.submit("verify", code=await site.code(made))
        code = parse_qs(urlsplit(thief.answer.headers["Location"]).query)["result_code"][0]
        assert await site.bench.app.pages.redeem(TESTER, code, "the thief's own") == NotFound()


async def test_a_look_ahead_does_not_use_a_url_up(site: Site) -> None:
    url, _ = await site.link()
    async with site.browser() as browser:
        assert (await browser.http.head(url)).status_code == 503
        assert (await browser.http.get(url, headers={"Sec-Purpose": "prefetch"})).status_code == 503
        await browser.get(url)
        assert browser.answer.status_code == 200


async def test_a_page_session_is_not_resumed_on_another_device(site: Site) -> None:
    async with site.browser() as browser, site.browser() as other:
        made = await signing_in(site, browser)
        code = await site.code(made)
        other.http.cookies.set("voicegate_page", "guessed", path=f"/p/{made.session.id}")
        other.answer = browser.answer
        await other.submit("verify", code=code)
        assert other.answer.status_code == 410
        await browser.submit("verify", code=code)
        assert browser.answer.headers["Location"].startswith(BACK)


async def test_a_cookie_that_somebody_planted_is_not_taken(site: Site) -> None:
    url, made = await site.link()
    async with site.browser() as browser, site.browser() as attacker:
        for one in (browser, attacker):
            one.http.cookies.set("voicegate_page", "planted", path="/p")
        await browser.get(url)
        assert "planted" not in [cookie.value for cookie in browser.http.cookies.jar if cookie.path != "/p"]
        await attacker.get(f"/p/{made.session.id}")
        assert attacker.answer.status_code == 410


async def test_cookies_are_for_one_page_session_and_no_script(bench: Bench, tmp_path: Path) -> None:
    async with site_of(bench, tmp_path, is_https=True) as site, site.browser() as browser:
        url, made = await site.link()
        answer = await browser.http.get(url)
        [cookie] = answer.headers.get_list("Set-Cookie")
        attributes = {part.strip() for part in cookie.split(";")[1:]}
        expected = {f"Path=/p/{made.session.id}", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=1800"}
        assert attributes == expected


@pytest.mark.parametrize("action", ["call", "verify", "not-me", "enroll", "format"])
async def test_a_form_of_another_site_does_nothing(site: Site, action: str) -> None:
    async with site.browser() as browser:
        made = await signing_in(site, browser)
        path, code = f"/p/{made.session.id}/{action}", await site.code(made)
        token = browser.read.forms[0].fields["form"]
        fields = {"code": code, "number": "+12025550102", "country": "US"}
        for sent, headers in (
            (fields, {}),
            (fields | {"form": "0" * 64}, {}),
            (fields | {"form": token}, {"Sec-Fetch-Site": "cross-site"}),
            (fields | {"form": token}, {"Content-Type": "text/plain"}),
        ):
            answer = await browser.http.post(path, data=sent, headers=headers)
            assert answer.status_code == 403
        session = await site.bench.store.page_session(made.session.id)
        assert session is not None
        assert (session.result, session.challenge_id is not None) == (None, True)


async def test_every_answer_forbids_framing_caching_and_foreign_code(site: Site) -> None:
    url, made = await site.link(return_url=BACK)
    async with site.browser() as browser:
        answers = [await browser.http.get(url)]
        here = f"/p/{made.session.id}"
        for path in (here, f"{here}?step=number", f"{here}/brand.css", f"{here}/logo", f"{here}/events"):
            answers.append(await browser.http.get(path))
        answers += [await browser.http.get("/p/unknown"), await browser.http.get("/p/a/b/c/d")]
        answers.append(await browser.http.post(f"{here}/call"))
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answers[1].headers["Content-Security-Policy"].endswith("form-action 'self' https://app.example")


async def test_nothing_that_is_sent_gets_into_a_header(site: Site) -> None:
    url, made = await site.link()
    here, evil = f"/p/{made.session.id}", "x%0d%0aX-Evil: 1"
    async with site.browser(language=evil) as browser:
        await browser.get(url)
        browser.http.cookies.set("voicegate_language", evil, path=here)
        headers = {"X-Request-Id": "a b; X-Evil", "X-Forwarded-For": evil, "X-Forwarded-Host": "evil.example"}
        asked = [
            await browser.http.get(f"{path}{query}", headers=headers | {"Host": "evil.example"})
            for path in (
                here,
                f"{here}/",
                f"{here}/start/{evil}",
                f"{here}/start/{made.secret}",
                f"/p/{evil}",
            )
            for query in ("", f"?error={evil}&wait={evil}")
        ]
        form = {"form": (await browser.get(f"{here}?step=number")).text.partition('value="')[2][:64]}
        for action in ("call", "verify", "enroll"):
            asked.append(
                await browser.http.post(f"{here}/{action}", data=form | {"code": evil}, headers=headers)
            )
    for answer in asked:
        assert "X-Evil" not in str(answer.headers), answer.url
        assert answer.headers.get("Location", here).startswith(here)
        assert "evil.example" not in answer.text


async def test_no_page_has_a_script_or_style_of_its_own(site: Site) -> None:
    async with site.browser() as browser:
        await signing_in(site, browser)
        assert "style=" not in browser.answer.text
        assert "<style" not in browser.answer.text
        assert " on" not in browser.answer.text.replace("<!doctype html>", "").split("<body>")[0]
        assert browser.answer.text.count("<script") == browser.answer.text.count("<script src=")


async def test_whatever_is_shown_is_escaped(bench: Bench, tmp_path: Path) -> None:
    writer = PageWriter({}, Brand(EVIL), Picker(("US",), has_internal=False))
    async with site_of(bench, tmp_path, writer=writer) as site, site.browser() as browser:
        url, made = await site.link(
            return_url=BACK, alternative_url=f"https://x/{EVIL}", reference=EVIL, language=EVIL
        )
        browser.http.headers["User-Agent"] = "<script>alert(1)</script>"
        browser.http.headers["Accept-Language"] = EVIL.encode().decode("latin-1")
        pages = [(await browser.get(url)).text]
        await browser.get(browser.read.links[0])
        await browser.submit("enroll", number=EVIL[:40], extension=EVIL[:40], country=EVIL)
        pages.append(browser.answer.text)
        pages.append((await browser.get(f"/p/{made.session.id}?error={EVIL}&wait={EVIL}")).text)
    for page in pages:
        assert "<script>alert" not in page
        assert "<img src=x" not in page


async def test_a_text_in_a_link_is_one_of_ours(site: Site) -> None:
    url, made = await site.link()
    async with site.browser() as browser:
        await browser.get(url)
        for query in ("error=setup_title", "error=consent", "error=__class__", "wait=99999999999999999999"):
            await browser.get(f"/p/{made.session.id}?{query}")
            assert browser.answer.status_code == 200
            assert 'role="alert"' not in browser.answer.text


async def test_codes_cannot_be_tried_out(site: Site) -> None:
    """However many page sessions somebody begins: the budgets are the telephone's and the person's."""
    async with site.browser() as browser:
        made = await signing_in(site, browser)
        tried = 0
        for _ in range(8):
            for _ in range(6):
                path = f"/p/{made.session.id}/verify"
                token = browser.read.forms[-1].fields["form"]
                answer = await browser.http.post(path, data={"form": token, "code": "0000000"})
                tried += "error=error_code" in answer.headers["Location"]
            await site.code(made)
            site.bench.clock.time += timedelta(seconds=1)
            await browser.get(f"/p/{made.session.id}")
            await browser.submit("call")
        assert "There were too many wrong codes lately." in browser.words
        # The fifth at each code says that it was the last one.
        assert tried == 4 * 4


@pytest.mark.parametrize("action", ["call", "verify", "enroll"])
async def test_forms_do_not_fill_the_disk(site: Site, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    monkeypatch.setattr(pacing, "MAX_FORMS", 3)
    url, made = await site.link()
    async with site.browser("de") as browser:
        await browser.get(url)
        await browser.get(f"/p/{made.session.id}?step=number")
        token = browser.read.forms[0].fields["form"]

        async def post(action: str) -> httpx.Response:
            sent = {"form": token, "code": "123456", "number": NUMBER}
            return await browser.http.post(f"/p/{made.session.id}/{action}", data=sent)

        # What is written as one types is no entry, and so is free.
        assert {(await post("format")).status_code for _ in range(9)} == {200}
        answers = [await post(action) for _ in range(9)]
        assert [answer.status_code for answer in answers] == [303] * 3 + [429] * 6
        assert 0 < int(answers[-1].headers["Retry-After"]) <= pacing.WINDOW_S
        assert "Etwas ist schiefgegangen" in answers[-1].text
        # Nobody else waits for them.
        other, _ = await site.link()
        assert (await browser.get(other)).status_code == 200
    entries = await site.bench.audit.entries(100, AuditFilter(action=f"page.{action}"))
    assert 0 < len(entries) <= 3


async def test_opening_a_url_again_and_again_does_not_fill_the_disk(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "MAX_FORMS", 3)
    url, _ = await site.link()
    async with site.browser() as browser, site.browser() as thief:
        await browser.get(url)
        answers = [await thief.http.get(url) for _ in range(9)]
        assert [answer.status_code for answer in answers] == [410] * 2 + [429] * 7
    entries = await site.bench.audit.entries(100, AuditFilter(action="page.open"))
    assert [entry.decision for entry in entries] == ["link_used"] * 2 + ["allowed"]


def test_a_page_session_has_its_forms_anew_in_each_window() -> None:
    now = 100.0
    pace = Pace(lambda: now)
    assert {pace.wait_s("one") for _ in range(pacing.MAX_FORMS)} == {0}
    now += 19.5
    assert pace.wait_s("one") == 41
    assert pace.wait_s("other") == 0
    now += 40.5
    assert pace.wait_s("one") == 0


async def test_two_tabs_of_one_browser_do_the_thing_once(site: Site) -> None:
    async with site.browser() as browser:
        made = await signing_in(site, browser)
        token = browser.read.forms[0].fields["form"]
        code = await site.code(made)
        path = f"/p/{made.session.id}/verify"
        first = await browser.http.post(path, data={"form": token, "code": code})
        second = await browser.http.post(path, data={"form": token, "code": code})
        assert first.headers["Location"] == second.headers["Location"] == f"/p/{made.session.id}"
        again = await browser.get(f"/p/{made.session.id}")
        assert again.headers["Location"].startswith(BACK)


async def test_two_page_sessions_in_one_browser_never_meet(site: Site) -> None:
    async with site.browser() as browser:
        (one, made), (other, second) = await site.link(), await site.link()
        await browser.get(one)
        token = browser.read.forms[0].fields["form"] if browser.read.forms else ""
        await browser.get(other)
        await browser.get(f"/p/{made.session.id}?step=number")
        token = browser.read.forms[0].fields["form"]
        answer = await browser.http.post(f"/p/{second.session.id}/call", data={"form": token})
        assert answer.status_code == 403


async def test_back_and_refresh_repeat_nothing(site: Site) -> None:
    url, made = await site.link()
    async with site.browser() as browser:
        await browser.get(url)
        await site.enroll(browser)
        for path in (url, f"/p/{made.session.id}", f"/p/{made.session.id}?step=number"):
            assert (await browser.get(path)).status_code == 200
        await site.code(made)
    assert len(site.bench.pbx.legs) == 1


async def test_a_logo_can_run_nothing(site: Site) -> None:
    url, made = await site.link()
    async with site.browser() as browser:
        await browser.get(url)
        answer = await browser.http.get(f"/p/{made.session.id}/logo")
        assert (answer.content, answer.headers["Content-Type"]) == (SVG, "image/svg+xml")
        assert answer.headers["Content-Security-Policy"].endswith("; sandbox")


@pytest.mark.parametrize("path", ["/p/static/../pages.py", "/p/static/%2e%2e/texts/en.toml", "/p/static/x"])
async def test_only_static_files_are_served(site: Site, path: str) -> None:
    async with site.browser() as browser:
        answer = await browser.http.get(path)
        assert answer.status_code in (404, 410)


async def test_a_database_that_fails_is_told_to_people_as_a_page(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreError("no disk")

    monkeypatch.setattr(site.bench.store, "page_session", fail)
    async with site.browser("de") as browser:
        await browser.get("/p/pgs_1")
        assert (browser.answer.status_code, browser.title) == (503, "Etwas ist schiefgegangen")


async def test_a_request_that_is_none_of_ours_gets_a_page_too(site: Site) -> None:
    async with site.browser() as browser:
        answer = await browser.http.put("/p/pgs_1")
        assert (answer.status_code, answer.headers["Content-Type"]) == (405, "text/html; charset=utf-8")
        huge = await browser.http.post("/p/pgs_1/call", content=b"x" * 100_000)
        assert isinstance(huge, httpx.Response)
        assert huge.status_code in (403, 410, 413)
