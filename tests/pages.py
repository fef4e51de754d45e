"""The pages for people: README.md and docs/, as tests read them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGES: Final = (
    *sorted(ROOT.glob("*.md")),
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts),
)
_FENCE: Final = re.compile(r"^( *)(`{3,})([^\n]*)\n(.*?)^\1\2 *$", re.DOTALL | re.MULTILINE)
_SPAN: Final = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK: Final = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """Return what stands in the page's fences of a language."""
    fences = _FENCE.finditer(page.read_text("utf-8"))
    return [fence[4] for fence in fences if fence[3] == language]


def spans(page: Path) -> Iterator[str]:
    """Yield the code within the page's sentences; a line's end counts as a blank."""
    for span in _SPAN.finditer(_without_fences(page)):
        yield " ".join(span[2].split())


def links(page: Path) -> Iterator[str]:
    """Yield the targets of the page's links and pictures."""
    for link in _LINK.finditer(_SPAN.sub("", _without_fences(page))):
        yield link[1]


def anchors(page: Path) -> set[str]:
    """Return the page's headings as forges and MyST make addresses of them."""
    return {
        re.sub(r"[^\w\- ]", "", heading[1].strip().lower()).replace(" ", "-")
        for heading in _HEADING.finditer(_without_fences(page))
    }


def _without_fences(page: Path) -> str:
    return _FENCE.sub("", page.read_text("utf-8"))
