"""With 10^5 calls stored, lists, summaries and readiness are quick, and no guess waits for them."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import quantiles
from typing import Final

import httpx
import pytest

from tests.filled import CLIENT, SERVICE, at, fill
from tests.unit.adapters.http.serving import Served, serving
from tests.unit.adapters.http.twilio.serving import door_of
from tests.unit.application.conftest import ADMIN, Bench
from voicegate.application.clients import NewKey
from voicegate.domain.client import Scope

pytestmark = pytest.mark.soak

CALLS: Final = 100_000
P99_S: Final = 0.05
ROUNDS: Final = 200
POLLERS: Final = 4
SINCE: Final = at(90_000).strftime("%Y-%m-%dT%H:%M:%SZ")
PATHS: Final[Mapping[str, tuple[str, str]]] = {
    "readiness": ("empty", "/readyz"),
    "calls of a client without any": ("empty", "/v1/calls"),
    "calls": (CLIENT, "/v1/calls"),
    "calls that ended so": (CLIENT, "/v1/calls?outcome=busy"),
    "calls by a trunk": (CLIENT, "/v1/calls?trunk=other"),
    "calls to a number": (CLIENT, "/v1/calls?number=%2B12025550143"),
    "summary": (CLIENT, "/v2/Attempts/Summary"),
    "summary since": (CLIENT, f"/v2/Attempts/Summary?DateCreatedAfter={SINCE}&Country=US"),
    "attempts": (CLIENT, f"/v2/Attempts?VerifyServiceSid={SERVICE}"),
    "attempts of a client without any": ("empty", "/v2/Attempts"),
}


@pytest.fixture
async def crowded(bench: Bench, tmp_path: Path) -> AsyncIterator[Served]:
    await asyncio.to_thread(fill, tmp_path / "test.db", CALLS)
    async with serving(bench, tmp_path, doors=[door_of(bench)]) as served:
        yield served


async def keys(served: Served) -> dict[str, dict[str, str]]:
    """By client, the headers for both doors."""
    headers = {}
    for name in (CLIENT, "empty"):
        added = await served.bench.clients.add(ADMIN, name, frozenset({Scope.VERIFICATIONS}))
        assert isinstance(added, NewKey)
        headers[name] = {"Authorization": f"Bearer {added.key}"}
        basic = base64.b64encode(f"{name}:{added.key}".encode()).decode()
        headers[f"{name} twilio"] = {"Authorization": f"Basic {basic}"}
    return headers


async def timed(http: httpx.AsyncClient, path: str, headers: dict[str, str]) -> float:
    began = time.perf_counter()
    response = await http.get(path, headers=headers)
    assert response.status_code == 200, response.text
    return time.perf_counter() - began


def p99(times: list[float]) -> float:
    return quantiles(times, n=100)[98]


async def test_what_is_polled_answers_at_once(crowded: Served) -> None:
    headers = await keys(crowded)
    found = {}
    for name, (client, path) in PATHS.items():
        own = headers[f"{client} twilio" if path.startswith("/v2") else client]
        found[name] = p99([await timed(crowded.remote, path, own) for _ in range(ROUNDS)])
    print({name: f"{1000 * seconds:.1f} ms" for name, seconds in found.items()})
    assert {name: seconds for name, seconds in found.items() if seconds >= P99_S} == {}


async def test_pollers_make_no_guess_wait(crowded: Served) -> None:
    headers = await keys(crowded)
    created = await crowded.create()
    await crowded.bench.settled(created["id"])

    async def poll() -> None:
        while True:
            for client, path in PATHS.values():
                own = headers[f"{client} twilio" if path.startswith("/v2") else client]
                await timed(crowded.remote, path, own)

    times = []
    async with AsyncExitStack() as stack:
        for _ in range(POLLERS):
            poller = asyncio.create_task(poll())
            stack.callback(poller.cancel)
        for _ in range(ROUNDS):
            began = time.perf_counter()
            # Of a wrong shape for nobody: each is judged, stored and audited, and the fifth locks.
            response = await crowded.http.post(
                f"/v1/verifications/{created['id']}/check", json={"passcode": "0000"}
            )
            assert response.status_code == 200
            times.append(time.perf_counter() - began)
    print(f"a guess beside {POLLERS} pollers: p99 {1000 * p99(times):.1f} ms")
    # The pollers share this process and its core: what is bounded is that nobody queues behind a list.
    assert p99(times) < 10 * P99_S
