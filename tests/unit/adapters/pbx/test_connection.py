"""When a PBX that is away is tried: often at first, less the longer it is away, at once when it is wanted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from structlog.testing import capture_logs

from voicegate.adapters.pbx.common.connection import ReconnectPolicy, SecretRefused, keep_connected
from voicegate.domain.errors import PbxUnavailable
from voicegate.lab.deadlines import within

PACE = ReconnectPolicy(first_delay=timedelta(milliseconds=20), longest_delay=timedelta(seconds=30))
SLOW = ReconnectPolicy(first_delay=timedelta(seconds=30), refused_delay=timedelta(seconds=30))


@dataclass
class AbsentPbx:
    """Refuses every connection."""

    error: Exception = field(default_factory=lambda: PbxUnavailable("refused"))
    tried_at: list[float] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self) -> None:
        self.tried_at.append(asyncio.get_running_loop().time())
        self.news.set()
        raise self.error

    def drop(self) -> None:
        self.ready.clear()

    async def until_tried(self, times: int) -> None:
        async with within(10):
            while len(self.tried_at) < times:
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def looking_for(pbx: AbsentPbx, pace: ReconnectPolicy) -> AsyncIterator[asyncio.Event]:
    """Somebody keeps the connection; gives what says that it is wanted."""
    wanted = asyncio.Event()
    task = asyncio.create_task(keep_connected(pbx, pace, pbx="lab", wire="ESL", wanted=wanted))
    try:
        yield wanted
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_pbx_that_restarts_is_found_an_eighth_of_its_absence_later_at_most() -> None:
    pbx = AbsentPbx()
    async with looking_for(pbx, PACE):
        await pbx.until_tried(30)
    first, *rest = pbx.tried_at
    for before, after in zip(pbx.tried_at, rest, strict=False):
        # The clock of a busy machine may add to each.
        assert after - before <= max((before - first) / 8, 0.02) + 0.5


async def test_the_longer_it_is_away_the_less_often_it_is_tried() -> None:
    pbx = AbsentPbx()
    async with looking_for(pbx, PACE):
        await pbx.until_tried(30)
    first = pbx.tried_at[0]
    for before, after in zip(pbx.tried_at, pbx.tried_at[1:], strict=False):
        assert after - before >= (before - first) / 16


async def test_a_pbx_that_is_wanted_is_tried_at_once() -> None:
    pbx = AbsentPbx()
    async with looking_for(pbx, SLOW) as wanted:
        for times in range(1, 4):
            await pbx.until_tried(times)
            await asyncio.sleep(0)  # the tries' own turn, in which it goes to rest
            wanted.set()
        await pbx.until_tried(4)


async def test_many_who_want_it_at_once_are_one_try() -> None:
    pbx = AbsentPbx()
    async with looking_for(pbx, SLOW) as wanted:
        started = asyncio.get_running_loop().time()
        async with within(10):
            while len(pbx.tried_at) < 4:
                wanted.set()
                await asyncio.sleep(0)
    assert pbx.tried_at[3] - started >= 3 * 0.1


async def test_a_pbx_that_refuses_our_secret_is_left_alone_however_much_it_is_wanted() -> None:
    pbx = AbsentPbx(SecretRefused("-ERR invalid"))
    async with looking_for(pbx, SLOW) as wanted:
        await pbx.until_tried(1)
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.3
        while loop.time() < until:
            wanted.set()
            await asyncio.sleep(0.01)
    assert len(pbx.tried_at) == 1


async def test_a_pbx_that_is_tried_often_is_complained_of_now_and_then() -> None:
    pbx = AbsentPbx()
    with capture_logs() as logs:
        async with looking_for(pbx, PACE):
            await pbx.until_tried(5)
            pbx.error = PbxUnavailable("no route to host")
            await pbx.until_tried(10)
    warned = [entry["why"] for entry in logs if entry["log_level"] == "warning"]
    assert warned == ["refused", "no route to host"]
