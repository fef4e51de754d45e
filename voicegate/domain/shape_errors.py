"""Takes an error of msgspec about a value's shape apart: where the value is, and what is wrong with it.

The readers choose the words: the API speaks of JSON, settings and language folders of TOML. Source: msgspec
0.22, its error messages.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, assert_never

# Greedy, for a field's name may hold the same words.
_PLACED: Final = re.compile(r"(?P<what>.*) - at `(?:key` in `)?\$\.?(?P<where>.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_CHOICE: Final = re.compile(r"Invalid (?:enum )?value (?P<name>.*)", re.DOTALL)
_TYPES: Final = re.compile(r"`(\w+(?: \| \w+)*)`")


class Fault(Enum):
    """What is wrong with a value."""

    MISSING = auto()
    """It lacks a field."""
    UNKNOWN = auto()
    """It has an unknown field."""
    NO_CHOICE = auto()
    """It is not one of the allowed values."""
    OTHER = auto()
    """Something else, in msgspec's own words."""


@dataclass(frozen=True, slots=True)
class ShapeError:
    """What msgspec said."""

    where: str
    """The path of the value, as `a.b[0]`; empty: all of it."""
    fault: Fault
    """What is wrong."""
    text: str
    """The missing or unknown field, the value that is not allowed, or msgspec's own words."""

    @property
    def told(self) -> str:
        """What is wrong, as a sentence; an unknown error in msgspec's words."""
        match self.fault:
            case Fault.MISSING:
                return f"{self.text} is missing"
            case Fault.UNKNOWN:
                return f"{self.text} is unknown"
            case Fault.NO_CHOICE:
                return f"{self.text} is not among its values"
            case Fault.OTHER:
                return self.text
            case _:
                assert_never(self.fault)

    def at(self, name: str) -> str:
        """Return the path of a field of the value."""
        return f"{self.where}.{name}" if self.where else name


_FAULTS: Final[Mapping[Fault, re.Pattern[str]]] = {
    Fault.MISSING: _MISSING,
    Fault.UNKNOWN: _UNKNOWN,
    Fault.NO_CHOICE: _CHOICE,
}


def read_shape_error(error: Exception | str) -> ShapeError:
    """Return an error of msgspec, taken apart."""
    message = str(error)
    placed = _PLACED.fullmatch(message)
    what, where = (placed["what"], placed["where"]) if placed else (message, "")
    for fault, pattern in _FAULTS.items():
        if found := pattern.fullmatch(what):
            return ShapeError(where, fault, found["name"])
    return ShapeError(where, Fault.OTHER, what)


def name_types(text: str, words: Mapping[str, str]) -> str:
    """Return a text with msgspec's names of types in other words; an unknown one stays as it is."""

    def translate(found: re.Match[str]) -> str:
        names = found[1].split(" | ")
        return " or ".join(words[name] for name in names) if set(names) <= set(words) else found[0]

    return _TYPES.sub(translate, text)
