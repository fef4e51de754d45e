"""A real Prometheus reads a running daemon: its figures, our alert rules, and the dashboard's queries."""

import asyncio
import contextlib
import json
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.acceptance.test_alerts import RULES, SEVERITY
from tests.acceptance.test_dashboard import queries
from tests.unit.adapters.test_traces import call_busy
from tests.unit.test_metrics_served import settings
from voicegate.bootstrap import running
from voicegate.lab.deadlines import at_most, within
from voicegate.lab.packages import ensure_packages, no_progress, unpacked_command

TOKEN: Final = "a-long-one"


@pytest.fixture(scope="session")
def prometheus() -> tuple[str, ...]:
    """Debian's."""
    root = ensure_packages(("prometheus",), suites=(), progress=no_progress)
    return unpacked_command(root, "usr/bin/prometheus")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@asynccontextmanager
async def watching(
    prometheus: tuple[str, ...], folder: Path, daemon: int
) -> AsyncIterator[httpx.AsyncClient]:
    """A Prometheus that reads the daemon at a port each second."""
    (folder / "token").write_text(TOKEN)
    job = {
        "job_name": "voicegate",
        "authorization": {"credentials_file": str(folder / "token")},
        "static_configs": [{"targets": [f"127.0.0.1:{daemon}"]}],
    }
    often = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    # It reads YAML, of which JSON is a part.
    file = folder / "prometheus.json"
    file.write_text(json.dumps({"global": often, "rule_files": [str(RULES)], "scrape_configs": [job]}))
    port = free_port()
    flags = [f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={folder}/data"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen([*prometheus, f"--config.file={file}", *flags], stdout=log, stderr=log)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=at_most(10)) as http:
            yield http
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)


async def ask(http: httpx.AsyncClient, query: str) -> list[dict[str, Any]]:
    with contextlib.suppress(httpx.TransportError):  # it is still starting
        answer = (await http.get("/query", params={"query": query})).json()
        assert answer["status"] == "success", (query, answer)
        return list(answer["data"]["result"])
    return []


async def test_a_prometheus_reads_the_daemon_loads_the_rules_and_answers_the_dashboard(
    prometheus: tuple[str, ...], tmp_path: Path
) -> None:
    port = free_port()
    (tmp_path / "secret").write_text(TOKEN)
    made = settings(tmp_path, port=port, token_file=str(tmp_path / "secret"))
    async with running(made) as app, watching(prometheus, tmp_path, port) as http:
        await call_busy(app)
        async with within(60):
            while not (calls := await ask(http, "voicegate_calls_total")):
                await asyncio.sleep(0.2)
        assert calls[0]["metric"].items() >= {"outcome": "busy", "country": "US", "job": "voicegate"}.items()
        assert (await ask(http, 'up{job="voicegate"}'))[0]["value"][1] == "1"
        for query in queries():
            await ask(http, as_grafana_would(query))
        states = await ask(
            http, as_grafana_would('sum(voicegate_trunk_state{state="usable", trunk=~"$trunk"})')
        )
        assert states[0]["value"][1] == "1"
        async with within(60):
            while "unknown" in (health := await rules(http)).values():
                await asyncio.sleep(0.2)
    assert health == dict.fromkeys(SEVERITY, "ok")


async def rules(http: httpx.AsyncClient) -> dict[str, str]:
    """How each rule fared when it was last judged."""
    (group,) = (await http.get("/rules")).json()["data"]["groups"]
    return {rule["name"]: rule["health"] for rule in group["rules"]}


def as_grafana_would(query: str) -> str:
    """A query with the dashboard's variables filled in."""
    filled = query.replace("$__rate_interval", "1m")
    return filled.replace("$instance", ".*").replace("$trunk", ".*")
