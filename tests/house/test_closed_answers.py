"""A use case answers with a closed set of answers, and each door matches all of them.

`assert_never` has mypy name the member that a match forgets; here is held that no door goes without it.
"""

import ast
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.house.sources import ROOT, nodes_of, tree_of

USE_CASES = sorted((ROOT / "voicegate/application").glob("*.py"))
DOORS = sorted(
    path for room in ("http", "web") for path in (ROOT / "voicegate/adapters" / room).rglob("*.py")
)
PORTS = ("ports.py", "store_port.py")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def answers_of(annotation: ast.expr | None) -> set[str]:
    """The answers of a union, but for None."""
    return set(ast.unparse(annotation).split(" | ")) - {"None"} if annotation is not None else set()


@cache
def several_answers() -> Mapping[str, frozenset[str]]:
    """Each class of use cases, with its methods that have more than one answer."""
    return {
        used.name: frozenset(
            method.name
            for method in used.body
            if isinstance(method, ast.AsyncFunctionDef) and not method.name.startswith("_")
            if len(answers_of(method.returns)) > 1
        )
        for path in USE_CASES
        if path.name not in PORTS
        for used in tree_of(path).body
        if isinstance(used, ast.ClassDef)
    }


def in_reach(door: Path) -> frozenset[str]:
    """The methods with several answers of the classes that a door imports."""
    imported = {
        name.name for node in nodes_of(door) if isinstance(node, ast.ImportFrom) for name in node.names
    }
    return frozenset(
        method for used in several_answers().keys() & imported for method in several_answers()[used]
    )


def asked(function: ast.AST, methods: Collection[str]) -> set[str]:
    """Those of the methods that a function uses, of an object that it was given."""
    names = set()
    for node in ast.walk(function):
        match node:
            case ast.Attribute(attr=name, value=ast.Attribute()) if name in methods:
                names.add(name)
    return names


def called(function: ast.AST) -> set[str]:
    """What a function calls, by its last name."""
    names = set()
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
                names.add(name)
    return names


def careless(door: Path) -> Iterator[str]:
    """Functions that ask a use case, and neither match all its answers nor have a function beside do so."""
    functions = [node for node in nodes_of(door) if isinstance(node, Function)]
    matching = {function.name for function in functions if "assert_never" in called(function)}
    for function in functions:
        names = asked(function, in_reach(door))
        if names and not called(function) & {"assert_never", *matching}:
            yield f"{function.name} ({', '.join(sorted(names))})"


@pytest.mark.parametrize("door", DOORS, ids=lambda path: str(path.relative_to(ROOT / "voicegate/adapters")))
def test_every_answer_of_a_use_case_is_matched_at_each_door(door: Path) -> None:
    assert list(careless(door)) == []


def test_each_use_case_with_several_answers_is_asked_at_a_door() -> None:
    asked_for = {name for door in DOORS for name in asked(tree_of(door), in_reach(door))}
    assert asked_for >= set().union(
        *(several_answers()[used] for used in ("SignIn", "Enrollment", "PageSessions"))
    )
