"""The house's vocabulary (`docs/glossary.md`): a word that was retired names nothing any more."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

from tests.house.sources import ROOT, nodes_of
from voicegate.adapters.storage.tables import METADATA

GLOSSARY = ROOT / "docs" / "glossary.md"
SOURCES = sorted(
    path
    for folder in ("voicegate", "tests")
    for path in (ROOT / folder).rglob("*.py")
    # A migration is as it was when it was released.
    if "migrations" not in path.parts
)

RETIRED: Final = {
    "asker": "principal",
    "begun": "pending",
    "board": "change notifier",
    "cure": "fix",
    "deed": "unit of work; in the lab, action",
    "examiner": "check",
    "house": "dependencies, Voicegate, or the default service",
    "journal": "call log",
    "manners": "timings",
    "msisdn": "destination",
    "patience": "timeout",
    "patient": "target",
    "proving": "challenge service",
    "rehearsal": "trial call",
    "rehearse": "trial call",
    "stretch": "span; in the lab, segment",
    "tongue": "error format",
    "verdict": "outcome of a call, result of a guess, decision of a policy",
}
"""Words that name nothing, with what is said instead."""
RETIRED_CLASSES: Final = {"World": "named arguments", "Desk": "named arguments", "Rung": "EvidenceLevel"}
"""Names of classes that are gone, where the word itself may be used."""
RETIRED_IN: Final = {"attempt": ("voicegate/domain", "voicegate/application", "voicegate/adapters/storage")}
"""Words that are retired in some rooms only: Twilio calls a call an attempt, and the API's JSON a guess."""
RETIRED_PHRASES: Final = re.compile(
    r"\b(be had|bars none|is no more\b|be done to that|told of as|last words|the house|of late|"
    r"by all signs|is none of|that is none|nought|affair)\b",
    re.IGNORECASE,
)
"""Literary or private phrases, which no docstring and no message has."""
TERMS: Final = (
    "subscriber",
    "factor",
    "enrollment",
    "challenge",
    "passcode",
    "guess",
    "principal",
    "trunk",
    "route",
    "call",
    "channel",
    "originate",
    "destination",
    "extension",
    "caller ID",
    "DTMF digit",
    "prompt",
    "dialplan",
    "evidence",
    "outcome",
    "hangup cause",
    "unit of work",
    "policy",
    "check",
    "target",
    "fix",
    "lab",
    "door",
)
"""Terms that the glossary must define."""


@cache
def words_of(name: str) -> frozenset[str]:
    """The words of an identifier, in the singular."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return frozenset(form for word in map(str.lower, words) for form in (word, word.removesuffix("s")))


def named(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """What a module gives names to: classes, functions, parameters, variables, attributes and fields."""
    for node in nodes:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.alias(asname=str(name)):
                yield 0, name


def retired(path: Path) -> Iterator[str]:
    for line, name in named(nodes_of(path)):
        said_instead = [RETIRED[word] for word in words_of(name) & RETIRED.keys()]
        said_instead += ["guess or call" for word in words_of(name) & RETIRED_IN.keys() if is_in(path, word)]
        said_instead += [RETIRED_CLASSES[name]] if name in RETIRED_CLASSES else []
        if said_instead:
            yield f"{path.relative_to(ROOT)}:{line} {name}: say {said_instead[0]}"


def is_in(path: Path, word: str) -> bool:
    return str(path.relative_to(ROOT)).startswith(RETIRED_IN[word])


def texts(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Every docstring and message of a module."""
    for node in nodes:
        match node:
            case ast.Constant(value=str(text)):
                yield node.lineno, text


def test_docstrings_and_messages_are_plain_english() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {phrase[0]}"
        for path in SOURCES
        if path.is_relative_to(ROOT / "voicegate")
        for line, text in texts(nodes_of(path))
        for phrase in RETIRED_PHRASES.finditer(text)
    ]
    assert not found


def test_no_retired_word_names_a_table_or_a_column() -> None:
    retired_words = RETIRED.keys() | RETIRED_IN.keys()
    names = {table.name for table in METADATA.tables.values()}
    names |= {column.name for table in METADATA.tables.values() for column in table.columns}
    assert "guesses_left" in names
    assert not [name for name in names if words_of(name) & retired_words]


def test_no_retired_word_names_anything() -> None:
    assert not [found for path in SOURCES for found in retired(path)]


def test_no_file_bears_a_retired_word() -> None:
    assert not [path for path in SOURCES if words_of(path.stem) & RETIRED.keys()]
    assert not [
        path for path in SOURCES for word in words_of(path.stem) & RETIRED_IN.keys() if is_in(path, word)
    ]


def test_the_glossary_gives_each_term_a_sentence_and_a_source() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in GLOSSARY.read_text("utf-8").splitlines()
        if line.startswith("| ") and not line.startswith("| Term")
    ]
    assert all(len(row) == 3 and all(row) and row[1].endswith(".") for row in rows)
    defined = {term.strip() for row in rows for term in row[0].split(",")}
    assert set(TERMS) <= defined


def test_a_retired_word_is_seen_in_any_kind_of_name() -> None:
    code = "class TheVerdicts: pass\ndef f(asker): self._deed = cure_all = 1\nimport x as journal\n"
    assert {name for _, name in named(ast.walk(ast.parse(code))) if words_of(name) & RETIRED.keys()} == {
        "TheVerdicts",
        "asker",
        "_deed",
        "cure_all",
        "journal",
    }
