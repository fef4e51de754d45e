"""The house's sizes, measured: short functions, files one can read at a sitting, few parameters, and comments
of why where wires and races are handled."""

import ast
import statistics
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.sources import ROOT, nodes_of, text_of

SOURCES = sorted((ROOT / "voicegate").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

MAX_FILE = 400
MAX_BODY = 40
MAX_BODY_P90 = 16
MAX_BODY_MEDIAN = 6
MIN_COMMENTS = 3
"""In 100 lines."""
COMMENTED = (
    "adapters/pbx",
    "adapters/storage",
    "application/conversation.py",
    "application/delivery.py",
)
"""Where a comment says why, at the line itself: a quirk of a PBX, a promise, a trap of a database."""
MAX_PARAMETERS = 5
MAX_POSITIONAL = 3
MAX_NESTING = 3

Function = ast.FunctionDef | ast.AsyncFunctionDef
NESTING = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)


def functions(path: Path) -> Iterator[tuple[str, Function]]:
    for node in nodes_of(path):
        if isinstance(node, Function):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def body_lines(function: Function) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def comment_lines(path: Path) -> int:
    """Lines of comments, but for those to tools."""
    with path.open("rb") as source:
        texts = [
            token.string for token in tokenize.tokenize(source.readline) if token.type == tokenize.COMMENT
        ]
    return sum(not text.startswith(("# noqa", "# type:", "#!")) for text in texts)


def named(parameters: list[ast.arg]) -> list[ast.arg]:
    return [parameter for parameter in parameters if parameter.arg not in ("self", "cls")]


def is_exempt(function: Function) -> bool:
    """click hands options over by name; a context manager's exit has Python's own shape."""
    decorators = " ".join(ast.unparse(decorator) for decorator in function.decorator_list)
    return any(word in decorators for word in ("command", "group", "option")) or function.name.startswith(
        "__"
    )


def nesting(node: ast.AST, depth: int = 0) -> int:
    deepest = depth
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        deeper = isinstance(child, NESTING) and not is_elif
        deepest = max(deepest, nesting(child, depth + 1 if deeper else depth))
    return deepest


def test_no_file_is_longer_than_one_can_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in SOURCES + TESTS
        if (lines := len(text_of(path).splitlines())) >= MAX_FILE
    }
    assert not long


def test_every_function_body_is_short() -> None:
    long = {
        name: lines
        for path in SOURCES
        for name, function in functions(path)
        if (lines := body_lines(function)) >= MAX_BODY
    }
    assert not long


def test_most_function_bodies_are_a_few_lines() -> None:
    lines = [body_lines(function) for path in SOURCES for _, function in functions(path)]
    assert statistics.median(lines) <= MAX_BODY_MEDIAN
    assert statistics.quantiles(lines, n=10)[-1] <= MAX_BODY_P90


@pytest.mark.parametrize("room", COMMENTED)
def test_where_wires_and_races_are_handled_comments_say_why(room: str) -> None:
    place = ROOT / "voicegate" / room
    # A revision of the database that was released is not touched again.
    paths = [place] if place.is_file() else [p for p in place.rglob("*.py") if "versions" not in p.parts]
    lines = sum(len(text_of(path).splitlines()) for path in paths)
    comments = sum(comment_lines(path) for path in paths)
    assert 100 * comments >= MIN_COMMENTS * lines, f"{comments} in {lines} lines"


def test_past_five_parameters_a_dataclass_takes_over() -> None:
    many = {
        name: count
        for path in SOURCES
        for name, function in functions(path)
        if not is_exempt(function) or function.name == "__init__"
        if (count := len(named(function.args.posonlyargs + function.args.args + function.args.kwonlyargs)))
        > MAX_PARAMETERS
    }
    assert not many


def test_after_a_few_positional_parameters_come_names() -> None:
    many = {
        name: count
        for path in SOURCES
        for name, function in functions(path)
        if not is_exempt(function)
        if (count := len(named(function.args.posonlyargs + function.args.args))) > MAX_POSITIONAL
    }
    assert not many


def test_nothing_is_nested_deeper_than_three() -> None:
    deep = {
        name: depth
        for path in SOURCES
        for name, function in functions(path)
        if (depth := nesting(function)) > MAX_NESTING
    }
    assert not deep
