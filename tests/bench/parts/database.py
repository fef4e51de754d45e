"""PostgreSQL under one, two and four controllers: what a call costs all of them, and how fast guesses go."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path
from typing import Final

import msgspec

from tests.bench.backend import HttpBackend, Schedule, http_backend
from tests.bench.drive import tell
from tests.bench.lab import Controller
from tests.bench.machine import family_s
from tests.bench.numbers import numbers
from tests.bench.options import Options
from tests.bench.parts.api import TEST_NUMBERS, closed_loop, first_call
from tests.bench.parts.capacity import outcomes
from tests.bench.report import Figure, Plot, Result
from tests.bench.seeding import add_codes
from tests.bench.sides import WARM_UP_CALLS, warm_up
from tests.bench.simulated import CALL_S, serving, simulated
from tests.bench.validity import judge_load
from tests.bench.watch import Watch
from tests.postgresql import Server, running_server

_CONTROLLERS: Final = (1, 2, 4)
_CALLS, _RATE = 200, 8.0
_CODES: Final = 9000


class Shared(msgspec.Struct, frozen=True):
    """What calls cost so many controllers with one database."""

    controllers: int
    controller_ms: float
    """Of all of them, a call."""
    database_ms: float
    verify_rate: float
    """Of all of them together, in 1/s."""
    verify_ms: float
    """Processor time of the controllers for one."""


def measure(options: Options) -> Result:
    """Measure each number of controllers."""
    found, faults, watch = list[Shared](), list[str](), Watch()
    for count in _CONTROLLERS:
        tell(f"PostgreSQL and {count} controllers")
        with tempfile.TemporaryDirectory() as folder, running_server() as server, server.database() as url:
            try:
                found.append(
                    asyncio.run(_shared(Path(folder), server, url=url, count=count, options=options))
                )
            except RuntimeError as error:
                faults.append(f"{count} controllers: {error}")
                tell(faults[-1])
        watch.between()
    return Result(
        part="database",
        title="PostgreSQL, and several controllers",
        figures=[figure for one in found for figure in _figures(one, found[0])],
        plots=[
            Plot(
                "database",
                "Processor time a call",
                "ms",
                "",
                bars={
                    f"{one.controllers} controllers": {
                        "controllers": one.controller_ms,
                        "PostgreSQL": one.database_ms,
                    }
                    for one in found
                },
            )
        ],
        notes=["The simulator as PBX; the server writes no disk (fsync off): processor time is compared."],
        faults=[*faults, *judge_load(watch.load())],
        raw=found,
    )


async def _shared(folder: Path, server: Server, *, url: str, count: int, options: Options) -> Shared:
    assert server.process is not None
    key, calls, rate = folder / "key", options.chosen_calls(_CALLS), options.chosen_rate(_RATE)
    controllers = [
        simulated(folder / str(number), database=url, key=key, more=TEST_NUMBERS) for number in range(count)
    ]
    await first_call(controllers[0])
    codes = await asyncio.to_thread(add_codes, url, key, _CODES)
    async with AsyncExitStack() as stack:
        for controller in controllers:
            await stack.enter_async_context(serving(controller))
        backends = [await stack.enter_async_context(http_backend(one.socket)) for one in controllers]
        await asyncio.gather(*map(warm_up, backends))
        before = [_spent(controllers), family_s(server.process.pid)]
        await _call(backends, calls, rate)
        after = [_spent(controllers), family_s(server.process.pid)]
        delivered = (await asyncio.to_thread(outcomes, url))["delivered"]
        others = _CODES + 1 + WARM_UP_CALLS * count
        if delivered != calls + others:
            raise RuntimeError(f"{delivered - others} of {calls} calls were delivered")
        share = len(codes) // count
        loops = []
        for number, (controller, backend) in enumerate(zip(controllers, backends, strict=True)):
            loops.append(closed_loop(controller, backend, codes[number * share : (number + 1) * share]))
        verified = await asyncio.gather(*loops)
    controller_ms, database_ms = (
        (last - first) * 1000 / calls for first, last in zip(before, after, strict=True)
    )
    verify_ms = sum(ms for _, _, ms in verified) / count
    return Shared(count, controller_ms, database_ms, sum(one for one, _, _ in verified), verify_ms)


async def _call(backends: Sequence[HttpBackend], calls: int, rate: float) -> None:
    calling, turns = numbers(), cycle(backends)
    async with asyncio.TaskGroup() as tasks:
        async for _ in Schedule(rate, calls):
            tasks.create_task(next(turns).must_create(next(calling)))
        await asyncio.sleep(CALL_S + 5)


def _spent(controllers: Sequence[Controller]) -> float:
    return sum(family_s(controller.pid) for controller in controllers)


def _figures(one: Shared, first: Shared) -> list[Figure]:
    who = f"{one.controllers} controller{'s' if one.controllers > 1 else ''}"
    total = one.controller_ms + one.database_ms
    return [
        Figure(f"{who}: a call over one controller's", total / (first.controller_ms + first.database_ms)),
        Figure(f"{who}: controllers", one.controller_ms, "ms"),
        Figure(f"{who}: PostgreSQL", one.database_ms, "ms"),
        Figure(f"{who}: guesses judged, together", one.verify_rate, "1/s"),
    ]
