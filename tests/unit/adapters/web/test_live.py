"""The live part of a call's page: every step, at once, and an orderly end."""

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.unit.adapters.web.browsing import Browser, Site, site_of
from tests.unit.application.conftest import OTHER, TESTER, Bench
from tests.unit.application.scripted import ScriptedLeg
from voicegate.adapters.http import overload
from voicegate.adapters.http.waiting import WaitingLimits
from voicegate.domain.call import Answered, Rang
from voicegate.domain.client import Scope
from voicegate.domain.page_session import PagePurpose, PageSession
from voicegate.lab.deadlines import within


async def calling(site: Site, browser: Browser) -> str:
    """A browser whose call is in progress; the path of its events."""
    url, made = await site.link()
    await browser.get(url)
    await site.enroll(browser, extension="204")
    return f"/p/{made.session.id}/events"


async def read_event(lines: "asyncio.Queue[str]") -> str:
    """The next event's lines; comments are passed by."""
    event: list[str] = []
    while True:
        line = await lines.get()
        if not line and event:
            return "\n".join(event)
        if line and not line.startswith(":"):
            event.append(line)


async def test_each_step_comes_as_it_happens(site: Site) -> None:
    leg = asyncio.Queue[ScriptedLeg]()

    async def waits(placed: ScriptedLeg) -> None:
        leg.put_nowait(placed)

    site.bench.pbx.plots = [waits]
    async with site.browser() as browser, within(30):
        path = await calling(site, browser)
        placed = await leg.get()
        async with browser.http.stream("GET", path, timeout=None) as answer:
            assert answer.headers["Content-Type"] == "text/event-stream"
            assert answer.headers["Cache-Control"] == "no-store"
            lines = asyncio.Queue[str]()
            reading = asyncio.create_task(read_into(answer, lines))
            shown = await read_event(lines)
            assert "Your phone is ringing" not in shown
            placed.tell(Rang())
            while "Your phone is ringing" not in shown:
                shown = await read_event(lines)
            placed.tell(Answered())
            while "Call ended" not in shown:
                shown = await read_event(lines)
            steps = ("Call answered", "Dialing your extension", "Key pressed", "Speaking the code again")
            assert all(step in shown for step in steps)
            assert "The code was spoken. Enter it below." in shown
            reading.cancel()


async def read_into(answer: httpx.Response, lines: "asyncio.Queue[str]") -> None:
    async for line in answer.aiter_lines():
        lines.put_nowait(line)


async def test_a_stream_ends_when_the_code_was_entered_in_another_tab(site: Site) -> None:
    async with site.browser() as browser, within(30):
        url, made = await site.link()
        await browser.get(url)
        await site.enroll(browser)
        code = await site.code(made)
        path = f"/p/{made.session.id}/events"
        async with browser.http.stream("GET", path, timeout=None) as answer:
            lines = asyncio.Queue[str]()
            reading = asyncio.create_task(read_into(answer, lines))
            await read_event(lines)
            await browser.submit("verify", code=code)
            assert await read_event(lines) == "event: moved\ndata:"
            await reading


async def test_streams_end_when_the_server_stops(bench: Bench, tmp_path: Path) -> None:
    async def rings(leg: ScriptedLeg) -> None:
        leg.tell(Rang())

    bench.pbx.plots = [rings]
    async with site_of(bench, tmp_path) as site, within(30):
        browsing = site.browser()
        browser = await browsing.__aenter__()
        path = await calling(site, browser)
        stream = browser.http.stream("GET", path, timeout=None)
        answer = await stream.__aenter__()
        assert answer.status_code == 200
    # The server is gone: it did not wait for the reader.
    await stream.__aexit__(None, None, None)
    await browsing.__aexit__(None, None, None)


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


@pytest.mark.parametrize("cap", ["total", "per_client", "per_address", "per_page"])
async def test_there_are_only_so_many_streams(bench: Bench, tmp_path: Path, cap: str) -> None:
    limits = WaitingLimits(**{cap: 1})
    bench.pbx.plots = [rings]
    async with site_of(bench, tmp_path, limits) as site, site.browser() as browser, within(30):
        path = await calling(site, browser)
        async with browser.http.stream("GET", path, timeout=None) as first:
            assert first.status_code == 200
            refused = await browser.http.get(path)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
            # The page itself is served, and refreshes where it cannot be live.
            page = await browser.http.get(path.removesuffix("/events"))
            assert (page.status_code, 'http-equiv="refresh"' in page.text) == (200, True)
        # Whoever leaves makes room at once, not only when there is news.
        while (again := await opened(browser, path)).status_code == 503:
            await again.aclose()
        assert again.status_code == 200
        await again.aclose()


async def opened(browser: Browser, path: str) -> httpx.Response:
    return await browser.http.send(browser.http.build_request("GET", path, timeout=None), stream=True)


async def test_a_clients_streams_and_long_polls_share_their_places(bench: Bench, tmp_path: Path) -> None:
    bench.pbx.plots = [rings]
    few = WaitingLimits(per_client=1)
    async with site_of(bench, tmp_path, few) as site, site.browser() as browser, within(30):
        path = await calling(site, browser)
        key = await site.served.key(Scope.VERIFICATIONS, name=TESTER.name)
        [record] = await site.bench.factors.list(TESTER, "alice")
        assert record.challenge is not None
        poll = f"/v1/verifications/{record.challenge.challenge.id}?wait_s=1"
        async with browser.http.stream("GET", path, timeout=None) as first:
            assert first.status_code == 200
            assert (await site.served.remote.get(poll, headers=key)).status_code == 503
            url, _ = await site.link(by=OTHER)
            assert (await browser.http.get(url)).status_code == 303


async def test_a_flood_from_one_address_waits_its_turn_and_files_are_served_all_the_same(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overload, "MAX_UNDER_WAY", 1)
    read, under_way = asyncio.Event(), asyncio.Event()
    find = bench.store.page_session

    async def slow(page_id: str) -> PageSession | None:
        under_way.set()
        await read.wait()
        return await find(page_id)

    async with site_of(bench, tmp_path) as site, site.browser() as browser, within(30):
        url, _ = await site.link()
        monkeypatch.setattr(bench.store, "page_session", slow)
        first = asyncio.create_task(browser.http.get(url))
        await under_way.wait()
        refused = await browser.http.get("/p/pgs_1")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert refused.headers["Content-Type"].startswith("text/html")
        for file in ("page.css", "page.js"):
            assert (await browser.http.get(f"/p/static/{file}")).status_code == 200
        assert (await site.served.remote.get("/healthz")).status_code == 200
        # Another address, as the socket is one, has its turn.
        second = asyncio.create_task(site.served.http.get("/p/pgs_1"))
        read.set()
        assert (await first).status_code == 303
        assert (await second).status_code == 410


async def test_a_page_without_a_call_has_nothing_to_tell(site: Site) -> None:
    url, made = await site.link()
    async with site.browser() as browser:
        await browser.get(url)
        assert (await browser.http.get(f"/p/{made.session.id}/events")).status_code == 204


async def test_a_page_whose_code_is_over_asks_for_no_stream(site: Site) -> None:
    """It would be told at once that the page has moved, and load it again, without an end."""
    await site.enrolled()
    async with site.browser() as browser:
        url, made = await site.link(PagePurpose.SIGN_IN)
        await browser.get(url)
        await browser.submit("call")
        await site.code(made)
        await browser.get(f"/p/{made.session.id}")
        assert "data-events=" in browser.answer.text
        site.bench.clock.time += timedelta(minutes=6)
        await browser.get(f"/p/{made.session.id}")
        assert "This code is too old." in browser.words
        assert "data-events=" not in browser.answer.text
