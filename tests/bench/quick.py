"""`make bench-quick`: this working tree beside a base revision, by turns, in some minutes.

Fails only where the change costs more than the spread of the rounds explains. Both sides run with this
environment's packages, so the base must get by with them.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Final

import click

from tests.bench.backend import HttpBackend, Schedule, http_backend
from tests.bench.drive import tell
from tests.bench.figures import Spread, paired_ratio
from tests.bench.lab import Controller
from tests.bench.machine import Moment, Speed, calibrate, family_s
from tests.bench.numbers import numbers
from tests.bench.parts.api import TEST_NUMBERS, closed_loop, prepare
from tests.bench.report import revision
from tests.bench.seeding import OpenCode
from tests.bench.sides import warm_up
from tests.bench.simulated import CALL_S, serving, simulated
from tests.bench.validity import Load, judge_load

_ROOT: Final = Path(__file__).parents[2]
_MARGIN: Final = 1.02
"""A change that costs less than this more is no regression, however sure it is."""
_CODES_A_ROUND: Final = 600
_BLOCK: Final = 10
_RATE: Final = 6.0
_KINDS: Final = ("a call", "a guess")


@contextmanager
def checkout(base: str) -> Iterator[Path]:
    """A worktree of the base revision, for a while."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "base"
        _git("worktree", "add", "--detach", "--quiet", str(tree), base)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> None:
    done = subprocess.run(["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(done.stderr.strip())


def program_of(tree: Path) -> list[str]:
    """Return the command that runs the Voicegate of a tree with this environment."""
    start = f"import sys; sys.path.insert(0, {str(tree)!r}); from voicegate.__main__ import main; main()"
    return [sys.executable, "-c", start]


async def compare(folder: Path, trees: dict[str, Path], rounds: int, calls: int) -> dict[str, Spread]:
    """Return the ratios of `change` to `base`: of the processor time of a call, and of a guess."""
    costs: dict[str, dict[str, list[float]]] = {kind: {name: [] for name in trees} for kind in _KINDS}
    async with AsyncExitStack() as stack:
        codes, running = {}, {}
        for name, tree in trees.items():
            controller = simulated(folder / name, more=TEST_NUMBERS)
            controller.program = program_of(tree)
            codes[name] = list(await prepare(controller, 3 * _CODES_A_ROUND * rounds))
            await stack.enter_async_context(serving(controller))
            backend = await stack.enter_async_context(http_backend(controller.socket))
            await warm_up(backend)
            running[name] = (controller, backend)
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}")
            for kind_costs, measured in zip(
                costs.values(),
                (await _calls(running, calls), await _guesses(running, codes, number)),
                strict=True,
            ):
                for name, cost in measured.items():
                    kind_costs[name].append(cost)
    return {kind: paired_ratio(of["change"], of["base"]) for kind, of in costs.items()}


async def _calls(running: dict[str, tuple[Controller, HttpBackend]], calls: int) -> dict[str, float]:
    """Calls at both at the same time, turn by turn: whatever slows one slows the other."""
    before = {name: family_s(controller.pid) for name, (controller, _) in running.items()}
    calling = numbers()
    async with asyncio.TaskGroup() as tasks:
        async for _ in Schedule(_RATE, calls):
            number = next(calling)
            for _, backend in running.values():
                tasks.create_task(backend.must_create(number))
    await asyncio.sleep(CALL_S + 3)
    return {
        name: (family_s(controller.pid) - before[name]) * 1000 / calls
        for name, (controller, _) in running.items()
    }


async def _guesses(
    running: dict[str, tuple[Controller, HttpBackend]], codes: dict[str, list[OpenCode]], number: int
) -> dict[str, float]:
    found = {}
    # Each goes first as often as the other.
    for name in running if number % 2 == 0 else reversed(running):
        controller, backend = running[name]
        mine = codes[name][: 3 * _CODES_A_ROUND]
        del codes[name][: 3 * _CODES_A_ROUND]
        found[name] = (await closed_loop(controller, backend, mine))[2]
    return found


@click.command()
@click.option("--base", default="main~1", show_default=True, help="The revision to compare with.")
@click.option("--rounds", default=4, show_default=True, type=click.IntRange(2))
@click.option("--calls", default=60, show_default=True, type=click.IntRange(1), help="Calls in a round.")
def main(base: str, rounds: int, calls: int) -> None:
    """Compare this working tree with a base revision; the exit status is 1 if it certainly costs more."""
    with checkout(base) as tree, tempfile.TemporaryDirectory() as folder:
        tell(
            f"{revision()} against {revision(tree)}:"
            f" {rounds * (calls / _RATE + CALL_S + 15) / 60:.0f} minutes"
        )
        speeds, before = [calibrate()], Moment.now()
        ratios = asyncio.run(compare(Path(folder), {"base": tree, "change": _ROOT}, rounds, calls))
        after = Moment.now()
        speeds.append(calibrate())
    worse = [kind for kind, spread in ratios.items() if is_worse(spread)]
    for kind, spread in ratios.items():
        click.echo(f"processor time of {kind}, change over base: {spread}{' WORSE' if kind in worse else ''}")
    for fault in _doubts(before, after, speeds):
        # By turns, a busy machine widens the spread; it does not decide.
        click.echo(f"note: {fault}")
    if worse:
        raise click.ClickException(f"it costs more, beyond the spread: {', '.join(worse)}")


def is_worse(spread: Spread) -> bool:
    """Return whether the change certainly costs more."""
    return spread.low > _MARGIN


def _doubts(before: Moment, after: Moment, speeds: list[Speed]) -> list[str]:
    wall = after.wall_s - before.wall_s
    return judge_load(Load(0, (after.steal_s - before.steal_s) / wall, 0, wall, speeds))


if __name__ == "__main__":
    main()
