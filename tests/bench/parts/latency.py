"""From the request to the INVITE on the wire, at half of the rate that is sustained."""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from tests.bench.drive import Bench, Plan, Round
from tests.bench.figures import percentile
from tests.bench.lab import BenchLab, running
from tests.bench.options import Options
from tests.bench.parts.floor import describe
from tests.bench.report import Figure, Plot, Result
from tests.bench.sides import voicegate

_RATE: Final = 3.0
_SECONDS: Final = 90.0


def measure(options: Options) -> Result:
    """Measure it on Asterisk."""
    rate = options.chosen_rate(_RATE)
    plan = Plan(options.chosen_calls(round(rate * options.chosen_seconds(_SECONDS))), rate)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as lab:
        (one,) = asyncio.run(_measure(lab, plan))
    delays = sorted(delay * 1000 for delay in one.invite_s)
    return Result(
        part="latency",
        title="From the request to the INVITE on the wire",
        figures=[
            Figure(f"p50 at {rate:g} calls/s", percentile(delays, 0.5), "ms", aim=10),
            Figure(f"p99 at {rate:g} calls/s", percentile(delays, 0.99), "ms", aim=50),
            Figure("worst", delays[-1], "ms"),
        ],
        plots=[
            Plot(
                "latency",
                "INVITE on the wire within",
                "ms",
                "share",
                lines={"Voicegate": [(delay, (rank + 1) / len(delays)) for rank, delay in enumerate(delays)]},
            )
        ],
        notes=[
            "From before the request is sent until the far end has read the INVITE, by the same clock.",
            *describe([one], plan),
        ],
        faults=one.faults,
        raw=one,
    )


async def _measure(lab: BenchLab, plan: Plan) -> list[Round]:
    return await Bench(lab).by_turns([voicegate()], plan, 1)
