"""PostgreSQL restarted, and cut off without a word, in mid-load: each request has an answer in time, each
call ends as it was, and nobody is called twice."""

import asyncio
import itertools
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.faults.daemons import PASSCODE, fast, noted, number_of, running, sign_in, write_settings
from tests.faults.settled import Memory, Settled, assert_all_is_settled
from tests.pbx.relay import Relay
from tests.postgresql import Server, running_server
from voicegate.client import ApiError, AsyncClient
from voicegate.lab.deadlines import within

# The tests' server is fast, not durable: of this one, what was accepted is to outlive a crash.
OPTIONS: Final = "sslmode=disable&gssencmode=disable&options=-c%20synchronous_commit%3Don"
EVERY_S: Final = 0.25
REQUEST_TIMEOUT_S: Final = 2
ANSWERED_WITHIN_S: Final = 15


@dataclass
class Load:
    """People who ask for calls, one after another, whatever happens."""

    client: AsyncClient
    answers: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(100))

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        """Ask as long as the context lasts."""
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(self._ask_on(tasks))
            yield self
            asking.cancel()

    async def reaches(self, answer: str, count: int) -> None:
        """Wait until one more than now, or so many more, were answered so."""
        wanted = self.answers[answer] + count
        async with within(60):
            while self.answers[answer] < wanted:
                await asyncio.sleep(0.05)

    async def _ask_on(self, tasks: asyncio.TaskGroup) -> None:
        for index in self._numbers:
            tasks.create_task(self._ask(number_of(index)))
            await asyncio.sleep(EVERY_S)

    async def _ask(self, number: str) -> None:
        began = asyncio.get_running_loop().time()
        try:
            created = await self.client.create_verification(number, passcode=PASSCODE)
        except ApiError as refused:
            has_time = bool(refused.problem.retry_after_s)
            self.answers[refused.problem.name if refused.status == 503 and has_time else "odd"] += 1
        else:
            self.answers["accepted"] += 1
            self.accepted.append(created.id)
        self.slowest_s = max(self.slowest_s, asyncio.get_running_loop().time() - began)


@dataclass
class Scene:
    """A daemon whose connections to the server go through a relay."""

    server: Server
    relay: Relay
    client: AsyncClient
    process: int
    folder: Path

    async def settled(self, load: Load, memory: Memory) -> Settled:
        found = await assert_all_is_settled(
            self.client,
            audio=self.folder / "audio",
            rung=noted(self.folder, "originated"),
            memory=memory,
            seconds=120,
        )
        known = {one.id: one for one in found.verifications}
        assert set(load.accepted) <= set(known)
        assert set(load.answers) <= {"accepted", "store_unavailable", "overloaded"}
        assert load.slowest_s < ANSWERED_WITHIN_S
        return found


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    with running_server() as server:
        server.create("faults")
        async with Relay(server.folder / ".s.PGSQL.5432").running() as relay:
            url = f"postgresql://voicegate@127.0.0.1:{relay.port}/faults?{OPTIONS}"
            settings = write_settings(tmp_path, database=url)
            text = settings.read_text()
            timeouts = f"[storage]\nrequest_timeout_s = {REQUEST_TIMEOUT_S}\n"
            settings.write_text(text.replace("[storage]\n", timeouts))
            async with running(settings, fast(tmp_path)) as (client, process):
                yield Scene(server, relay, client, process.pid, tmp_path)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["orderly", "crashed"])
async def test_a_restart_in_mid_load_costs_no_call_its_outcome(scene: Scene, how: signal.Signals) -> None:
    await sign_in(scene.client, number_of(0))
    memory = Memory.of(scene.process)
    async with Load(scene.client).running() as load:
        await load.reaches("accepted", 6)
        await asyncio.to_thread(scene.server.stop, how)
        await load.reaches("store_unavailable", 3)
        await asyncio.to_thread(scene.server.start)
        await load.reaches("accepted", 6)
    found = await scene.settled(load, memory)
    await sign_in(scene.client, number_of(1))
    print(f"{dict(load.answers)}, answered within {load.slowest_s:.1f} s; {dict(found.outcomes)}")


@pytest.mark.soak
async def test_thirty_seconds_without_a_word_from_it_cost_no_call_its_outcome(scene: Scene) -> None:
    await sign_in(scene.client, number_of(0))
    memory = Memory.of(scene.process)
    async with Load(scene.client).running() as load:
        await load.reaches("accepted", 6)
        scene.relay.freeze()
        await asyncio.sleep(30)  # it is the length of the cut that is tried
        scene.relay.thaw()
        await load.reaches("accepted", 6)
    found = await scene.settled(load, memory)
    await sign_in(scene.client, number_of(1))
    print(f"{dict(load.answers)}, answered within {load.slowest_s:.1f} s; {dict(found.outcomes)}")
