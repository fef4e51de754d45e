"""Server-sent events: each step and status once, from where a reader stopped, until it is over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.unit.adapters.http.serving import Served, people_waiting, serve_unix
from tests.unit.adapters.http.test_server import rings
from tests.unit.application.conftest import Bench
from voicegate.adapters.http import events
from voicegate.adapters.unix_socket import SocketFile
from voicegate.application.ports import ChallengeRecord
from voicegate.client import AsyncClient, Step, Unreachable
from voicegate.domain.errors import StoreError
from voicegate.lab.deadlines import within


@dataclass
class Told:
    """What a stream told."""

    ids: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    data: list[dict[str, Any]] = field(default_factory=list)
    comments: int = 0

    def take(self, line: str) -> None:
        key, _, value = line.partition(":")
        match key:
            case "id":
                self.ids.append(value.strip())
            case "event":
                self.names.append(value.strip())
            case "data":
                self.data.append(msgspec.json.decode(value))
            case "":
                self.comments += line == ":"

    @property
    def statuses(self) -> list[str]:
        return [entry["status"] for entry in self.data if "status" in entry]

    @property
    def steps(self) -> list[str]:
        return [entry["event"] for entry in self.data if "event" in entry]


@asynccontextmanager
async def stream(served: Served, verification_id: str, **more: Any) -> AsyncIterator[AsyncIterator[str]]:
    path = f"/v1/verifications/{verification_id}/events"
    async with served.http.stream("GET", path, **more) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["X-Request-Id"].startswith("req_")
        yield response.aiter_lines()


async def read_all(served: Served, verification_id: str, **more: Any) -> Told:
    told = Told()
    async with stream(served, verification_id, **more) as lines, within(10):
        async for line in lines:
            told.take(line)
    return told


async def canceled(served: Served) -> str:
    """A verification that is over."""
    created = await served.create()
    await served.bench.settled(created["id"])
    await served.http.delete(f"/v1/verifications/{created['id']}")
    return str(created["id"])


async def test_every_step_and_status_is_told_once_as_it_happens(served: Served) -> None:
    created = await served.create()
    reading = asyncio.create_task(read_all(served, created["id"]))
    code = served.bench.code(created["id"])
    await served.bench.settled(created["id"])
    await served.http.post(f"/v1/verifications/{created['id']}/check", json={"passcode": code})
    told = await reading
    timeline = (await served.http.get(f"/v1/verifications/{created['id']}")).json()["call"]["timeline"]
    assert told.steps == [step["event"] for step in timeline]
    assert told.statuses in (["delivering", "delivered", "verified"], ["delivering", "verified"])
    assert {entry["call_id"] for entry in told.data if "event" in entry} == {created["call"]["id"]}
    assert len(set(told.ids)) == len(told.ids) == len(told.data)


async def test_a_reader_resumes_after_any_event(served: Served) -> None:
    verification_id = await canceled(served)
    whole = await read_all(served, verification_id)
    assert whole.statuses == ["canceled"]
    for seen, last in enumerate(whole.ids, start=1):
        by_query = await read_all(served, verification_id, params={"after": last})
        assert by_query.ids == whole.ids[seen:]
        headers = {"Last-Event-ID": last}
        by_header = await read_all(served, verification_id, params={"after": whole.ids[0]}, headers=headers)
        assert by_header.ids == by_query.ids


async def test_a_second_call_is_told_after_the_first(served: Served) -> None:
    created = await served.create()
    await served.bench.settled(created["id"])
    redialed = (await served.http.post(f"/v1/verifications/{created['id']}/calls")).json()["call"]
    await served.bench.settled(created["id"])
    await served.http.delete(f"/v1/verifications/{created['id']}")
    told = await read_all(served, created["id"])
    calls = [entry["call_id"] for entry in told.data if "event" in entry]
    assert list(dict.fromkeys(calls)) == [created["call"]["id"], redialed["id"]]
    assert calls == sorted(calls, key=[created["call"]["id"], redialed["id"]].index)


async def test_a_stream_in_silence_shows_that_it_lives(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", timedelta(milliseconds=20))
    served.bench.pbx.plots = [rings]
    created = await served.create()
    told = Told()
    async with stream(served, created["id"]) as lines, within(10):
        async for line in lines:
            told.take(line)
            if told.comments > 5:
                break
    assert told.statuses == ["delivering"]


async def test_the_expiry_of_a_verification_ends_its_stream(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", timedelta(milliseconds=20))
    created = await served.create()
    await served.bench.settled(created["id"])
    reading = asyncio.create_task(read_all(served, created["id"]))
    served.bench.clock.time += timedelta(hours=1)
    assert (await reading).statuses[-1] == "expired"


async def test_a_head_is_answered_at_once(served: Served) -> None:
    created = await served.create()
    response = await served.http.head(f"/v1/verifications/{created['id']}/events")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/event-stream")


@pytest.mark.parametrize("wrong", ["1", "1.2", "-1.0.x", "1.2.delivered\n", "a.b.c"])
async def test_an_id_that_is_none_is_refused(served: Served, wrong: str) -> None:
    created = await served.create()
    response = await served.http.get(f"/v1/verifications/{created['id']}/events", params={"after": wrong})
    assert (response.status_code, response.json()["field"]) == (422, "after")


@pytest.mark.parametrize("last", ["garbage", "1.2", "%C3%A9", "99999999.1.x"])
async def test_a_last_id_that_is_none_starts_from_the_beginning(served: Served, last: str) -> None:
    created = await served.create()
    await served.bench.settled(created["id"])
    await served.http.delete(f"/v1/verifications/{created['id']}")
    whole = await read_all(served, created["id"])
    again = await read_all(
        served, created["id"], headers={"Last-Event-ID": last}, params={"after": whole.ids[-1]}
    )
    assert again.ids == whole.ids


async def test_a_store_that_fails_ends_the_stream_and_the_reader_comes_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", timedelta(milliseconds=20))
    served.bench.pbx.plots = [rings]
    created = await served.create()
    told = Told()
    async with stream(served, created["id"]) as lines, within(10):
        await anext(lines)
        with monkeypatch.context() as patch:

            async def fail(*_: object) -> None:
                raise StoreError

            patch.setattr(served.bench.store, "challenge", fail)
            async for line in lines:
                told.take(line)
    assert told.statuses == ["delivering"]
    await served.http.delete(f"/v1/verifications/{created['id']}")
    assert (await read_all(served, created["id"], params={"after": told.ids[-1]})).statuses == ["canceled"]


async def test_a_reader_that_goes_away_harms_nobody(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", timedelta(milliseconds=10))
    served.bench.pbx.plots = [rings]
    created = await served.create()
    async with stream(served, created["id"]) as lines:
        await anext(lines)
    async with within(10):
        while people_waiting(served.bench):
            await asyncio.sleep(0.01)
    assert (await served.http.get("/healthz")).status_code == 200


async def test_stopping_ends_streams_at_once(bench: Bench, tmp_path: Path) -> None:
    bench.pbx.plots = [rings]
    server = serve_unix(bench, SocketFile(tmp_path / "api.sock"))
    await server.__aenter__()
    async with AsyncClient(tmp_path / "api.sock") as client:
        created = await client.create_verification("+12025550101")
        steps = client.watch(created.id)
        while (await anext(steps)).state != "ringing":
            pass
        following = asyncio.ensure_future(anext(steps))
        began = asyncio.get_running_loop().time()
        await server.__aexit__(None, None, None)
        assert asyncio.get_running_loop().time() - began < 2
        with pytest.raises(Unreachable):
            await following


async def test_a_watch_goes_on_after_the_last_event_when_the_connection_ends(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[httpx.Request] = []
    monkeypatch.setattr(events, "HEARTBEAT", timedelta(milliseconds=20))
    served.bench.pbx.plots = [rings]
    async with AsyncClient(served.path) as client:
        client._http.event_hooks["request"].append(lambda request: remember(asked, request))
        created = await client.create_verification("+12025550101")
        watching = asyncio.create_task(watch(client, created.id))
        with monkeypatch.context() as patch:
            patch.setattr(ChallengeRecord, "is_settled", property(lambda _: True))
            async with within(10):
                while len(asked) < 4:
                    await asyncio.sleep(0.01)
        await client.cancel(created.id)
        seen = await watching
    assert len({step.seq for step in seen}) == len(seen)
    assert seen[-1].state == "ended"


async def remember(asked: list[httpx.Request], request: httpx.Request) -> None:
    asked.append(request)


async def watch(client: AsyncClient, verification_id: str) -> list[Step]:
    return [step async for step in client.watch(verification_id)]
