"""What stays behind: descriptors and memory while calls come up, while they end, and over many calls."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from tests.bench.backend import Schedule, http_backend
from tests.bench.drive import Bench, Plan, Round, tell
from tests.bench.figures import fit
from tests.bench.lab import BenchLab, running
from tests.bench.machine import descriptors, resident_mb
from tests.bench.numbers import numbers
from tests.bench.options import Options
from tests.bench.parts.capacity import outcomes
from tests.bench.report import Figure, Plot, Result
from tests.bench.sides import OpenSide, Side, voicegate
from tests.bench.simulated import CALL_S, serving, simulated
from voicegate.lab.deadlines import Deadline

_UP: Final = 200
_RAMP_S: Final = 30.0
_MANY: Final = 50_000
_CALLS, _RATE = 50_000, 20.0
_SETTLED: Final = 0.25
"""Of the calls, those after which memory must not grow any more."""
_LIFETIMES: Final = 4
"""So many times as long as a call lasts it takes at least."""
_GROWTH_MB: Final = 5.0
_LOOK_S: Final = 1.0


class Sample(msgspec.Struct, frozen=True):
    """What a controller had at one time."""

    at_s: float
    calls: int
    """Up, or ended so far."""
    resident_mb: float
    descriptors: int


def measure(options: Options) -> Result:
    """Measure calls that come and go on Asterisk, then many on the simulator."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as lab:
        one, samples = asyncio.run(_up_and_down(lab, options.chosen_up(_UP)))
    rising, falling = _split(samples)
    with tempfile.TemporaryDirectory() as folder:
        calls = options.chosen_calls(_CALLS)
        # Memory is looked at while as many calls end as begin: few calls have to come slowly.
        rate = min(options.chosen_rate(_RATE), calls / (_LIFETIMES * CALL_S))
        many = asyncio.run(_many(Path(folder), calls, rate))
    return Result(
        part="leaks",
        title="What stays behind",
        figures=[*_descriptor_figures(samples, rising, falling), *_memory_figures(samples, many)],
        plots=[
            Plot(
                "leaks-descriptors",
                "Descriptors of the controller",
                "calls up",
                "",
                lines={
                    "coming up": [(one.calls, one.descriptors) for one in rising],
                    "ending": [(one.calls, one.descriptors) for one in falling],
                },
            ),
            Plot(
                "leaks-memory",
                "Resident memory of the controller",
                "calls so far",
                "MB",
                lines={"simulated calls": [(one.calls, one.resident_mb) for one in many]},
            ),
        ],
        notes=[
            "Memory over many calls: a straight line through all looks after the first quarter of them, at"
            f" {rate:g} calls/s; the simulator keeps the ids of all its calls, some 0.1 MB in a thousand.",
        ],
        faults=[fault for fault in one.faults if "calls were" in fault or "fell behind" in fault],
        raw={"up and down": samples, "many": many},
    )


async def _up_and_down(lab: BenchLab, up: int) -> tuple[Round, list[Sample]]:
    bench, samples = Bench(lab), list[Sample]()
    tell(f"{up} calls up, and down again")

    @asynccontextmanager
    async def opened(_: BenchLab) -> AsyncIterator[OpenSide]:
        async with voicegate().open(lab) as inner:
            pid = inner.parts["controller"]
            watching = asyncio.create_task(_watch(pid, lab.far_end.up, samples))
            yield inner
            await asyncio.sleep(5 * _LOOK_S)
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    (one,) = await bench.by_turns([Side("Voicegate", opened)], Plan(up, up / _RAMP_S), 1)
    return one, samples


async def _watch(pid: int, count: object, samples: list[Sample]) -> None:
    began = time.monotonic()
    assert callable(count)
    while True:
        samples.append(Sample(time.monotonic() - began, count(), resident_mb([pid]), descriptors(pid)))
        await asyncio.sleep(_LOOK_S)


async def _many(folder: Path, calls: int, rate: float) -> list[Sample]:
    """Have many calls on the simulator, and look at the controller meanwhile."""
    samples: list[Sample] = []
    began, calling = time.monotonic(), numbers()
    tell(f"{calls} simulated calls, {calls / rate + CALL_S:.0f} s")
    async with serving(simulated(folder)) as controller, http_backend(controller.socket) as backend:
        async with asyncio.TaskGroup() as tasks:
            async for index in Schedule(rate, calls):
                tasks.create_task(backend.must_create(next(calling)))
                # As many looks however many calls there are.
                if index % max(1, calls // 200) == 0:
                    ended = max(0, index - round(rate * CALL_S))
                    memory = resident_mb([controller.pid])
                    samples.append(
                        Sample(time.monotonic() - began, ended, memory, descriptors(controller.pid))
                    )
                if index % max(1, calls // 10) == 0:
                    tell(f"  {index} calls, {samples[-1].resident_mb:.1f} MB")
        deadline = Deadline(3 * CALL_S)
        while (found := await asyncio.to_thread(outcomes, controller.database))[""]:
            if deadline.has_passed:
                break
            await asyncio.sleep(_LOOK_S)
    if found["delivered"] != calls:
        raise RuntimeError(f"of {calls} simulated calls: {dict(found)}")
    return samples


def _split(samples: Sequence[Sample]) -> tuple[Sequence[Sample], Sequence[Sample]]:
    top = max(range(len(samples)), key=lambda index: samples[index].calls)
    return samples[: top + 1], samples[top:]


def _descriptor_figures(
    samples: Sequence[Sample], rising: Sequence[Sample], falling: Sequence[Sample]
) -> list[Figure]:
    up = fit([(one.calls, one.descriptors) for one in rising])
    down = fit([(one.calls, one.descriptors) for one in falling])
    return [
        Figure(
            "descriptors a call, while calls come up",
            up.slope,
            "",
            up.slope - 2 * up.slope_error,
            up.slope + 2 * up.slope_error,
        ),
        Figure(
            "descriptors a call, while they end",
            down.slope,
            "",
            down.slope - 2 * down.slope_error,
            down.slope + 2 * down.slope_error,
        ),
        Figure(
            "descriptors left behind", samples[-1].descriptors - samples[0].descriptors, "fds", aim=_BACKENDS
        ),
    ]


_BACKENDS: Final = 100
"""A backend keeps its own connections open."""


def _memory_figures(samples: Sequence[Sample], many: Sequence[Sample]) -> list[Figure]:
    settled = [one for one in many if one.calls >= many[-1].calls * _SETTLED]
    line = fit([(one.calls, one.resident_mb) for one in settled])
    growth, error = line.slope * _MANY, 2 * line.slope_error * _MANY
    most = max(samples, key=lambda one: one.calls)
    return [
        Figure(f"controller's memory with {most.calls} calls up", most.resident_mb, "MB", aim=120),
        Figure(
            f"growth over {_MANY} calls, by the last {many[-1].calls - settled[0].calls} of {many[-1].calls}",
            growth,
            "MB",
            growth - error,
            growth + error,
            _GROWTH_MB,
        ),
    ]
