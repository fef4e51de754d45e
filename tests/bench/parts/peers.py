"""What an admin would write by hand, beside Voicegate, for the same calls: pyst2, and Asterisk's call files.

They place a call and play a sound; neither knows whether anybody heard it.
"""

import asyncio
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.drive import Bench, Plan, Round
from tests.bench.figures import paired_ratio
from tests.bench.lab import BenchLab, running
from tests.bench.options import Options
from tests.bench.parts.floor import call_length, costs_plot, describe, of_side, sound_of
from tests.bench.report import Figure, Result, ratio
from tests.bench.sides import OpenSide, Side, floor, voicegate

_CALLS, _RATE, _ROUNDS = 40, 6.0, 2
_SCRIPT: Final = Path(__file__).parents[1] / "peers/pyst2_calls.py"
_OURS: Final = "Voicegate"


def measure(options: Options) -> Result:
    """Measure them on Asterisk."""
    plan = Plan(options.chosen_calls(_CALLS), options.chosen_rate(_RATE))
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as lab:
        rounds = asyncio.run(_measure(lab, plan, options.chosen_rounds(_ROUNDS)))
    names = list(dict.fromkeys(one.side for one in rounds))
    ours = [one.total_ms for one in of_side(rounds, _OURS)]
    totals = {name: [one.total_ms for one in of_side(rounds, name)] for name in names}
    return Result(
        part="peers",
        title="Beside what one would write by hand",
        figures=[
            *(
                ratio(f"Voicegate over {name}", paired_ratio(ours, totals[name]))
                for name in names
                if name != _OURS
            ),
            *(Figure(name, median(totals[name]), "ms") for name in names),
        ],
        plots=[costs_plot("peers", "Processor time a call", rounds)],
        notes=[
            "The peers place the call and play a sound of the same length; they know nothing of its end.",
            *describe(rounds, plan),
        ],
        faults=[fault for one in rounds for fault in one.faults],
        raw=rounds,
    )


async def _measure(lab: BenchLab, plan: Plan, rounds: int) -> list[Round]:
    bench = Bench(lab)
    length_s = await call_length(bench, voicegate())
    sound = await asyncio.to_thread(sound_of, lab, length_s)
    sides = [floor(sound), _pyst2(sound), _call_files(sound), voicegate(_OURS)]
    return await bench.by_turns(sides, Plan(plan.calls, plan.rate, length_s), rounds)


def _pyst2(sound: Path) -> Side:
    @asynccontextmanager
    async def opened(lab: BenchLab) -> AsyncIterator[OpenSide]:
        secret = str(lab.settings.secret_file)
        command = [sys.executable, str(_SCRIPT), str(lab.settings.ports.ami), secret, str(sound)]
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        writer = process.stdin
        try:
            if await process.stdout.readline() != b"ready\n":
                raise RuntimeError("the script of pyst2 does not start")

            async def place(number: str) -> bool:
                writer.write(f"{number}\n".encode())
                return True

            yield OpenSide(place, {"script": process.pid})
        finally:
            process.kill()
            await process.wait()

    return Side("pyst2", opened)


def _call_files(sound: Path) -> Side:
    @asynccontextmanager
    async def opened(lab: BenchLab) -> AsyncIterator[OpenSide]:
        spool = lab.settings.folder / "pbx/spool"

        async def place(number: str) -> bool:
            # Renamed into place, as Asterisk's documentation asks for: it must never be read half written.
            draft = spool / f"{number}.call"
            draft.write_text(
                f"Channel: PJSIP/{number}@carrier\nApplication: Playback\nData: {sound}\nMaxRetries: 0\n"
            )
            draft.rename(spool / "outgoing" / draft.name)
            return True

        yield OpenSide(place)

    return Side("call files", opened)
