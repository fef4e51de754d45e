"""A database that another program has locked: a request fails soon, a call in progress goes on."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from tests.unit.application.conftest import Bench
from tests.unit.application.scripted import ScriptedLeg
from voicegate.adapters.storage.store import SqlStore, Waits
from voicegate.domain.call import Answered, Rang
from voicegate.domain.call_outcome import Hangup, Outcome
from voicegate.domain.errors import StoreError
from voicegate.lab.deadlines import within


@pytest.fixture
def other(tmp_path: Path, bench: Bench) -> Iterator[sqlite3.Connection]:
    """Another program's connection to the same file."""
    store = bench.store
    assert isinstance(store, SqlStore)
    store._waits = Waits(request=timedelta(seconds=0.1), call=timedelta(seconds=60))
    with closing(sqlite3.connect(tmp_path / "test.db", isolation_level=None)) as connection:
        yield connection


async def test_a_call_in_progress_goes_on_and_its_end_is_stored_once_it_can_be(
    bench: Bench, other: sqlite3.Connection
) -> None:
    async def rings(leg: ScriptedLeg) -> None:
        leg.tell(Rang())

    bench.pbx.plots = [rings]
    challenge_id = await bench.issue()
    async with within(20):
        while (await bench.store.recent_calls(1))[0].call.state != "ringing":
            await asyncio.sleep(0.01)
    other.execute("BEGIN IMMEDIATE")
    leg = bench.pbx.legs[0]
    leg.tell(Answered())
    async with within(20):
        while "play reading" not in leg.done:
            await asyncio.sleep(0.01)
    with pytest.raises(StoreError, match="locked"):
        await bench.issue("+12025550102")
    leg.tell(Hangup(cause=16))
    other.execute("ROLLBACK")
    (call,) = (await bench.settled(challenge_id)).calls
    assert call.outcome is not None
    assert call.outcome.outcome is Outcome.DELIVERED
    assert [entry.seq for entry in call.timeline] == list(range(1, len(call.timeline) + 1))
    assert [entry.event for entry in call.timeline][:3] == ["originated", "rang", "answered"]


async def test_a_person_on_the_telephone_is_not_cut_off_for_a_database_that_cannot_be_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = bench.store.challenge

    async def gone(_: str) -> None:
        raise StoreError("the server is away")

    async def rings(leg: ScriptedLeg) -> None:
        monkeypatch.setattr(bench.store, "challenge", gone)
        leg.tell(Rang(), Answered())

    bench.pbx.plots = [rings]
    challenge_id = await bench.issue()
    async with within(20):
        while (await bench.store.recent_calls(1))[0].call.state != "ended":
            await asyncio.sleep(0.01)
    monkeypatch.setattr(bench.store, "challenge", read)
    (call,) = (await bench.settled(challenge_id)).calls
    assert call.outcome is not None
    assert (call.outcome.outcome, call.call.evidence.announced) == (Outcome.DELIVERED, 2)


async def test_nobody_is_called_before_the_beginning_is_stored(
    bench: Bench, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = bench.store
    assert isinstance(store, SqlStore)
    store._waits = Waits(request=timedelta(seconds=30), call=timedelta(seconds=0.1))
    begin = store.begin

    async def lock_first(*given: Any, **named: Any) -> Any:
        monkeypatch.setattr(store, "begin", begin)
        other.execute("BEGIN IMMEDIATE")
        try:
            return await begin(*given, **named)
        finally:
            other.execute("ROLLBACK")

    monkeypatch.setattr(store, "begin", lock_first)
    (call,) = (await bench.settled(await bench.issue())).calls
    assert bench.pbx.legs == []
    assert call.outcome is not None
    assert call.outcome.outcome is Outcome.INTERNAL_ERROR


async def test_the_log_line_of_a_calls_end_says_how_it_ended(bench: Bench) -> None:
    with structlog.testing.capture_logs() as logs:
        await bench.settled(await bench.issue())
    (line,) = [line for line in logs if line["event"] == "call ended"]
    assert line["outcome"] == "delivered"
    assert line["blame"] == "nobody"
    assert (line["trunk"], line["evidence"]) == ("carrier", "announced")
    assert (line["destination"], line["caller_id"]) == ("+1••••••••01", "+1••••••••00")
    assert {"cause", "sip_status", "gave_up"} <= set(line)
