"""The texts of the pages, one catalogue for each language, and the choice of a person's language."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

from voicegate.domain.language import best_language

FOLDER: Final = Path(__file__).parent / "texts"
FALLBACK: Final = "en"
_RIGHT_TO_LEFT: Final = frozenset({"ar", "fa", "he", "ur"})


@dataclass(frozen=True, slots=True)
class Texts:
    """A language's texts."""

    language: str
    """Its tag."""
    entries: Mapping[str, str]
    """The texts, by name."""

    def __call__(self, name: str, **values: object) -> str:
        """Return a text with its placeholders filled in; the template escapes it."""
        return self.entries[name].format(**values)

    @property
    def direction(self) -> str:
        """The direction of its script, as HTML's `dir`."""
        return "rtl" if self.language.split("-")[0] in _RIGHT_TO_LEFT else "ltr"

    @property
    def countries(self) -> Mapping[str, str]:
        """Names of countries, by ISO 3166 code, in their language's order (both from Unicode's CLDR)."""
        return _countries(self.language)

    def moment(self, at: datetime) -> str:
        """Return a moment in a form that every language reads (ISO 8601), in UTC; in one line."""
        # Browsers break a line at a hyphen between digits too, but for a word joiner.
        return f"{at:%Y-\u2060%m-\u2060%d\u00a0%H:%M}\u00a0UTC"


@cache
def languages() -> Sequence[str]:
    """Return the languages that have texts."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))


def texts_for(wanted: Sequence[str]) -> Texts:
    """Return the texts in the first of these languages that has texts."""
    return _texts(best_language(wanted, languages()) or FALLBACK)


def accepted(header: str) -> tuple[str, ...]:
    """Return the tags of an `Accept-Language` header, best first (RFC 9110 12.5.4)."""
    weighed = []
    for entry in header[:500].split(","):
        tag, _, weight = (part.strip() for part in entry.partition(";"))
        try:
            quality = float(weight.removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        if tag.replace("-", "").isalnum() and tag.isascii() and quality > 0:
            weighed.append((quality, tag))
    return tuple(tag for _, tag in sorted(weighed, key=lambda entry: -entry[0]))


@cache
def _texts(language: str) -> Texts:
    return Texts(language, tomllib.loads((FOLDER / f"{language}.toml").read_text("utf-8")))


@cache
def _countries(language: str) -> Mapping[str, str]:
    names: Mapping[str, str] = json.loads((FOLDER / "countries" / f"{language}.json").read_text("utf-8"))
    return names
