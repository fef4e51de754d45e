"""What TLS and SRTP cost a call, at the PBX alone and through Voicegate."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from tests.bench.drive import Bench, Plan, Round
from tests.bench.figures import paired_ratio
from tests.bench.lab import BenchLab, Controller, running
from tests.bench.options import Options
from tests.bench.parts.floor import MAX_RATIO, call_length, costs_plot, describe, of_side, sound_of
from tests.bench.report import Figure, Result, ratio
from tests.bench.sides import Side, floor, voicegate

_CALLS, _RATE, _ROUNDS = 30, 3.0, 2
_CLEAR, _SECURE = "carrier", "secure"


def measure(options: Options) -> Result:
    """Measure it on Asterisk."""
    plan = Plan(options.chosen_calls(_CALLS), options.chosen_rate(_RATE))
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), is_secure=True) as lab:
        rounds = asyncio.run(_measure(lab, plan, options.chosen_rounds(_ROUNDS)))
    return Result(
        part="secure",
        title="What TLS and SRTP cost a call",
        figures=_figures(rounds),
        plots=[costs_plot("secure", "Processor time a call", rounds)],
        notes=["The far end is an Asterisk that echoes, for SIPp speaks no SRTP.", *describe(rounds, plan)],
        faults=[fault for one in rounds for fault in one.faults],
        raw=rounds,
    )


async def _measure(lab: BenchLab, plan: Plan, rounds: int) -> list[Round]:
    bench = Bench(lab)
    length_s = await call_length(bench, voicegate())
    sound = await asyncio.to_thread(sound_of, lab, length_s)
    sides = [
        Side("floor", floor(sound).open),
        Side("floor, TLS and SRTP", floor(sound, endpoint=_SECURE).open),
        voicegate("Voicegate", make=_by(_CLEAR)),
        voicegate("Voicegate, TLS and SRTP", make=_by(_SECURE)),
    ]
    return await bench.by_turns(sides, Plan(plan.calls, plan.rate, length_s), rounds)


def _by(trunk: str) -> Callable[[BenchLab], Controller]:
    return lambda lab: lab.controller(trunk, trunk=trunk)


def _figures(rounds: Sequence[Round]) -> list[Figure]:
    totals = {
        side: [one.total_ms for one in of_side(rounds, side)]
        for side in dict.fromkeys(one.side for one in rounds)
    }
    clear, secure, ours, ours_secure = totals.values()
    return [
        ratio("Voicegate over the floor, by TLS and SRTP", paired_ratio(ours_secure, secure), aim=MAX_RATIO),
        ratio("Voicegate by TLS and SRTP, over itself in the clear", paired_ratio(ours_secure, ours)),
        ratio("floor by TLS and SRTP, over itself in the clear", paired_ratio(secure, clear)),
        *(Figure(side, median(these), "ms") for side, these in totals.items()),
    ]
