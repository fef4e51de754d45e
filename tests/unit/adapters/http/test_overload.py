"""What cannot be answered in time is refused before the store, and never for another client's sake."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.unit.adapters.http.serving import serving
from tests.unit.application.conftest import Bench
from voicegate.adapters.http import overload
from voicegate.adapters.http.overload import Load
from voicegate.adapters.http.problems import OVERLOADED, Refused
from voicegate.adapters.http.server import ServerSettings
from voicegate.domain.client import Scope
from voicegate.lab.deadlines import within


def refused(load: Load, client: str, *, writes: bool = True) -> bool:
    try:
        load.enter(client, writes=writes)
    except Refused as error:
        return error.kind is OVERLOADED
    return False


async def test_past_the_cap_each_client_has_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overload, "MAX_UNDER_WAY", 3)
    load = Load()
    assert [refused(load, "flood") for _ in range(5)] == [False, False, False, True, True]
    assert not refused(load, "other")
    assert refused(load, "other")
    load.leave("other")
    assert not refused(load, "other")


async def test_a_late_store_refuses_what_writes_and_nothing_else() -> None:
    delay = [0.0]
    load = Load(lambda: delay[0])
    assert not refused(load, "a")
    assert not refused(load, "a")
    delay[0] = overload.STORE_LATE_S * 2
    assert refused(load, "a")
    assert not refused(load, "a", writes=False)
    assert not refused(load, "b")
    delay[0] = 0
    assert not refused(load, "a")


async def test_a_loop_that_lags_again_and_again_refuses_and_a_moment_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overload, "LOOP_LATE_S", 0.0)
    load = Load()
    assert not refused(load, "a")
    load.start()
    try:
        assert not refused(load, "a")
        async with within(5):
            while not refused(load, "a", writes=False):
                load.leave("a")
                await asyncio.sleep(0.01)
    finally:
        load.stop()


async def test_a_refusal_comes_before_the_body_and_says_when_to_come_again(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delay, asked, answered = [0.0], asyncio.Event(), asyncio.Event()

    async def slow_states() -> Mapping[str, str]:
        asked.set()
        await answered.wait()
        return {}

    monkeypatch.setattr(bench.pbx, "trunk_states", slow_states)
    settings = ServerSettings(store_delay=lambda: delay[0])
    async with serving(bench, tmp_path, settings=settings) as served:
        first = asyncio.create_task(served.http.get("/v1/trunks"))
        await asked.wait()
        delay[0] = 1.0
        # The body that is promised here never comes.
        answer = await served.raw(
            b"POST /v1/verifications HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: 20\r\n\r\n"
        )
        assert answer.status == 503
        assert "Retry-After: 1" in answer.head
        assert b"urn:voicegate:problem:overloaded" in answer.body
        key = await served.key(Scope.VERIFICATIONS, name="other")
        sent = await served.remote.post(
            "/v1/verifications", json={"destination": "+12025550101"}, headers=key
        )
        assert sent.status_code == 202
        answered.set()
        assert (await first).status_code == 200
