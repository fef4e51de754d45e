"""How `make docs` builds the pages: Sphinx with MyST and Furo, which ask no other host for anything.

Beside them it puts `samples.html`, which plays every prompt, with the sounds.
"""

import shutil
from pathlib import Path
from typing import Any

project = "Voicegate"
author = "the Voicegate authors"
extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Voicegate"
html_copy_source = False
html_show_sphinx = False
# Commands such as `--help` stay as they are written.
smartquotes = False


def setup(app: Any) -> None:
    """Have the samples put beside the pages."""
    app.connect("build-finished", _put_samples)


def _put_samples(app: Any, error: Exception | None) -> None:
    if error is not None or app.builder.name != "html":
        return
    pages, built = Path(app.srcdir), Path(app.outdir)
    page = (pages / "samples.html").read_text("utf-8")
    page = page.replace('src="../sounds/', 'src="sounds/').replace('href="heard.md"', 'href="heard.html"')
    (built / "samples.html").write_text(page, "utf-8")
    shutil.copy(pages / "heard.svg", built)
    for sound in (pages.parent / "sounds").glob("*/*.wav"):
        folder = built / "sounds" / sound.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(sound, folder)
