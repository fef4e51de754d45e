"""Does a call cost more when many are up, or when the database is full? Controllers alone, side by side.

Those that are compared run at the same time, each with a database of its own: what slows the machine slows
all of them.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import msgspec

from tests.bench.backend import HttpBackend, Schedule, http_backend
from tests.bench.drive import tell
from tests.bench.lab import Controller
from tests.bench.machine import family_s, resident_mb
from tests.bench.numbers import numbers
from tests.bench.options import Options
from tests.bench.parts.api import TEST_NUMBERS, first_call
from tests.bench.parts.capacity import outcomes
from tests.bench.report import Figure, Plot, Result
from tests.bench.seeding import add_history
from tests.bench.sides import WARM_UP_CALLS, warm_up
from tests.bench.simulated import CALL_S, serving, simulated
from tests.bench.validity import judge_load
from tests.bench.watch import Watch

_LEVELS: Final = (10, 100, 500)
_STORED: Final = 1_000_000
_FEWER: Final = 100
"""The small database has so many times fewer calls."""
_WINDOW_S: Final = 60.0
_IDLE_S: Final = 10.0
_STORED_RATE, _STORED_CALLS = 4.0, 120
_FLAT: Final = 1.10


class Cost(msgspec.Struct, frozen=True):
    """What a call cost a controller."""

    calls: int
    cost_ms: float
    idle_ms: float
    """What it takes in a second without calls; not in the sum."""
    resident_mb: float


def measure(options: Options) -> Result:
    """Measure both."""
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        levels = asyncio.run(_levels(Path(folder), options))
    watch.between()
    with tempfile.TemporaryDirectory() as folder:
        stored = asyncio.run(_stored(Path(folder), options))
    few, many = levels[min(levels)], levels[max(levels)]
    small, big = stored[min(stored)], stored[max(stored)]
    up = f"{max(levels)} calls up over {min(levels)}"
    full = f"{max(stored)} stored calls over {min(stored)}"
    return Result(
        part="growth",
        title="Whether a call costs more when there are many",
        figures=[
            Figure(f"controller a call, {up}", many.cost_ms / few.cost_ms, aim=_FLAT),
            Figure(f"controller a call, {full}", big.cost_ms / small.cost_ms, aim=_FLAT),
            *(Figure(f"controller a call, {level} up", one.cost_ms, "ms") for level, one in levels.items()),
            *(
                Figure(f"controller a call, {count} stored", one.cost_ms, "ms")
                for count, one in stored.items()
            ),
            Figure(f"controller's memory with {max(levels)} calls up", many.resident_mb, "MB", aim=120),
            Figure("controller without calls", many.idle_ms, "ms/s"),
        ],
        plots=[
            Plot(
                "growth",
                "Controller's processor time a call",
                "calls up",
                "ms",
                lines={"calls up": [(level, one.cost_ms) for level, one in levels.items()]},
            ),
        ],
        notes=[
            "The simulator as PBX: 45 s a call; SQLite; what a controller takes when idle is not in the sums."
        ],
        faults=judge_load(watch.load()),
        raw={"up": levels, "stored": stored},
    )


async def _levels(folder: Path, options: Options) -> Mapping[int, Cost]:
    top = options.chosen_up(_LEVELS[-1])
    levels = [level for level in _LEVELS if level < top] + [top]
    tell(f"{', '.join(map(str, levels))} calls up, each at a controller of its own")
    async with AsyncExitStack() as stack:
        loads = [
            await _Load.enter(stack, simulated(folder / str(level), more=TEST_NUMBERS)) for level in levels
        ]
        # What is done once at the start is none of a call's.
        await asyncio.sleep(_IDLE_S)
        idle = await _idle(loads)
        window = options.chosen_seconds(_WINDOW_S)
        costs = await asyncio.gather(
            *(load.steady(level / CALL_S, window) for load, level in zip(loads, levels, strict=True))
        )
    return {
        level: Cost(calls, spent / max(calls, 1) - one * window / max(calls, 1), one, memory)
        for level, (calls, spent, memory), one in zip(levels, costs, idle, strict=True)
    }


class _Load:
    """Calls at one controller."""

    def __init__(self, controller: Controller, backend: HttpBackend) -> None:
        self._controller, self._backend = controller, backend
        self._began_s = family_s(controller.pid)
        self._numbers = numbers()

    @classmethod
    async def enter(cls, stack: AsyncExitStack, controller: Controller) -> "_Load":
        await stack.enter_async_context(serving(controller))
        backend = await stack.enter_async_context(http_backend(controller.socket))
        await warm_up(backend)
        return cls(controller, backend)

    def next_ms(self) -> float:
        """Return what it took since it was begun, and begin anew."""
        before, self._began_s = self._began_s, family_s(self._controller.pid)
        return (self._began_s - before) * 1000

    async def steady(self, rate: float, window_s: float) -> tuple[int, float, float]:
        """Bring calls up, then look for some time in which as many begin as end.

        Return the calls of that time, the processor time in ms, and the memory in MB.
        """
        calls = 0
        fill, last = round(rate * (CALL_S + 5)), max(round(rate * window_s), 1)
        async with asyncio.TaskGroup() as tasks:
            async for index in Schedule(rate, fill + last + 1):
                if index == fill:
                    self.next_ms()
                if index == fill + last:
                    break
                calls += index >= fill
                tasks.create_task(self._backend.must_create(next(self._numbers)))
        return calls, self.next_ms(), resident_mb([self._controller.pid])

    async def all_of(self, rate: float, count: int) -> float:
        """Have so many calls from the first to the last; return the processor time, in ms."""
        self.next_ms()
        async with asyncio.TaskGroup() as tasks:
            async for _ in Schedule(rate, count):
                tasks.create_task(self._backend.must_create(next(self._numbers)))
        await asyncio.sleep(CALL_S + 5)
        return self.next_ms()


async def _stored(folder: Path, options: Options) -> Mapping[int, Cost]:
    most = options.chosen_stored(_STORED)
    counts = [most // _FEWER, most]
    controllers = [simulated(folder / str(count), more=TEST_NUMBERS) for count in counts]
    for controller, count in zip(controllers, counts, strict=True):
        tell(f"storing {count} calls")
        await first_call(controller)
        await asyncio.to_thread(add_history, Path(controller.database), count)
    tell("calls with both databases")
    async with AsyncExitStack() as stack:
        loads = [await _Load.enter(stack, controller) for controller in controllers]
        await asyncio.sleep(_IDLE_S)
        idle = await _idle(loads)
        calls = options.chosen_calls(_STORED_CALLS)
        spent = await asyncio.gather(*(load.all_of(_STORED_RATE, calls) for load in loads))
        took_s = calls / _STORED_RATE + CALL_S + 5
        memories = [resident_mb([controller.pid]) for controller in controllers]
    _check(controllers, counts, calls)
    return {
        count: Cost(calls, (ms - one * took_s) / calls, one, memory)
        for count, ms, one, memory in zip(counts, spent, idle, memories, strict=True)
    }


async def _idle(loads: Sequence[_Load]) -> list[float]:
    for load in loads:
        load.next_ms()
    await asyncio.sleep(_IDLE_S)
    return [load.next_ms() / _IDLE_S for load in loads]


def _check(controllers: Sequence[Controller], counts: Sequence[int], calls: int) -> None:
    for controller, count in zip(controllers, counts, strict=True):
        found = outcomes(controller.database)
        if found["delivered"] != count + calls + 1 + WARM_UP_CALLS:
            raise RuntimeError(f"with {count} stored calls: {dict(found)}")
