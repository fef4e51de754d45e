"""The house's words: everything public says what it is, and every field what it holds."""

import ast
from collections.abc import Iterator

from tests.house.sources import ROOT, nodes_of, tree_of

SOURCES = sorted((ROOT / "voicegate").rglob("*.py"))

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public(node: ast.AST, where: str) -> Iterator[tuple[str, Documented]]:
    """Public things of a module or class; what is inside a function is its own affair."""
    if isinstance(node, ast.Module):
        yield where, node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if child.name.startswith("_"):
            continue
        yield f"{where}:{child.name}", child
        if isinstance(child, ast.ClassDef):
            yield from public(child, f"{where}:{child.name}")


def is_override(node: Documented) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any("override" in ast.unparse(decorator) for decorator in decorators)


def undescribed_fields(node: ast.ClassDef) -> Iterator[str]:
    for statement, following in zip(node.body, [*node.body[1:], ast.Pass()], strict=True):
        is_described = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        name = ast.unparse(statement.target) if isinstance(statement, ast.AnnAssign) else "_"
        if not name.startswith("_") and not is_described:
            yield name


def is_dataclass(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
    )


def test_everything_public_has_a_docstring() -> None:
    silent = [
        where
        for path in SOURCES
        for where, node in public(tree_of(path), str(path.relative_to(ROOT)))
        if not is_override(node) and not ast.get_docstring(node)
    ]
    assert not silent


def test_every_dataclass_field_is_described() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{node.name}.{field}"
        for path in SOURCES
        for node in nodes_of(path)
        if isinstance(node, ast.ClassDef) and is_dataclass(node)
        for field in undescribed_fields(node)
    ]
    assert not silent
