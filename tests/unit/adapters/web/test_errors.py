"""Every page of an error is in the person's language, also when the store is out of reach."""

import asyncio
import html
import re
from pathlib import Path

import httpx
import pytest

from tests.unit.adapters.web.browsing import Browser, Site, site_of
from tests.unit.application.conftest import Bench
from voicegate.adapters.http import overload
from voicegate.adapters.web.texts import languages, texts_for
from voicegate.domain.errors import StoreError
from voicegate.domain.page_session import PageSession
from voicegate.lab.deadlines import within

Told = tuple[int, str, str, str]
"""An error: its status, language, title and text."""


def told(answer: httpx.Response) -> Told:
    parts = re.search(
        r'<html lang="([\w-]+)".*<h1>(.+?)</h1>.*<p class="lead">(.+?)</p>', answer.text, re.DOTALL
    )
    assert parts is not None, answer.text
    return answer.status_code, parts[1], html.unescape(parts[2]), html.unescape(parts[3])


def meant(status: int, language: str, name: str) -> Told:
    t = texts_for((language,))
    return status, language, t(f"{name}_title"), t("error_form" if name == "forbidden" else f"{name}_text")


async def all_errors(browser: Browser, here: str) -> list[httpx.Response]:
    return [
        await browser.http.get("/p/pgs_unknown"),
        await browser.http.get("/p/a/b/c/d"),
        await browser.http.put(here),
        await browser.http.post(f"{here}/call", data={"form": "0"}),
        await browser.http.post(f"{here}/call", data={"form": "x" * 100_000}),
    ]


async def test_every_error_is_told_in_the_browsers_language(site: Site) -> None:
    errors = ((410, "gone"), (404, "gone"), (405, "trouble"), (403, "forbidden"), (413, "trouble"))
    for language in languages():
        url, made = await site.link()
        async with site.browser(f"xx, {language};q=0.9, en;q=0.1") as browser:
            await browser.get(url)
            seen = [told(answer) for answer in await all_errors(browser, f"/p/{made.session.id}")]
        assert seen == [meant(status, language, name) for status, name in errors]


@pytest.mark.parametrize(("error", "status"), [(StoreError("no disk"), 503), (RuntimeError("ours"), 500)])
async def test_a_failure_is_told_in_the_browsers_language(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(site.bench.store, "page_session", fail)
    for language in languages():
        async with site.browser(language) as browser:
            assert told(await browser.http.get("/p/pgs_1")) == meant(status, language, "trouble")


async def test_that_there_is_too_much_to_do_is_told_in_the_browsers_language(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overload, "MAX_UNDER_WAY", 1)
    read, under_way = asyncio.Event(), asyncio.Event()
    find = bench.store.page_session

    async def slow(page_id: str) -> PageSession | None:
        under_way.set()
        await read.wait()
        return await find(page_id)

    async with site_of(bench, tmp_path) as site, site.browser("ja") as first, within(30):
        monkeypatch.setattr(bench.store, "page_session", slow)
        waiting = asyncio.create_task(first.http.get("/p/pgs_1"))
        await under_way.wait()
        for language in languages():
            async with site.browser(language) as browser:
                assert told(await browser.http.get("/p/pgs_1")) == meant(503, language, "trouble")
        read.set()
        assert told(await waiting) == meant(410, "ja", "gone")


async def test_the_clients_wish_comes_before_the_browsers_in_errors_too(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreError("no disk")

    (wished, made), (other, second) = await site.link(language="fr"), await site.link(language="xx")
    async with site.browser("de") as browser:
        for url in (wished, other):
            await browser.get(url)
        monkeypatch.setattr(site.bench.store, "page_session", fail)
        for session, language in ((made.session, "fr"), (second.session, "de")):
            answer = await browser.http.get(f"/p/{session.id}")
            assert told(answer) == meant(503, language, "trouble")


async def test_a_planted_language_is_none(site: Site) -> None:
    async with site.browser("de") as browser:
        browser.http.cookies.set("voicegate_language", "../../texts/fr", path="/p")
        assert told(await browser.http.get("/p/pgs_1")) == meant(410, "de", "gone")
