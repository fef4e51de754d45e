"""Those who wait for news: counted apart, each client for itself, and gone with their key or connection."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.unit.adapters.http.serving import Served, people_waiting, serving
from tests.unit.application.conftest import ADMIN, Bench
from tests.unit.application.scripted import ScriptedLeg
from voicegate.adapters.http.connections import ConnectionLimits
from voicegate.adapters.http.server import ServerSettings
from voicegate.adapters.http.waiting import WaitingLimits
from voicegate.domain.call import Rang
from voicegate.domain.client import Scope
from voicegate.lab.deadlines import within

FEW = WaitingLimits(total=4, per_client=3)
WATCHERS = 500


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


async def ringing(served: Served, key: dict[str, str] | None = None) -> str:
    """A verification whose call rings until somebody ends it."""
    served.bench.pbx.plots = [rings]
    created = (
        await served.remote.post("/v1/verifications", json={"destination": "+12025550101"}, headers=key)
        if key
        else await served.http.post("/v1/verifications", json={"destination": "+12025550101"})
    ).json()
    path = f"/v1/verifications/{created['id']}"
    while (seen := (await served.http.get(path)).json())["calls"][0]["state"] != "ringing":
        await asyncio.sleep(0.01)
    return f"{path}?wait_s=60&since={seen['revision']}"


async def waiting(served: Served, count: int) -> None:
    """Come back once so many wait."""
    async with within(30):
        while people_waiting(served.bench) < count:
            await asyncio.sleep(0.01)


def end(served: Served, path: str) -> "asyncio.Task[httpx.Response]":
    return asyncio.create_task(served.http.delete(path.partition("?")[0]))


async def test_five_hundred_watch_and_the_rest_is_served(bench: Bench, tmp_path: Path) -> None:
    settings = ServerSettings(ConnectionLimits(total=WATCHERS + 20, per_address=WATCHERS))
    async with serving(bench, tmp_path, settings=settings) as served:
        path = await ringing(served)
        transport = httpx.AsyncHTTPTransport(
            uds=str(served.path), limits=httpx.Limits(max_connections=WATCHERS)
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://voicegate", timeout=None) as crowd:
            watching = [asyncio.create_task(crowd.get(path)) for _ in range(WATCHERS)]
            await waiting(served, WATCHERS)
            assert (await served.http.get("/v1/calls")).status_code == 200
            await end(served, path)
            assert {answer.status_code for answer in await asyncio.gather(*watching)} == {200}


async def test_past_the_cap_of_a_client_it_alone_is_refused(bench: Bench, tmp_path: Path) -> None:
    async with serving(bench, tmp_path, waiting=FEW) as served:
        path = await ringing(served)
        watching = [asyncio.create_task(served.http.get(path)) for _ in range(FEW.per_client)]
        await waiting(served, FEW.per_client)
        for asked in (path, path.replace("?", "/events?").partition("?")[0]):
            refused = await served.http.get(asked)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
            assert refused.json()["type"] == "urn:voicegate:problem:too_many_waiting"
        assert (await served.http.get(path.partition("?")[0])).status_code == 200
        key = await served.key(Scope.ADMIN, name="other")
        watching.append(asyncio.create_task(served.remote.get(path, headers=key)))
        await waiting(served, FEW.total)
        third = await served.key(Scope.ADMIN, name="third")
        assert (await served.remote.get(path, headers=third)).status_code == 503
        await end(served, path)
        assert {answer.status_code for answer in await asyncio.gather(*watching)} == {200}


@pytest.mark.parametrize("how", ["revoke", "rotate"])
async def test_a_key_that_is_worth_nothing_any_more_hears_nothing_more(served: Served, how: str) -> None:
    key = await served.key(Scope.VERIFICATIONS)
    path = await ringing(served, key)
    polling = asyncio.create_task(served.remote.get(path, headers=key, timeout=None))
    async with served.remote.stream("GET", f"{path.partition('?')[0]}/events", headers=key) as stream:
        lines = stream.aiter_lines()
        await anext(lines)
        await waiting(served, 2)
        clients = served.bench.clients
        await (clients.revoke(ADMIN, "backend") if how == "revoke" else clients.rotate(ADMIN, "backend"))
        async with within(10):
            assert (await polling).status_code == 401
            async for _ in lines:
                pass
    await end(served, path)


async def test_who_hangs_up_gives_the_place_back(bench: Bench, tmp_path: Path) -> None:
    async with serving(bench, tmp_path, waiting=WaitingLimits(total=1)) as served:
        path = await ringing(served)
        for _ in range(3):
            _, writer = await asyncio.open_unix_connection(str(served.path))
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await waiting(served, 1)
            writer.transport.abort()
            async with within(10):
                while people_waiting(served.bench):
                    await asyncio.sleep(0.01)
        await end(served, path)
