"""Rounds: some calls of one side, on schedule, and what they cost until the last one has ended."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.bench.backend import Schedule
from tests.bench.lab import BenchLab
from tests.bench.machine import Moment, Speed, calibrate, family_s, processor_s, processors
from tests.bench.numbers import numbers
from tests.bench.sides import OpenSide, Side, since_now
from tests.bench.validity import Count, Load, judge_count, judge_load, judge_schedule

_LOOK_S: Final = 0.5
_DRAINED_WITHIN_S: Final = 90.0
"""How long after the last call was asked for the last one may end."""
_TOLERANCE: Final = 0.02
"""A call that is this much shorter than the sound was not played to its end."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is asked for."""

    calls: int
    rate: float
    """Calls a second."""
    length_s: float = 0
    """How long a complete call lasts, from answer to end; 0: any."""


@dataclass(slots=True)
class Round:
    """What some calls of one side cost."""

    side: str
    count: Count
    cost_ms: Mapping[str, float]
    """Processor time a call by part: `pbx`, and the side's own."""
    machine_ms: float
    """Processor time a call of the whole machine but for the generators."""
    load: Load
    lateness_s: Sequence[float]
    length_s: float
    """Of a call, at the median."""
    plan_length_s: float
    """As it should be; 0: any."""
    invite_s: Sequence[float] = ()
    """From the request to the INVITE on the wire, of each call."""
    faults: list[str] = field(default_factory=list)
    """Why it is invalid; empty: it is valid."""

    @property
    def total_ms(self) -> float:
        """The processor time a call of all parts."""
        return sum(self.cost_ms.values())


class Bench:
    """What drives sides through one lab."""

    def __init__(self, lab: BenchLab) -> None:
        self.lab = lab
        self._numbers: Iterator[str] = numbers()

    async def by_turns(self, sides: Sequence[Side], plan: Plan, rounds: int) -> list[Round]:
        """Drive each side in turn, `rounds` times."""
        found: list[Round] = []
        for number in range(rounds):
            # Each side goes first as often as any other: nothing that lasts is always on one of them.
            order = sides if number % 2 == 0 else list(reversed(sides))
            for side in order:
                tell(f"round {number + 1} of {rounds}: {side.name}")
                async with side.open(self.lab) as opened:
                    found.append(await self.drive(side.name, opened, plan))
                for fault in found[-1].faults:
                    tell(f"  invalid: {fault}")
        return found

    async def drive(self, name: str, side: OpenSide, plan: Plan) -> Round:
        """Place the calls, wait for the last one, and return what they cost."""
        self.lab.far_end.forget()
        parts = {"pbx": self.lab.pbx_pid, **side.parts}
        speeds = [await asyncio.to_thread(calibrate)]
        since, before = since_now(), _look(parts, self.lab.far_end.pid)
        asked: dict[str, float] = {}
        schedule = Schedule(plan.rate, plan.calls)
        accepted = await self._place(side, schedule, asked)
        await self._drained(accepted)
        await asyncio.sleep(side.idle_s)
        after = _look(parts, self.lab.far_end.pid)
        speeds.append(await asyncio.to_thread(calibrate))
        proven = await asyncio.to_thread(side.proven, since) if side.proven else None
        lateness_s = schedule.lateness_s
        return self._round(name, plan, _Facts(accepted, proven, asked, lateness_s, before, after, speeds))

    async def _place(self, side: OpenSide, schedule: Schedule, asked: dict[str, float]) -> int:
        async with asyncio.TaskGroup() as tasks:
            placing: list[asyncio.Task[bool]] = []
            async for _ in schedule:
                number = next(self._numbers)
                asked[number[-10:]] = time.time()
                placing.append(tasks.create_task(side.place(number)))
        return sum(task.result() for task in placing)

    async def _drained(self, accepted: int) -> None:
        """Wait until the far end has seen the end of all calls, or time is up."""
        until = time.monotonic() + _DRAINED_WITHIN_S
        while time.monotonic() < until:
            if self.lab.far_end.ended() >= accepted:
                return
            await asyncio.sleep(_LOOK_S)

    def _round(self, name: str, plan: Plan, facts: "_Facts") -> Round:
        heard = self.lab.far_end.calls()
        least = plan.length_s * (1 - _TOLERANCE)
        complete = [call for call in heard if call.ended_at is not None and call.length_s >= least]
        counted = Count(plan.calls, facts.accepted, len(heard), len(complete), facts.proven)
        lengths = sorted(call.length_s for call in complete)
        costs = facts.costs_ms(max(len(complete), 1))
        load = facts.load()
        return Round(
            side=name,
            count=counted,
            cost_ms=costs,
            machine_ms=facts.machine_ms(max(len(complete), 1)),
            load=load,
            lateness_s=facts.lateness_s,
            length_s=lengths[len(lengths) // 2] if lengths else 0,
            plan_length_s=plan.length_s,
            invite_s=[
                call.invited_at - facts.asked[call.number] for call in heard if call.number in facts.asked
            ],
            faults=[*judge_count(name, counted), *judge_schedule(facts.lateness_s), *judge_load(load)],
        )


@dataclass(frozen=True, slots=True)
class _Look:
    machine: Moment
    parts: Mapping[str, float]
    generators: float


@dataclass(frozen=True, slots=True)
class _Facts:
    accepted: int
    proven: int | None
    asked: Mapping[str, float]
    lateness_s: Sequence[float]
    before: _Look
    after: _Look
    speeds: list[Speed]

    def costs_ms(self, calls: int) -> dict[str, float]:
        return {
            name: (spent - self.before.parts[name]) * 1000 / calls for name, spent in self.after.parts.items()
        }

    def machine_ms(self, calls: int) -> float:
        busy = self.after.machine.busy_s - self.before.machine.busy_s
        return (busy - self._generators) * 1000 / calls

    @property
    def _generators(self) -> float:
        return self.after.generators - self.before.generators

    def load(self) -> Load:
        wall = self.after.machine.wall_s - self.before.machine.wall_s
        all_s = wall * processors()
        busy = self.after.machine.busy_s - self.before.machine.busy_s
        ours = sum(self.after.parts.values()) - sum(self.before.parts.values())
        steal = self.after.machine.steal_s - self.before.machine.steal_s
        others = max(0.0, busy - ours - self._generators)
        return Load(others / all_s, steal / all_s, self._generators / all_s, wall, list(self.speeds))


def _look(parts: Mapping[str, int], far_end: int) -> _Look:
    generators = processor_s(os.getpid()) + processor_s(far_end)
    return _Look(Moment.now(), {name: family_s(pid) for name, pid in parts.items()}, generators)


def tell(text: str) -> None:
    """Say how far it is."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()
