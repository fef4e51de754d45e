"""The pages' Python, as it stands but for socket and numbers, at the daemon with test numbers."""

import ast
import asyncio
import html
import os
import pwd
import re
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.test_daemon import TEST_NUMBER, daemon, settings
from tests.acceptance.test_factors import CODE, client
from tests.pages import PAGES, blocks
from voicegate.client import AsyncClient

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


async def test_a_sign_in_by_the_pages_in_flask(settings: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    user = pwd.getpwuid(os.getuid()).pw_name
    settings.write_text(
        settings.read_text().replace("[policy]", "[policy]\ncall_spacing_s = 0")
        + f"\n[test_numbers]\nenabled = true\npace = 0.02\n[tcp]\nenabled = true\nport = {port}\n"
        f'[page_clients.{user}]\nreturn_urls = ["https://app.example/signed-in"]\n'
    )

    def walk() -> None:
        names = run("from flask import Flask, redirect", settings)
        backend = names["app"].test_client()
        url = backend.post("/sign-in", data={"user": "alice"}).headers["Location"]
        with httpx.Client(follow_redirects=True) as browser:
            here = str(browser.get(url).url)
            token = _token(browser.get(f"{here}?step=number"))
            number = {"country": "US", "number": TEST_NUMBER}
            called = browser.post(f"{here}/enroll", data=number | {"form": token})
            verified = browser.post(f"{here}/verify", data={"code": CODE, "form": _token(called)})
        back = re.search(r'href="https://app.example(/signed-in[^"]+)"', verified.text)
        assert back is not None
        stolen = names["app"].test_client().get(html.unescape(back[1]))
        assert (stolen.status_code, stolen.json) == (403, {"error": "invalid"})
        assert backend.get(html.unescape(back[1])).json == {"signed_in": "alice"}
        assert backend.get(html.unescape(back[1])).status_code == 403
        names["voicegate"].close()

    async with daemon(settings):
        await asyncio.to_thread(walk)


def _token(page: httpx.Response) -> str:
    found = re.search(r'name="form" value="(\w+)"', page.text)
    assert found is not None
    return found[1]


async def test_a_telephone_in_fastapi(client: AsyncClient, settings: Path) -> None:
    names = run("from fastapi import", settings)
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
