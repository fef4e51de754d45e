"""Metrics as their settings say: served on a port of their own, and to whom."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from tests.unit.adapters.http.test_keys_and_peers import make_certificate
from voicegate import __version__, config
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.sign_in import Issued, IssueRequest
from voicegate.bootstrap import check, running
from voicegate.bootstrap.app import App
from voicegate.domain.client import Principal, Scope
from voicegate.domain.errors import ConfigError
from voicegate.domain.phone_number import Destination
from voicegate.lab.deadlines import within

BUSY = "+12025550103"


def settings(folder: Path, *, traces: bool = False, **metrics: object) -> config.Settings:
    raw: dict[str, Any] = {
        "storage": {
            "database": f"{folder}/voicegate.db",
            "key_file": f"{folder}/key",
            "state_folder": str(folder),
        },
        "audio": {"folder": f"{folder}/audio"},
        "socket": {"path": f"{folder}/voicegate.sock"},
        "policy": {"allowed_countries": ["US"]},
        "pbx": {"main": {"kind": "simulator"}},
        "trunks": {
            "carrier": {
                "pbx": "main",
                "endpoint": "carrier",
                "caller_ids": [{"number": "+12025550100"}],
            }
        },
        "metrics": {"enabled": True, "port": 0} | metrics,
        "traces": {"enabled": traces},
    }
    return config.parse(raw)


@asynccontextmanager
async def served(
    folder: Path, **metrics: Any
) -> AsyncIterator[tuple[App, httpx.AsyncClient, list[dict[str, Any]]]]:
    with capture_logs() as logs:
        async with running(settings(folder, **metrics)) as app:
            port = next(entry["port"] for entry in logs if entry["event"] == "serving metrics")
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
                yield app, http, [dict(entry) for entry in logs]


async def test_a_prometheus_on_this_machine_reads_what_calls_came_to(tmp_path: Path) -> None:
    async with served(tmp_path) as (app, http, _):
        principal = Principal("web", frozenset({Scope.VERIFICATIONS}), "req_1")
        spec = ChallengeSpec(Destination.parse(BUSY))
        assert isinstance(await app.sign_in.issue(IssueRequest(principal, spec)), Issued)
        wanted = 'voicegate_calls_total{country="US",outcome="busy",trunk="carrier"} 1.0'
        async with within(20):
            while wanted not in (page := await http.get("/metrics")).text:
                await asyncio.sleep(0.05)
        assert page.headers["Content-Type"].startswith("text/plain; version=")
        families = {family.name for family in text_string_to_metric_families(page.text)}
        assert {"voicegate_build_info", "voicegate_database_commit_seconds", "process_open_fds"} <= families
        assert f'version="{__version__}"' in page.text
        assert (await http.get("/v1/calls")).status_code == 404, "nothing else is there"
        assert (await http.post("/metrics")).status_code == 405


async def test_where_a_token_is_set_nobody_reads_without_it(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-long-one\n")
    async with served(tmp_path, token_file=str(token)) as (_, http, _logs):
        for sent in (None, b"Bearer another", b"Bearer \xe9"):
            headers = {} if sent is None else {b"Authorization": sent}
            refused = await http.get("/metrics", headers=headers)
            assert refused.status_code == 401
            assert b"voicegate_" not in refused.content
        page = await http.get("/metrics", headers={"Authorization": "Bearer a-long-one"})
        assert page.status_code == 200
        for why, times in (("key_missing", 1), ("key_wrong", 2)):
            assert f'voicegate_authentication_failures_total{{why="{why}"}} {times}.0' in page.text
        token.write_text("a-newer-one\n")
        for value, status in (("a-long-one", 401), ("a-newer-one", 200)):
            renewed = await http.get("/metrics", headers={"Authorization": f"Bearer {value}"})
            assert renewed.status_code == status


async def test_a_renewed_certificate_is_used_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicegate.bootstrap.monitoring._RENEW_EVERY_S", 0.05)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make_certificate(certificate, key)
    more = {"certificate": str(certificate), "key": str(key)}
    async with served(tmp_path, **more) as (_, http, _logs):
        address = ("127.0.0.1", http.base_url.port or 0)
        first = await asyncio.to_thread(ssl.get_server_certificate, address)
        make_certificate(certificate, key)
        async with within(20):
            while await asyncio.to_thread(ssl.get_server_certificate, address) == first:
                await asyncio.sleep(0.05)


async def test_metrics_that_are_off_open_no_port(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with running(settings(tmp_path, enabled=False)):
            pass
    assert not [entry for entry in logs if entry["event"] == "serving metrics"]


@pytest.mark.parametrize("has_token", [False, True])
def test_what_others_could_read_needs_a_token_and_a_certificate(tmp_path: Path, *, has_token: bool) -> None:
    token = tmp_path / "token"
    token.write_text("a-long-one")
    more: dict[str, Any] = {"token_file": str(token)} if has_token else {}
    with pytest.raises(ConfigError) as refused:
        check(settings(tmp_path, host="0.0.0.0", **more))
    assert str(refused.value).startswith("metrics.certificate" if has_token else "metrics.token_file")
