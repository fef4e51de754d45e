"""What a call costs the processors: Voicegate's beside the least that the same PBX can do. `make bench`.

Starts a lab of its own, and sends rounds of calls along each road in turn, so that a machine whose speed
drifts drifts for all. Figures are processor time as the kernel counts it for the PBX and the controller
(proc(5), fields 14 and 15), in milliseconds a call; a ratio compares medians with the floor's of this run.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click
import msgspec

from tests.bench.roads import Road, open_roads
from voicegate.client import AsyncClient
from voicegate.lab.numbers import find_number
from voicegate.lab.ports import reserve_port_base
from voicegate.lab.settings import LabSettings
from voicegate.lab.world import Lab

_LISTENS = find_number("never-presses")
_AREA_CODES = (202, 212, 213, 214, 215, 216, 303, 305, 310, 312, 313, 314, 404, 405, 415, 503, 504, 602, 617)
_TICKS = os.sysconf("SC_CLK_TCK")
_BYTES_A_SECOND = 8000
_STEP_S = 0.5


@dataclass(frozen=True, slots=True)
class Round:
    """What some calls along one road cost."""

    pbx_ms: float
    """The PBX's processor time a call."""
    controller_ms: float
    """The controller's."""
    wall_s: float
    """From the first call's beginning until the PBX had no channel."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A road's, over all its rounds; each figure is a median."""

    road: str
    """The floor's is the first."""
    pbx_ms: float
    """As a round's."""
    controller_ms: float
    """Likewise: the floors' is what an idle controller takes meanwhile."""
    ratio: float
    """Of both together, to the floor's PBX alone."""
    lowest: float
    """The same in the cheapest round."""
    highest: float
    """And in the dearest."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    calls: int
    """In a round."""
    rounds: int
    """Along each road."""
    pace: float
    """Calls begun in a second."""


async def measure(lab: Lab, plan: Plan) -> Mapping[str, Sequence[Round]]:
    """Return each road's rounds."""
    sound = lab.settings.folder / "floor"
    await _write_sound(lab, sound.with_suffix(".ulaw"))
    rounds: dict[str, list[Round]] = {}
    async with open_roads(lab, sound) as roads:
        for number in range(plan.rounds):
            for name, road in roads.items():
                click.echo(f"round {number + 1} of {plan.rounds}: {name}", err=True)
                rounds.setdefault(name, []).append(await _drive(lab, road, plan))
    return rounds


def compare(rounds: Mapping[str, Sequence[Round]]) -> Sequence[Cost]:
    """Return what each road costs, as a ratio to the first."""
    floor = median(one.pbx_ms for one in next(iter(rounds.values())))
    return [_cost(road, ours, floor) for road, ours in rounds.items()]


def _cost(road: str, rounds: Sequence[Round], floor: float) -> Cost:
    ratios = [(one.pbx_ms + one.controller_ms) / floor for one in rounds]
    return Cost(
        road=road,
        pbx_ms=median(one.pbx_ms for one in rounds),
        controller_ms=median(one.controller_ms for one in rounds),
        ratio=median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
    )


async def _write_sound(lab: Lab, file: Path) -> None:
    """Write a hum as long as a call of Voicegate's lasts, from its answer to its end."""
    async with AsyncClient(socket=lab.settings.socket) as client:
        created = await client.create_verification(_LISTENS.example, human_check="none")
        async for _ in client.watch(created.id):
            pass
        (call,) = (await client.verification(created.id)).calls
    if call.outcome != "delivered":
        raise click.ClickException(f"The lab's first call was {call.outcome}: nothing can be measured.")
    assert call.answered_at is not None
    assert call.ended_at is not None
    seconds = (call.ended_at - call.answered_at).total_seconds()
    # A square wave of 400 Hz and little loudness.
    file.write_bytes((b"\xd0" * 10 + b"\x50" * 10) * round(seconds * _BYTES_A_SECOND / 20))


async def _drive(lab: Lab, road: Road, plan: Plan) -> Round:
    before, began = _spent(lab), time.monotonic()
    for count in range(plan.calls):
        await asyncio.sleep(max(0.0, began + count / plan.pace - time.monotonic()))
        await road(_LISTENS.american(str(_AREA_CODES[count % len(_AREA_CODES)])))
    # The last one may not have a channel yet.
    await asyncio.sleep(_STEP_S)
    while await asyncio.to_thread(lab.pbxs[0].channels):
        await asyncio.sleep(_STEP_S)
    pbx, controller = (after - first for after, first in zip(_spent(lab), before, strict=True))
    return Round(pbx / plan.calls, controller / plan.calls, time.monotonic() - began)


def _spent(lab: Lab) -> tuple[float, float]:
    """Return the processor time so far of the PBX and of the controller, in milliseconds."""
    pids = {part.name: part.pid for part in lab.status()}
    return _processor_ms(pids["pbx"]), _processor_ms(pids["controller"])


def _processor_ms(pid: int | None) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / _TICKS


def _show(costs: Sequence[Cost]) -> None:
    widest = max(cost.ratio for cost in costs)
    click.echo(f"{'':14}{'PBX':>9}{'ours':>9}{'ratio':>7}  lowest to highest")
    for cost in costs:
        bar = "█" * round(cost.ratio / widest * 30)
        figures = f"{cost.pbx_ms:6.1f} ms{cost.controller_ms:6.1f} ms{cost.ratio:7.2f}"
        click.echo(f"{cost.road:14}{figures}  {cost.lowest:.2f} to {cost.highest:.2f}  {bar}")


@click.command()
@click.option("--calls", default=20, show_default=True, type=click.IntRange(1), help="Calls in a round.")
@click.option(
    "--rounds", default=3, show_default=True, type=click.IntRange(1), help="Rounds along each road."
)
@click.option("--pace", default=5.0, show_default=True, type=float, help="Calls begun in a second.")
@click.option("--json", "as_json", is_flag=True, help="Print every round as JSON.")
def main(calls: int, rounds: int, pace: float, as_json: bool) -> None:
    """Measure what a call costs through Voicegate, beside the least that the same Asterisk can do."""
    with tempfile.TemporaryDirectory() as folder, reserve_port_base() as port_base:
        lab = Lab(LabSettings(Path(folder), port_base, name="bench"))
        try:
            lab.up()
            measured = asyncio.run(measure(lab, Plan(calls, rounds, pace)))
        finally:
            lab.down()
    costs = compare(measured)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode({"costs": costs, "rounds": measured}) + b"\n")
    else:
        _show(costs)


if __name__ == "__main__":
    main()
