"""The pages about the results: `docs/heard.md`, its bars, and `docs/samples.html`, where samples can be
played.

All figures come from the languages' `heard.json`; nobody writes them by hand. The templates are in the same
folder.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from voicegate.adapters.speech.build import write_whole
from voicegate.adapters.speech.pack import Pack, find_languages, load_pack
from voicegate.domain.announcement import PromptName
from voicegate.lab.hearing.lines import LINES
from voicegate.lab.hearing.measuring import GOALS
from voicegate.lab.hearing.results import Heard, OnLine, find_unheard, read_heard

TABLE: Final = "heard.md"
SAMPLES: Final = "samples.html"
BARS: Final = "heard.svg"
_COLOURS: Final = ("#2f6db5", "#e08a1e")


@dataclass(frozen=True, slots=True)
class Language:
    """A language on the pages."""

    pack: Pack
    """Its words."""
    heard: Heard | None
    """The results; None: there are none."""
    unheard: Sequence[str]
    """Prompts that have changed since."""


@dataclass(frozen=True, slots=True)
class Row:
    """One recogniser's reading of one language."""

    name: str
    """The language, with the variant of its digits and the recogniser if these are not the usual ones."""
    lines: Sequence[OnLine]
    """In the order of `LINES`."""


def read_languages(sounds: Path) -> list[Language]:
    """Return every language with its results; blocks.

    Raises:
        SpeechError: a language's folder or its results cannot be understood; names the file.
    """
    packs = [load_pack(sounds, language) for language in find_languages(sounds)]
    return [Language(pack, read_heard(pack.folder), find_unheard(pack)) for pack in packs]


def render_pages(languages: Sequence[Language]) -> dict[str, str]:
    """Return the text of each page by its file name."""
    pages = Environment(
        loader=PackageLoader("voicegate.lab.hearing", "."),
        # What Markdown would take for markup, no prompt says.
        autoescape=lambda name: name != f"{TABLE}.j2",  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    rows = list(_rows(languages))
    known = {
        "languages": languages,
        "rows": rows,
        "lines": LINES,
        "goals": GOALS,
        "prompts": list(PromptName),
        "bars": list(_bars(rows)),
        "percent": percent,
    }
    return {name: pages.get_template(f"{name}.j2").render(known) for name in (TABLE, BARS, SAMPLES)}


def write_pages(sounds: Path, docs: Path) -> None:
    """Write the pages about the languages in `sounds` into the folder `docs`; blocks.

    Raises:
        SpeechError: a language's folder cannot be understood, or `docs` cannot be written; names it.
    """
    for name, page in render_pages(read_languages(sounds)).items():
        write_whole(docs / name, page.encode())


def percent(part: int, whole: int) -> str:
    """Return a share in percent, to a tenth; never 100 if something is missing."""
    tenths = part * 1000 // whole if whole else 0
    return f"{tenths // 10}.{tenths % 10}"


def _rows(languages: Sequence[Language]) -> Iterator[Row]:
    for language in languages:
        for reader in language.heard.readers if language.heard else ():
            beside = [reader.variant, reader.ear if reader.ear != "whisper" else None]
            name = ", ".join(filter(None, (language.pack.language, *beside)))
            yield Row(name, reader.lines)


def _bars(rows: Sequence[Row]) -> Iterator[dict[str, object]]:
    """Yield the bars of each row: its shares of digits on the lines with a goal."""
    for row in rows:
        found = {line.line: line for line in row.lines}
        shares = [found[goal].digits / found[goal].of_digits for goal in GOALS]
        yield {"name": row.name, "shares": list(zip(shares, _COLOURS, strict=True))}
