"""The live part of a call's page: every step, at once, and an orderly end."""

import asyncio
from pathlib import Path

import httpx

from tests.unit.adapters.web.browsing import Browser, Site, site_of
from tests.unit.application.conftest import Bench
from tests.unit.application.scripted import ScriptedLeg
from voicegate.domain.call import Answered, Rang
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


async def test_there_are_only_so_many_streams(bench: Bench, tmp_path: Path) -> None:
    async def rings(leg: ScriptedLeg) -> None:
        leg.tell(Rang())

    bench.pbx.plots = [rings]
    async with site_of(bench, tmp_path, max_streams=1) as site, site.browser() as browser, within(30):
        path = await calling(site, browser)
        async with browser.http.stream("GET", path, timeout=None) as first:
            assert first.status_code == 200
            assert (await browser.http.get(path)).status_code == 503


async def test_a_page_without_a_call_has_nothing_to_tell(site: Site) -> None:
    url, made = await site.link()
    async with site.browser() as browser:
        await browser.get(url)
        assert (await browser.http.get(f"/p/{made.session.id}/events")).status_code == 204
