"""What a run found: figures with their aims, kept as JSON by part, and shown as one page with plots."""

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from tests.bench.figures import Spread
from tests.bench.machine import describe

FOLDER: Final = Path(__file__).parent / "results"
_ROOT: Final = Path(__file__).parents[2]
PARTS: Final = (
    "floor",
    "freeswitch",
    "features",
    "secure",
    "capacity",
    "latency",
    "api",
    "growth",
    "leaks",
    "database",
    "peers",
    "privacyidea",
    "start",
)
"""In the order of the page."""


class Figure(msgspec.Struct, frozen=True):
    """One figure; ratios stand before others."""

    name: str
    value: float
    unit: str = ""
    """Empty: it is a ratio or a count."""
    low: float | None = None
    high: float | None = None
    aim: float | None = None
    """The most that it may be, or the least where `is_least`."""
    is_least: bool = False

    @property
    def is_met(self) -> bool | None:
        """Is it as it should be? None: nothing was promised."""
        if self.aim is None:
            return None
        return self.value >= self.aim if self.is_least else self.value <= self.aim


class Plot(msgspec.Struct, frozen=True):
    """What is drawn: lines of points, or a bar for each name, which may be stacked."""

    name: str
    """Of its file."""
    title: str
    x: str
    y: str
    lines: dict[str, list[tuple[float, float]]] = {}
    bars: dict[str, dict[str, float]] = {}
    """By bar, the height of each of its pieces."""


class Result(msgspec.Struct):
    """What one part found."""

    part: str
    title: str
    figures: list[Figure] = []
    plots: list[Plot] = []
    notes: list[str] = []
    """What one has to know to read the figures."""
    faults: list[str] = []
    """Why it is invalid; empty: it is valid."""
    raw: object = None
    began_at: str = ""
    took_s: float = 0
    revision: str = ""
    machine: dict[str, str | int | float] = {}
    command: str = ""

    @property
    def is_valid(self) -> bool:
        """Do its figures count?"""
        return not self.faults


@dataclass(slots=True)
class Stopwatch:
    """Notes when a part began and on what; fills in its result."""

    command: str
    began: float = field(default_factory=time.monotonic)
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def note(self, result: Result) -> Result:
        """Return the result with the circumstances."""
        result.began_at = self.began_at.isoformat(timespec="seconds")
        result.took_s = round(time.monotonic() - self.began, 1)
        result.revision, result.machine, result.command = revision(), describe(), self.command
        return result


def ratio(name: str, spread: Spread, *, aim: float | None = None) -> Figure:
    """Return a ratio with its spread."""
    return Figure(name, spread.value, "", spread.low, spread.high, aim)


def revision(folder: Path = _ROOT) -> str:
    """Return the revision of a checkout, with a "+" if it was changed."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def save(result: Result, folder: Path = FOLDER) -> None:
    """Keep a part's result in place of its last one, and write the page anew."""
    folder.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(result), indent=1)
    (folder / f"{result.part}.json").write_bytes(encoded + b"\n")
    results = load(folder)
    (folder / "README.md").write_text(page(results), "utf-8")


def load(folder: Path = FOLDER) -> list[Result]:
    """Return what is kept, in the order of the page."""
    files = (folder / f"{part}.json" for part in PARTS)
    return [msgspec.json.decode(file.read_bytes(), type=Result) for file in files if file.exists()]


def page(results: Sequence[Result]) -> str:
    """Return the page: all figures of all parts, ratios first."""
    head = (
        "# What was measured\n\nBy `make bench`; [how](../README.md). Each part has a date and a revision.\n"
    )
    return "\n".join((head, *(_part(result) for result in results)))


def _part(result: Result) -> str:
    marks = "" if result.is_valid else " (invalid)"
    machine = ", ".join(
        f"{value} {name}" if name == "processors" else f"{value}" for name, value in result.machine.items()
    )
    lines = [
        f"## {result.title}{marks}\n",
        f"`{result.command}`, {result.began_at}, {result.took_s:.0f} s, revision {result.revision};"
        f" {machine}.\n",
        *(f"**Invalid**: {fault}.\n" for fault in dict.fromkeys(result.faults)),
        table(result.figures),
        *(f"- {note}" for note in result.notes),
        *(f"\n![{plot.title}]({plot.name}.svg)" for plot in result.plots),
        "",
    ]
    return "\n".join(lines)


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a table in Markdown, ratios first."""
    ordered = sorted(figures, key=lambda figure: figure.unit != "")
    rows = ["| | | 95 % | aim | |", "|---|---|---|---|---|"]
    for one in ordered:
        spread = "" if one.low is None or one.high is None else f"{_short(one.low)} to {_short(one.high)}"
        aim = "" if one.aim is None else f"{'at least' if one.is_least else 'at most'} {_short(one.aim)}"
        met = {None: "", True: "met", False: "**not met**"}[one.is_met]
        rows.append(f"| {one.name} | {_short(one.value)} {one.unit} | {spread} | {aim} | {met} |")
    return "\n".join((*rows, ""))


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
