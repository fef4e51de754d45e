"""The pages' Python and Node, as they stand but for socket and numbers, at the daemon with test numbers."""

import ast
import asyncio
import html
import os
import pwd
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.environments import node_tools
from tests.acceptance.test_daemon import TEST_NUMBER, daemon, settings
from tests.acceptance.test_factors import CODE, client
from tests.pages import PAGES, ROOT, blocks
from voicegate.client import AsyncClient
from voicegate.lab.deadlines import within

__all__ = ["client", "settings"]

# What stands on two pages, stands there alike.
SNIPPETS = list(dict.fromkeys(code for page in PAGES for code in blocks(page, "python")))


def run(beginning: str, settings: Path, **names: object) -> dict[str, Any]:
    """Run the one snippet that begins so; return its names."""
    (source,) = [snippet for snippet in SNIPPETS if snippet.startswith(beginning)]
    source = source.replace("/run/voicegate/voicegate.sock", str(settings.with_name("voicegate.sock")))
    namespace: dict[str, Any] = {"__name__": "__main__", **names}
    exec(compile(source.replace("+12025550143", TEST_NUMBER), "a page", "exec"), namespace)
    return namespace


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.partition("\n")[0])
def test_every_snippet_is_python(snippet: str) -> None:
    compile(snippet, "a page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


async def test_the_clients_first_lines_call_and_check(
    client: AsyncClient, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await asyncio.to_thread(run, "from voicegate.client import Client", settings, input=lambda _: CODE)
    *steps, status = capsys.readouterr().out.splitlines()
    assert (steps[-1], status) == ("ended ended", "verified")


async def test_a_sign_in_in_flask(client: AsyncClient, settings: Path) -> None:
    def walk() -> None:
        names = run("from flask import Flask, request, session", settings)
        browser = names["app"].test_client()
        called = browser.post("/sign-in", data={"user": "alice"})
        assert (called.status_code, called.json["calling"]) == (202, "+1••••••••01")
        while (call := browser.get("/sign-in/call").json)["outcome"] is None:
            assert call["state"] != "ended"
        assert call["outcome"] == "delivered"
        wrong = browser.post("/sign-in/code", data={"code": "000000"})
        assert (wrong.status_code, wrong.json) == (401, {"error": "wrong_passcode", "attempts_left": 4})
        for none in ("", " ", "12", "hello"):
            malformed = browser.post("/sign-in/code", data={"code": none})
            assert (malformed.status_code, malformed.json["error"]) == (401, "wrong_passcode")
        typed = f" {CODE[:3]} {CODE[3:]}"
        assert browser.post("/sign-in/code", data={"code": typed}).json == {"signed_in": True}
        names["NUMBERS"]["bob"] = "+442079460123"
        refused = browser.post("/sign-in", data={"user": "bob"})
        assert (refused.status_code, refused.json) == (403, {"error": "country_not_allowed"})
        names["voicegate"].close()

    await asyncio.to_thread(walk)


Ask = Callable[..., Awaitable[httpx.Response]]


@dataclass(frozen=True)
class Backend:
    """One of the pages' backends, served."""

    browser: Callable[[], Ask]
    """Gives a new browser's way to ask it."""
    sign_in: Mapping[str, object]
    """What its own page sends once the password was right."""


@asynccontextmanager
async def in_flask(settings: Path) -> AsyncIterator[Backend]:
    names = await asyncio.to_thread(run, "from flask import Flask, redirect", settings)
    transport = httpx.WSGITransport(app=names["app"])

    def browser() -> Ask:
        asked = httpx.Client(transport=transport, base_url="http://app")
        return lambda method, path, **sent: asyncio.to_thread(asked.request, method, path, **sent)

    yield Backend(browser, {"data": {"user": "alice"}})
    names["voicegate"].close()


@asynccontextmanager
async def in_fastapi(settings: Path) -> AsyncIterator[Backend]:
    names = run("from fastapi import Body, FastAPI, HTTPException, Request", settings)
    transport = httpx.ASGITransport(app=names["app"])
    yield Backend(
        lambda: httpx.AsyncClient(transport=transport, base_url="http://app").request,
        {"json": {"user": "alice"}},
    )
    await names["voicegate"].close()


@asynccontextmanager
async def in_node(settings: Path) -> AsyncIterator[Backend]:
    port, script = _free_port(), settings.with_name("sign-in.mjs")
    (source,) = blocks(ROOT / "docs/backends/pages.md", "js")
    source = source.replace("/run/voicegate/voicegate.sock", str(settings.with_name("voicegate.sock")))
    script.write_text(source.replace("8080", str(port)), "utf-8")
    node = await asyncio.to_thread(node_tools)
    process = await asyncio.create_subprocess_exec(node.node, script, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with within(30):
            url = (await process.stdout.readline()).decode().strip()
        async with AsyncExitStack() as browsers:

            def browser() -> Ask:
                asked = httpx.AsyncClient(base_url=url)
                browsers.push_async_callback(asked.aclose)
                return asked.request

            yield Backend(browser, {"data": {"user": "alice"}})
    finally:
        process.kill()
        await process.wait()


@pytest.mark.timeout(600)  # Node is fetched the first time
@pytest.mark.parametrize("served", [in_flask, in_fastapi, in_node])
async def test_a_sign_in_by_the_pages(
    settings: Path, served: Callable[[Path], AbstractAsyncContextManager[Backend]]
) -> None:
    user = pwd.getpwuid(os.getuid()).pw_name
    settings.write_text(
        settings.read_text().replace("[policy]", "[policy]\ncall_spacing_s = 0")
        + f"\n[test_numbers]\nenabled = true\npace = 0.02\n[tcp]\nenabled = true\nport = {_free_port()}\n"
        f'[page_clients.{user}]\nreturn_urls = ["https://app.example/signed-in"]\n'
    )
    async with daemon(settings), served(settings) as backend:
        theirs, strangers = backend.browser(), backend.browser()
        sent = await theirs("POST", "/sign-in", **backend.sign_in)
        back = await walk_through(sent.headers.get("Location") or sent.json()["go_to"])
        stolen = await strangers("GET", back)
        assert (stolen.status_code, "signed_in" in stolen.json()) == (403, False)
        assert (await theirs("GET", back)).json() == {"signed_in": "alice"}
        assert (await theirs("GET", back)).status_code == 403


async def walk_through(url: str) -> str:
    """Set a telephone up on the pages; return where the browser is sent back to."""
    async with httpx.AsyncClient(follow_redirects=True) as browser:
        here = str((await browser.get(url)).url)
        token = _token(await browser.get(f"{here}?step=number"))
        number = {"country": "US", "number": TEST_NUMBER}
        called = await browser.post(f"{here}/enroll", data=number | {"form": token})
        verified = await browser.post(f"{here}/verify", data={"code": CODE, "form": _token(called)})
    back = re.search(r'href="https://app.example(/signed-in[^"]+)"', verified.text)
    assert back is not None
    return html.unescape(back[1])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def _token(page: httpx.Response) -> str:
    found = re.search(r'name="form" value="(\w+)"', page.text)
    assert found is not None
    return found[1]


async def test_a_telephone_in_fastapi(client: AsyncClient, settings: Path) -> None:
    names = run("from fastapi import Body, FastAPI, HTTPException\n", settings)
    transport = httpx.ASGITransport(app=names["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://app/people/alice") as browser:
        enrolled = (await browser.post("/telephone", json={"number": "+1 500-555-0106"})).json()
        assert enrolled["calling"] == "+1••••••••06"
        telephone = f"/telephone/{enrolled['factor']}"
        code = {"code": CODE}
        assert (await browser.post(f"{telephone}/activation", json=code)).json() == {"active": True}
        while (call := (await browser.get(f"{telephone}/call")).json())["outcome"] is None:
            await asyncio.sleep(0.05)
        assert call["caller_id"] == "+15005550100"
        assert (await browser.post(f"{telephone}/call")).json() == {"calling": True}
        wrong = await browser.post(f"{telephone}/sign-in", json={"code": "000000"})
        assert (wrong.status_code, wrong.json()) == (401, {"detail": "wrong_passcode"})
        assert (await browser.post(f"{telephone}/sign-in", json=code)).json() == {"signed_in": True}
        again = await browser.post("/telephone", json={"number": "12"})
        assert again.status_code == 409
        assert again.json()["error"]
    await names["voicegate"].close()
