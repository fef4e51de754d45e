"""`/readyz` says what of it is not ready, soon, and whatever hangs."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.adapters.http.serving import Served
from voicegate.adapters.storage.store import SqlStore, Waits
from voicegate.application import readiness


async def ready(served: Served) -> tuple[int, dict[str, Any]]:
    response = await served.http.get("/readyz")
    return response.status_code, response.json()


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every request ask the database anew."""
    monkeypatch.setattr(readiness, "_FRESH", timedelta())


async def test_each_part_says_how_it_is(served: Served) -> None:
    assert await ready(served) == (200, {"status": "ok", "parts": {"database": "ok", "pbx main": "ok"}})
    served.bench.pbx.is_connected = False
    status, problem = await ready(served)
    assert (status, problem["failing"]) == (503, ["pbx main: not connected"])


async def test_a_database_in_which_nothing_can_be_stored_is_not_ready(served: Served, tmp_path: Path) -> None:
    store = served.bench.store
    assert isinstance(store, SqlStore)
    store._waits = Waits(probe=timedelta(seconds=0.1))
    with closing(sqlite3.connect(tmp_path / "test.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        status, problem = await ready(served)
        assert status == 503
        assert problem["failing"] == [f"database: {tmp_path}/test.db: database is locked"]
        other.execute("ROLLBACK")
    assert (await ready(served))[0] == 200


async def test_a_database_that_hangs_is_told_and_given_nothing_more_to_do(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_WITHIN", timedelta(seconds=0.1))
    answers = asyncio.Event()
    asked: list[object] = []

    async def hang(now: object) -> None:
        asked.append(now)
        await answers.wait()

    monkeypatch.setattr(served.bench.store, "probe", hang)
    for _ in range(3):
        status, problem = await ready(served)
        assert (status, problem["failing"]) == (503, ["database: no answer for 0 s"])
    assert len(asked) == 1
    answers.set()
    await asyncio.sleep(0)
    assert (await ready(served))[0] == 200


async def test_many_who_ask_at_once_cost_one_write(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_FRESH", timedelta(hours=1))
    asked: list[object] = []

    async def probe(now: object) -> None:
        asked.append(now)
        await asyncio.sleep(0)

    monkeypatch.setattr(served.bench.store, "probe", probe)
    answers = await asyncio.gather(*(ready(served) for _ in range(20)))
    assert {status for status, _ in answers} == {200}
    assert len(asked) == 1
