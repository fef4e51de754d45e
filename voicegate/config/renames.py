"""Renamed settings: the old name is accepted for one release, and rewritten on request.

A setting keeps its table. `voicegate.cli.config` changes the file.
"""

import copy
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from voicegate.domain.errors import ConfigError

RENAMES: Final[Mapping[str, str]] = {"passcode.attempts": "passcode.guesses"}
"""Old path -> new path; the entry is removed one release after the renaming."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """A setting that the file has under its old name."""

    old: str
    """Its path in the file."""
    new: str
    """Its new path."""

    def __str__(self) -> str:
        return f"{self.old} is called {self.new} now"


def rename(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[Renamed]]:
    """Return a decoded TOML document with new names only, and the renamed settings.

    Raises:
        ConfigError: a setting is given by both names.
    """
    document = copy.deepcopy(dict(raw))
    return document, [renamed for renamed in _ALL if _rename(document, renamed)]


def rewrite(text: str) -> tuple[str, list[Renamed]]:
    """Return a TOML file's text with new names and no other change, and the renamed settings.

    Raises:
        tomllib.TOMLDecodeError: it is not TOML.
        ConfigError: a setting is given by both names, or written in a way that only its author can change.
    """
    _, found = rename(tomllib.loads(text))
    for renamed in found:
        text = _rewrite(text, renamed)
    return text, found


def _rename(document: dict[str, Any], renamed: Renamed) -> bool:
    """Rename a setting in a document; return whether it was there."""
    path, _, old = renamed.old.rpartition(".")
    new = renamed.new.rpartition(".")[2]
    table: Any = document
    for part in path.split("."):
        table = table.get(part) if isinstance(table, dict) else None
    if not isinstance(table, dict) or old not in table:
        return False
    if new in table:
        raise ConfigError(f"{renamed.old}: is the old name of {renamed.new}, which is set too: remove one")
    table[new] = table.pop(old)
    return True


def _rewrite(text: str, renamed: Renamed) -> str:
    """Return the text with one setting's name changed.

    A table can be written in many ways ([a], a.b = 1, a = { b = 1 }), and the name can also occur in
    comments, values and other tables. So each place is tried, and the parser's result decides.
    """
    wanted = tomllib.loads(text)
    _rename(wanted, renamed)
    old, new = renamed.old.rpartition(".")[2], renamed.new.rpartition(".")[2]
    for place in re.finditer(rf"(?<![\w-]){old}(?=[\"']?\s*=)", text):
        candidate = f"{text[: place.start()]}{new}{text[place.end() :]}"
        if _holds(candidate, wanted):
            return candidate
    raise ConfigError(f"{renamed}, but the file says it in a way that only you can change")


def _holds(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


_ALL: Final = tuple(Renamed(old, new) for old, new in RENAMES.items())
