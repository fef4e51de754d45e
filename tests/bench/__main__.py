"""`make bench`: measures, keeps each part's result, and writes the page. The README has the method."""

import importlib
import shlex
import sys
from collections.abc import Callable
from typing import Final

import click

from tests.bench.drive import tell
from tests.bench.options import Options
from tests.bench.plots import draw
from tests.bench.report import PARTS, Result, Stopwatch, save, table
from tests.bench.scale import renew

_MEASURES: Final = {
    "floor": ("floor", "on_asterisk"),
    "freeswitch": ("floor", "on_freeswitch"),
}
"""Module and function of each part; others have a module of their name, and `measure`."""


def find(part: str) -> Callable[[Options], Result]:
    """Return what measures a part."""
    module, name = _MEASURES.get(part, (part, "measure"))
    found: Callable[[Options], Result] = getattr(importlib.import_module(f"tests.bench.parts.{module}"), name)
    return found


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--calls", type=click.IntRange(1), help="Calls in a round, or in all.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Calls or requests begun in a second.")
@click.option("--rounds", type=click.IntRange(1), help="Rounds of each side.")
@click.option("--seconds", type=click.FloatRange(1), help="How long a load lasts.")
@click.option("--up", type=click.IntRange(1), help="Calls up at once.")
@click.option("--stored", type=click.IntRange(100), help="Calls in the database, at most.")
@click.option("--dry", is_flag=True, help="Print the figures, and keep nothing.")
def main(parts: tuple[str, ...], *, dry: bool, **options: float | None) -> None:
    """Measure PARTS, or all of them, and keep the results; the exit status is 1 where one is invalid."""
    chosen, broken = Options(**options), []  # type: ignore[arg-type]
    for part in parts or PARTS:
        tell(f"part {part}")
        stopwatch = Stopwatch(shlex.join(["make bench", *sys.argv[1:]]))
        result = stopwatch.note(find(part)(chosen))
        click.echo(f"\n{result.title}\n{table(result.figures)}")
        for fault in dict.fromkeys(result.faults):
            click.echo(f"invalid: {fault}")
        broken += [] if result.is_valid else [part]
        if not dry:
            save(result)
            renew()
            if not draw(result):
                tell("no plots: pip install -e '.[bench]'")
    if broken:
        raise click.ClickException(f"invalid: {', '.join(broken)}")


if __name__ == "__main__":
    main()
