"""How much one machine takes: calls a second, calls up at once, and what is done with too many."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from tests.bench.backend import Schedule, http_backend
from tests.bench.drive import Bench, Plan, Round, tell
from tests.bench.lab import BenchLab, Controller, running
from tests.bench.machine import processors
from tests.bench.numbers import numbers
from tests.bench.options import Options
from tests.bench.parts.floor import call_length, sound_of
from tests.bench.report import Figure, Plot, Result
from tests.bench.sides import Side, floor, voicegate
from voicegate.adapters.storage import engines
from voicegate.adapters.storage.tables import calls

_SECONDS: Final = 180.0
_SHARE: Final = 0.85
"""Of what the processors could do by the costs of a few calls, the rate that is tried first."""
_STEP: Final = 0.9
_TRIES: Final = 3
_RAMP_S: Final = 20.0
_UP: Final = 500
_SURPLUS: Final = 1.5
_MAX_LENGTH: Final = 1.02
"""A call that is this much longer was played too slowly."""


@dataclass
class Overload:
    """What became of more than can be carried."""

    statuses: Counter[int]
    """Of requests."""
    outcomes: Counter[str]
    """Of accepted calls."""
    arrived: int
    complete: int

    @property
    def lost(self) -> int:
        """Accepted calls of which nobody knows what became, or that were not delivered as told."""
        accepted, told = self.statuses[202], sum(self.outcomes.values())
        return abs(accepted - told) + abs(self.outcomes["delivered"] - self.complete)

    @property
    def wrong(self) -> int:
        """Answers and outcomes that are neither a delivery nor a refusal."""
        answers = sum(count for status, count in self.statuses.items() if status not in (202, 503))
        ends = sum(n for outcome, n in self.outcomes.items() if outcome not in ("delivered", "queue_timeout"))
        return answers + ends


def measure(options: Options) -> Result:
    """Measure all three on Asterisk."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as lab:
        return asyncio.run(_measure(lab, options))


async def _measure(lab: BenchLab, options: Options) -> Result:
    bench = Bench(lab)
    length_s = await call_length(bench, voicegate())
    sides = [floor(sound_of(lab, length_s)), voicegate()]
    seconds = options.chosen_seconds(_SECONDS)
    rounds = [await sustained(bench, side, length_s, seconds=seconds, rate=options.rate) for side in sides]
    rates = [one.count.requested / seconds if not broken(one) else 0 for one in rounds]
    tell("calls up at once")
    ups = [await up_at_once(bench, side, length_s, options.chosen_up(_UP)) for side in sides]
    rate = rates[1] or 1
    tell(f"{_SURPLUS} times {rate:.1f} calls/s")
    over = await overload(bench, rate, length_s, seconds=min(seconds, 60))
    return Result(
        part="capacity",
        title="How much this machine takes",
        figures=[*_rate_figures(rates, seconds), *_up_figures(ups, sides), *_overload_figures(over)],
        plots=[
            Plot(
                "capacity",
                "Sustained",
                "calls/s",
                "",
                bars={side.name: {"calls/s": rate} for side, rate in zip(sides, rates, strict=True)},
            )
        ],
        notes=[
            f"Calls of {length_s:.1f} s. The generators run on the same processors:"
            f" {max(one.load.generators for one in rounds):.0%} of them in the sustained runs.",
            f"Overload: {dict(over.statuses)} by status, {dict(over.outcomes)} by outcome.",
        ],
        faults=[fault for one in rounds for fault in one.faults],
        raw={"sustained": rounds, "up": ups, "overload": over},
    )


async def sustained(
    bench: Bench, side: Side, length_s: float, *, seconds: float, rate: float | None
) -> Round:
    """Return a round of so many seconds at the highest rate tried that was kept up; else the last tried."""
    if rate is None:
        rate = await estimate(bench, side, length_s)
    for left in reversed(range(_TRIES)):
        tell(f"{side.name}: {rate:.1f} calls/s for {seconds:.0f} s")
        async with side.open(bench.lab) as opened:
            one = await bench.drive(side.name, opened, Plan(round(rate * seconds), rate, length_s))
        for fault in broken(one):
            tell(f"  {fault}")
        if not broken(one) or not left:
            break
        rate *= _STEP
    return one


async def estimate(bench: Bench, side: Side, length_s: float) -> float:
    """Return the rate to try first, by what some calls take of all processors, generators included."""
    async with side.open(bench.lab) as opened:
        one = await bench.drive(side.name, opened, Plan(20, 5, length_s))
    processors_s = one.load.wall_s * processors()
    call_s = one.total_ms / 1000 + one.load.generators * processors_s / max(one.count.complete, 1)
    return processors() * _SHARE / call_s


def broken(one: Round) -> list[str]:
    """Return why a rate was not kept up: not how busy the machine was, but what became of the calls."""
    faults = [fault for fault in one.faults if "calls were" in fault or "fell behind" in fault]
    if one.plan_length_s and one.length_s > one.plan_length_s * _MAX_LENGTH:
        faults.append(f"calls took {one.length_s:.1f} s instead of {one.plan_length_s:.1f}")
    return faults


async def up_at_once(bench: Bench, side: Side, length_s: float, up: int) -> Round:
    """Have so many calls up at the same time."""
    tell(f"{side.name}: {up} calls at once")
    async with side.open(bench.lab) as opened:
        one = await bench.drive(side.name, opened, Plan(up, up / _RAMP_S, length_s))
    for fault in broken(one):
        tell(f"  {fault}")
    return one


async def overload(bench: Bench, rate: float, length_s: float, *, seconds: float) -> Overload:
    """Offer more than a trunk of that rate carries, and return what became of it."""
    room = max(2, round(rate * length_s))
    limits = {
        "trunks.carrier.max_calls": room,
        "call.max_queued": max(2, room // 4),
        "call.queue_timeout_s": 15,
    }
    controller = bench.lab.controller("overload", limits)
    await asyncio.to_thread(controller.start)
    try:
        return await _offer(bench, controller, Schedule(rate * _SURPLUS, round(rate * _SURPLUS * seconds)))
    finally:
        await asyncio.to_thread(controller.stop)


async def _offer(bench: Bench, controller: Controller, schedule: Schedule) -> Overload:
    bench.lab.far_end.forget()
    calling = numbers()
    async with http_backend(controller.socket) as backend, asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(backend.create(next(calling))) async for _ in schedule]
        await asyncio.gather(*asked)
        statuses = Counter(task.result() for task in asked)
        while (await asyncio.to_thread(outcomes, controller.database))[""]:
            await asyncio.sleep(1)
    await asyncio.sleep(1)
    heard = bench.lab.far_end.calls()
    complete = [call for call in heard if call.ended_at]
    found = await asyncio.to_thread(outcomes, controller.database)
    return Overload(statuses, found, len(heard), len(complete))


def outcomes(database: str) -> Counter[str]:
    """Return how many calls ended how; empty: those that have not."""
    engine = engines.connect_readers(engines.locate(database))
    try:
        with engine.connect() as connection:
            rows = connection.execute(select(calls.c.outcome, func.count()).group_by(calls.c.outcome))
            return Counter({outcome or "": count for outcome, count in rows})
    finally:
        engine.dispose()


def _rate_figures(rates: Sequence[float], seconds: float) -> list[Figure]:
    theirs, ours = rates
    return [
        Figure(
            "sustained rate, Voicegate over the floor", ours / theirs if theirs else 0, aim=0.9, is_least=True
        ),
        Figure(f"floor: sustained for {seconds:.0f} s", theirs, "calls/s"),
        Figure(f"Voicegate: sustained for {seconds:.0f} s", ours, "calls/s"),
    ]


def _up_figures(ups: Sequence[Round], sides: Sequence[Side]) -> list[Figure]:
    return [
        Figure(
            f"{side.name}: of {one.count.requested} calls at once, played to the end in time",
            0 if _is_slow(one) else one.count.complete,
            "calls",
            aim=one.count.requested,
            is_least=True,
        )
        for one, side in zip(ups, sides, strict=True)
    ]


def _is_slow(one: Round) -> bool:
    return one.length_s > one.plan_length_s * _MAX_LENGTH


def _overload_figures(over: Overload) -> list[Figure]:
    return [
        Figure(f"at {_SURPLUS} times: refused by 503", over.statuses[503], "calls"),
        Figure(f"at {_SURPLUS} times: waited in vain and told so", over.outcomes["queue_timeout"], "calls"),
        Figure(f"at {_SURPLUS} times: delivered", over.outcomes["delivered"], "calls"),
        Figure(f"at {_SURPLUS} times: lost", over.lost, "calls", aim=0),
        Figure(f"at {_SURPLUS} times: wrong outcomes", over.wrong, "calls", aim=0),
    ]
