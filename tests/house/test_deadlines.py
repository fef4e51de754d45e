"""Nothing in tests and in the lab has a deadline that does not know of a busy machine."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.sources import ROOT, nodes_of

HELPER = ROOT / "voicegate/lab/deadlines.py"
WAITING = [path for folder in ("tests", "voicegate/lab") for path in (ROOT / folder).rglob("*.py")]


def fixed_deadlines(path: Path) -> Iterator[int]:
    """Lines with `asyncio.timeout`, or with a number as what a blocking wait may take."""
    for node in nodes_of(path):
        if not isinstance(node, ast.Call):
            continue
        if ast.unparse(node.func) in ("asyncio.timeout", "timeout"):
            yield node.lineno
        numbers = [word.value for word in node.keywords if word.arg == "timeout"]
        if any(isinstance(number, ast.Constant) and number.value is not None for number in numbers):
            yield node.lineno


def test_waits_end_by_the_clock_of_an_idle_machine() -> None:
    """By `within`, `Deadline` or `at_most`; that something does not come is waited for by `wait_for`."""
    fixed = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted(WAITING)
        if path != HELPER
        for line in fixed_deadlines(path)
    ]
    assert not fixed, "use voicegate.lab.deadlines"
