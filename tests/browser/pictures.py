"""The pages' pictures in docs/: put together from those that the tests of pages and calls have kept.

`make pictures` runs those tests, and then this. A strip stands on no background, so that it fits a forge by
day and by night.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.browser.chromium import find_chromium, running
from tests.browser.conftest import PICTURES
from tests.pages import ROOT

_SET_UP: Final = "test_pages-py-test_a_person_sets_their_telephone_up_and_sees_the_call_happen"
_SIGN_IN: Final = "test_pages-py-test_a_person_signs_in_after_their_line_was_busy"
_SETTINGS: Final = "test_pages-py-test_a_person_looks_at_their_settings"
_BROWSER: Final = "test_calls-py-test_a_person_signs_in_with_a_browser_alone-asterisk"


@dataclass(frozen=True)
class Strip:
    """Pictures side by side."""

    file: str
    """Its name in docs/pictures."""
    pictures: Sequence[tuple[str, str]]
    """The test and the name of each picture."""
    behind: Sequence[str]
    """The colour of each page's background, for what is shorter than the others."""
    width: int
    """How much of a picture is shown, about its middle; pixels."""


_DAY, _NIGHT = "#f3f5f9", "#0d1119"
_STEPS: Final = (
    *((_SET_UP, name) for name in ("1-setup", "2-number", "3-ringing", "4-spoken", "6-done")),
    (_SIGN_IN, "1-ready"),
    (_SETTINGS, "1-settings"),
)


def _narrow(steps: Sequence[tuple[str, str]], scheme: str) -> list[tuple[str, str]]:
    return [(test, f"{name}-{scheme}-narrow") for test, name in steps]


STRIPS: Final = (
    Strip("pages.png", _narrow(_STEPS[:5], "light"), [_DAY] * 5, 340),
    Strip("pages-dark.png", _narrow(_STEPS[2:], "dark"), [_NIGHT] * 5, 340),
    Strip("pages-sign-in.png", _narrow(_STEPS[5:], "light"), [_DAY] * 2, 340),
    Strip(
        "pages-wide.png",
        [(_SET_UP, "4-spoken-light-wide"), (_SET_UP, "4-spoken-dark-wide")],
        [_DAY, _NIGHT],
        760,
    ),
    Strip("browser-telephone.png", [(_BROWSER, "speaking")], ["#eef1f6"], 1280),
)


def page_of(strip: Strip) -> str:
    """The strip as a page."""
    figures = "".join(
        f'<div style="background:{behind}"><img src="file://{PICTURES / test / name}.png" alt=""></div>'
        for (test, name), behind in zip(strip.pictures, strip.behind, strict=True)
    )
    style = (
        "body{margin:0;width:max-content;display:flex;gap:16px}"
        f"div{{width:{strip.width}px;overflow:hidden;border-radius:12px;display:flex;justify-content:center;"
        "align-items:start}img{display:block;flex:none}"
    )
    return f"<!doctype html><style>{style}</style>{figures}"


async def draw(strips: Sequence[Strip], folder: Path) -> None:
    """Write the strips into `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        program = await asyncio.to_thread(find_chromium, Path(scratch))
        async with running(program) as browser:
            page = await browser.new_page()
            for strip in strips:
                source = Path(scratch) / "strip.html"
                source.write_text(page_of(strip), "utf-8")
                await page.goto(source.as_uri())
                await page.locator("body").screenshot(path=folder / strip.file, omit_background=True)


if __name__ == "__main__":
    asyncio.run(draw(STRIPS, ROOT / "docs/pictures"))
