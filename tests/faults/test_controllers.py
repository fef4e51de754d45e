"""Two controllers on one PostgreSQL database, with what can happen to one of them, or to the database, in
mid-load."""

import asyncio
import itertools
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Final, LiteralString

import psycopg
import pytest

from tests.faults.daemons import PASSCODE, fast, noted, number_of, running, write_settings
from tests.postgresql import Server, running_server
from voicegate.client import ApiError, AsyncClient, Unreachable
from voicegate.lab.deadlines import within

# What was accepted is to outlive a crash of the server.
OPTIONS: Final = "sslmode=disable&gssencmode=disable&options=-c%20synchronous_commit%3Don"
LINES: Final = 20
MORE: Final = f"max_calls = {LINES}\n"
AT_ONCE: Final = 8
"""People who ask at a time."""


@dataclass(frozen=True)
class Pair:
    """Two controllers on one server."""

    server: Server
    folders: Sequence[Path]
    clients: Sequence[AsyncClient]
    processes: Sequence[Popen[bytes]]

    def rows(self, query: LiteralString) -> list[tuple[object, ...]]:
        with psycopg.connect(self.server.url("controllers")) as connection:
            return connection.execute(query).fetchall()

    def ids(self, which: LiteralString) -> set[object]:
        return {row[0] for row in self.rows("SELECT id FROM calls WHERE " + which)}

    async def all_end(self, seconds: float) -> int:
        """Wait until no call is in progress; return how many there were at most."""
        highest = 0
        async with within(seconds):
            while states := self.rows("SELECT state FROM calls WHERE state != 'ended'"):
                highest = max(highest, sum(state != "queued" for (state,) in states))
                await asyncio.sleep(0.2)
        return highest

    def assert_each_was_placed_once_at_most(self) -> None:
        rung = Counter(number for folder in self.folders for number in noted(folder, "originated"))
        assert rung
        assert set(rung.values()) == {1}
        started = "SELECT call_id, count(*) FROM timeline WHERE event = 'originated' GROUP BY call_id"
        assert {count for _, count in self.rows(started)} == {1}
        assert not self.rows("SELECT id FROM calls WHERE outcome IS NULL")
        assert not self.rows("SELECT id FROM challenges WHERE state = 'delivering'")


@pytest.fixture
def pace() -> float:
    return 0.05


@pytest.fixture
async def pair(tmp_path: Path, pace: float) -> AsyncIterator[Pair]:
    environment = {**os.environ, "PACE": str(pace)}
    async with AsyncExitStack() as stack:
        server = stack.enter_context(running_server())
        server.create("controllers")
        url = f"postgresql://voicegate@/controllers?host={server.folder}&{OPTIONS}"
        folders = [tmp_path / name for name in ("one", "other")]
        daemons = []
        for folder in folders:
            folder.mkdir()
            settings = write_settings(folder, MORE, database=url)
            text = settings.read_text().replace(f"{folder}/key", f"{tmp_path}/key")
            settings.write_text(
                text.replace("[call]\n", "[call]\nqueue_timeout_s = 900\nmax_queued = 1000\n")
            )
            daemons.append(
                await stack.enter_async_context(running(settings, fast(folder), environment=environment))
            )
        clients, processes = zip(*daemons, strict=True)
        yield Pair(server, folders, clients, processes)


async def ask(pair: Pair, indices: Iterator[int], accepted: list[str]) -> None:
    """Ask for calls, one after the other; each until one of the controllers has accepted it."""
    for index in indices:
        for client in itertools.cycle((pair.clients[index % 2], pair.clients[1])):
            try:
                created = await client.create_verification(
                    number_of(index), passcode=PASSCODE, idempotency_key=f"asked-for-{index}"
                )
            except (ApiError, Unreachable):
                # It is killed, or the database is away: what was stored all the same is not placed twice.
                await asyncio.sleep(0.2)
                continue
            accepted.append(created.id)
            break


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_of_a_thousand_calls_each_is_placed_once_though_one_is_killed_and_the_database_restarted(
    pair: Pair,
) -> None:
    indices, accepted = iter(range(1000)), list[str]()

    async def reaches(count: int) -> None:
        async with within(600):
            while len(accepted) < count:
                await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(ask(pair, indices, accepted))
        await reaches(300)
        await asyncio.to_thread(pair.server.stop, signal.SIGQUIT)
        await asyncio.to_thread(pair.server.start)
        await reaches(500)
        pair.processes[0].kill()
        await reaches(600)
        await asyncio.to_thread(pair.server.stop, signal.SIGINT)
        await asyncio.to_thread(pair.server.start)
    assert await pair.all_end(300) <= LINES
    pair.assert_each_was_placed_once_at_most()
    rows = pair.rows("SELECT outcome, count(*) FROM calls GROUP BY outcome")
    outcomes = {str(outcome): count for outcome, count in rows}
    print(f"{len(accepted)} accepted; {outcomes}")
    known = {row[0] for row in pair.rows("SELECT id FROM challenges")}
    assert set(accepted) <= known
    assert set(outcomes) <= {"delivered", "interrupted", "internal_error", "canceled"}
    assert int(str(outcomes["delivered"])) >= 800


class TestInRealTime:
    """A controller that stands still, as a virtual machine does that is moved."""

    @pytest.fixture
    def pace(self) -> float:
        return 1.0

    @pytest.mark.soak
    @pytest.mark.timeout(400)
    async def test_one_that_stood_still_begins_no_call_that_the_other_took_and_goes_on(
        self, pair: Pair
    ) -> None:
        one, other = pair.clients
        for index in range(LINES):
            # These ring for as long as they may.
            await one.create_verification(number_of(index)[:-2] + "04", passcode=PASSCODE)
        async with within(30):
            while len(pair.ids("state = 'ringing'")) < LINES:
                await asyncio.sleep(0.1)
        ringing = pair.ids("state = 'ringing'")
        waiting = [
            await one.create_verification(number_of(500 + n)[:-2] + "03", passcode=PASSCODE) for n in range(5)
        ]
        pair.processes[0].send_signal(signal.SIGSTOP)
        async with within(60):
            while not ringing <= pair.ids("outcome = 'interrupted'"):
                await asyncio.sleep(0.2)
        pair.processes[0].send_signal(signal.SIGCONT)
        assert await pair.all_end(60) <= LINES
        queued = {created.call.id for created in waiting}
        assert queued <= pair.ids("outcome = 'busy'")
        pair.assert_each_was_placed_once_at_most()
        assert len(noted(pair.folders[1], "originated")) == len(waiting)
        # What it held is over, and it takes calls again.
        again = await one.create_verification(number_of(900)[:-2] + "03", passcode=PASSCODE)
        async with within(30):
            _ = [step async for step in other.watch(again.id)]
        assert pair.ids("outcome = 'busy'") >= {again.call.id}
