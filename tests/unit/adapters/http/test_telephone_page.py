"""The page with a telephone: open to all but for the account, and strict about what it runs and asks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.adapters.http.serving import Served, serving
from tests.unit.application.conftest import Bench
from voicegate.bootstrap import check
from voicegate.bootstrap.doors import telephone_doors
from voicegate.config import CallerIdSettings, InternalSettings, Settings, Tcp, Testing
from voicegate.domain.client import Scope
from voicegate.domain.errors import ConfigError

WEBSOCKET = "wss://pbx.example:8089/ws"


@pytest.fixture
def testing(tmp_path: Path) -> Testing:
    file = tmp_path / "sip-password"
    file.write_text("sip-secret\n")
    return Testing(enabled=True, websocket_url=WEBSOCKET, account="4109", password_file=str(file))


def settings(testing: Testing, tcp: Tcp | None = None, pattern: str = "41[0-9]{2}") -> Settings:
    desks = InternalSettings(pbx="main", pattern=pattern, caller_id=CallerIdSettings(number="4000"))
    return Settings(testing=testing, tcp=tcp or Tcp(), internal={"desks": desks})


@pytest.fixture
async def page(bench: Bench, tmp_path: Path, testing: Testing) -> AsyncIterator[Served]:
    async with serving(bench, tmp_path, doors=telephone_doors(settings(testing))) as served:
        yield served


async def test_the_page_runs_nothing_but_its_own_and_asks_nobody_but_the_pbx(page: Served) -> None:
    answer = await page.remote.get("/lab")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == "'self' wss://pbx.example:8089"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sip-secret" not in answer.text


@pytest.mark.parametrize("name", ["page.js", "page.css", "api.js", "sign-in.js", "telephone.js", "jssip.js"])
async def test_its_files_are_open_to_all(page: Served, name: str) -> None:
    answer = await page.remote.get(f"/lab/{name}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(
        "text/css" if name.endswith("css") else "text/javascript"
    )


@pytest.mark.parametrize(
    "path", ["/lab/page.html", "/lab/../native.py", "/lab/%2e%2e/%2e%2e/page.js", "/labs"]
)
async def test_nothing_else_is(page: Served, path: str) -> None:
    assert (await page.remote.get(path)).status_code in (401, 404)


async def test_the_account_is_told_by_key_and_scope_only(page: Served) -> None:
    assert (await page.remote.get("/lab/account")).status_code == 401
    hooks = await page.key(Scope.HOOKS, name="hooks")
    assert (await page.remote.get("/lab/account", headers=hooks)).status_code == 403
    answer = await page.remote.get("/lab/account", headers=await page.key(Scope.VERIFICATIONS))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {
        "websocket_url": WEBSOCKET,
        "uri": "sip:4109@pbx.example",
        "password": "sip-secret",
        "destination": "4109",
    }


async def test_there_is_no_page_where_it_is_not_switched_on(served: Served) -> None:
    assert telephone_doors(Settings()) == ()
    assert (await served.http.get("/lab")).status_code == 404


@pytest.mark.parametrize("missing", ["websocket_url", "account", "password_file"])
def test_what_it_needs_is_asked_for_by_name(testing: Testing, missing: str) -> None:
    values = {name: getattr(testing, name) for name in testing.__struct_fields__} | {missing: ""}
    with pytest.raises(ConfigError, match=f"^testing.{missing}: "):
        check(settings(Testing(**values)))


def test_an_account_that_nobody_could_call_is_refused(testing: Testing) -> None:
    with pytest.raises(ConfigError, match=r"^testing\.account: no \[internal\.NAME\] has a pattern"):
        telephone_doors(settings(testing, pattern="42[0-9]{2}"))


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("wss://pbx.example:8089/ws", True),
        ("ws://127.0.0.1:8088/ws", True),
        ("ws://localhost:8088/ws", True),
        ("ws://pbx.example:8088/ws", False),
    ],
)
def test_a_page_over_https_reaches_the_pbx_over_wss(testing: Testing, url: str, *, is_taken: bool) -> None:
    given, tls = replace(testing, websocket_url=url), Tcp(certificate="/etc/ssl/c.pem", key="/etc/ssl/k.pem")
    assert telephone_doors(settings(given))
    if is_taken:
        assert telephone_doors(settings(given, tls))
    else:
        with pytest.raises(ConfigError, match=r"^testing\.websocket_url: .* wss:// only$"):
            telephone_doors(settings(given, tls))
