"""What a delivered call costs, over what the same PBX costs that plays the same length of sound alone."""

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.drive import Bench, Plan, Round, tell
from tests.bench.figures import bootstrap, paired_ratio
from tests.bench.lab import BenchLab, running
from tests.bench.options import Options
from tests.bench.report import Figure, Plot, Result, ratio
from tests.bench.sides import Side, floor, voicegate, write_sound
from voicegate.lab.settings import PbxKind

MAX_RATIO: Final = 1.2
MAX_CONTROLLER_MS: Final = 5.0
_SUFFIXES: Final = {PbxKind.ASTERISK: ".ulaw", PbxKind.FREESWITCH: ".PCMU"}
_CALLS, _RATE, _ROUNDS = 60, 6.0, 3


def on_asterisk(options: Options) -> Result:
    """Measure it on Asterisk."""
    return _on(PbxKind.ASTERISK, options)


def on_freeswitch(options: Options) -> Result:
    """Measure it on the FreeSWITCH that VOICEGATE_FREESWITCH names."""
    return _on(PbxKind.FREESWITCH, options)


def _on(kind: PbxKind, options: Options) -> Result:
    plan = Plan(options.chosen_calls(_CALLS), options.chosen_rate(_RATE))
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), kind) as lab:
        rounds = asyncio.run(_measure(lab, plan, options.chosen_rounds(_ROUNDS)))
    part = "floor" if kind is PbxKind.ASTERISK else "freeswitch"
    name = "Asterisk" if kind is PbxKind.ASTERISK else "FreeSWITCH"
    return Result(
        part=part,
        title=f"What a call costs on {name}",
        figures=compare(rounds, "Voicegate", "floor"),
        plots=[costs_plot(part, f"Processor time a call, {name}", rounds)],
        notes=describe(rounds, plan),
        faults=[fault for one in rounds for fault in one.faults],
        raw=rounds,
    )


async def _measure(lab: BenchLab, plan: Plan, rounds: int) -> list[Round]:
    bench = Bench(lab)
    length_s = await call_length(bench, voicegate())
    sound = await asyncio.to_thread(sound_of, lab, length_s)
    return await bench.by_turns([floor(sound), voicegate()], Plan(plan.calls, plan.rate, length_s), rounds)


async def call_length(bench: Bench, side: Side) -> float:
    """Return how long a call of Voicegate's lasts, by one."""
    tell(f"one call, for its length: {side.name}")
    async with side.open(bench.lab) as opened:
        first = await bench.drive(side.name, opened, Plan(calls=1, rate=1))
    if first.count.complete != 1 or first.count.proven not in (1, None):
        raise RuntimeError(f"the first call was not delivered: {first.count}")
    return first.length_s


def sound_of(lab: BenchLab, seconds: float) -> Path:
    """Write what the floor plays; return its path without the suffix."""
    sound = lab.settings.folder / f"floor-{seconds:.0f}"
    write_sound(sound.with_suffix(_SUFFIXES[lab.settings.pbxs[0]]), seconds)
    return sound


def of_side(rounds: Sequence[Round], side: str) -> list[Round]:
    """Return a side's rounds."""
    return [one for one in rounds if one.side == side]


def compare(rounds: Sequence[Round], ours: str, theirs: str) -> list[Figure]:
    """Return the ratios of one side to another, and what both cost."""
    mine, base = of_side(rounds, ours), of_side(rounds, theirs)
    totals = paired_ratio([one.total_ms for one in mine], [one.total_ms for one in base])
    machines = paired_ratio([one.machine_ms for one in mine], [one.machine_ms for one in base])
    controller = bootstrap([one.cost_ms.get("controller", 0) for one in mine], median)
    invites = [delay * 1000 for one in mine for delay in one.invite_s]
    return [
        ratio(f"{ours} over the {theirs}, PBX and controller", totals, aim=MAX_RATIO),
        ratio(f"{ours} over the {theirs}, whole machine but for the generators", machines, aim=MAX_RATIO),
        Figure("controller", controller.value, "ms", controller.low, controller.high, MAX_CONTROLLER_MS),
        *(
            Figure(f"{side}: PBX", median(one.cost_ms["pbx"] for one in of_side(rounds, side)), "ms")
            for side in (theirs, ours)
        ),
        Figure("from the request to the INVITE, p50", median(invites) if invites else 0, "ms"),
    ]


def costs_plot(part: str, title: str, rounds: Sequence[Round]) -> Plot:
    """Return a plot of what each side costs, by process."""
    bars: dict[str, Mapping[str, float]] = {}
    for side in dict.fromkeys(one.side for one in rounds):
        these = of_side(rounds, side)
        bars[side] = {name: median(one.cost_ms[name] for one in these) for name in these[0].cost_ms}
    return Plot(part, title, "ms a call", "", bars={name: dict(bar) for name, bar in bars.items()})


def describe(rounds: Sequence[Round], plan: Plan) -> list[str]:
    """Return what one has to know of the rounds."""
    length = median(one.length_s for one in rounds)
    generators = median(one.load.generators for one in rounds)
    others = max(one.load.others for one in rounds)
    late: Callable[[Round], float] = lambda one: max(one.lateness_s, default=0)  # noqa: E731
    return [
        f"{len(rounds)} rounds of {plan.calls} calls of {length:.1f} s, {plan.rate:g} begun in a second;"
        " every call counted at the carrier, and played to its end.",
        f"Generators took {generators:.1%} of the processors and are in no sum; others {others:.1%} at most;"
        f" the generator was {max(map(late, rounds)) * 1000:.0f} ms late at most.",
    ]
