"""Writes the blocking client from the one for asyncio. `make client` runs it; a test compares.

unasync takes the words of asyncio out, ruff breaks the shorter lines anew. What differs by more than words
stands in `voicegate/client/transports.py`, once for each.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import unasync

from tests.pages import ROOT

FOLDER: Final = ROOT / "voicegate/client"
WRITTEN: Final = {
    "async_client.py": "blocking.py",
    "async_factors.py": "blocking_factors.py",
    "async_pages.py": "blocking_pages.py",
    "async_webhooks.py": "blocking_webhooks.py",
}
"""Each source's file, and what is written from it."""
_NOTE: Final = "# Written by `make client`: change {source} instead.\n"
_WORDS: Final = {
    "AsyncClient": "Client",
    "AsyncFactors": "Factors",
    "AsyncPages": "Pages",
    "AsyncSender": "Sender",
    "AsyncWebhooks": "Webhooks",
    "AsyncUnixTransport": "UnixTransport",
    "aclose": "close",
    "aclosing": "closing",
    "aread": "read",
    "async_read_events": "read_events",
    "async_factors": "blocking_factors",
    "async_pages": "blocking_pages",
    "async_webhooks": "blocking_webhooks",
}
"""What has another name without asyncio, beside the words of Python that unasync knows."""


def files() -> Iterator[tuple[Path, str]]:
    """Yield each file of the blocking client, and what belongs in it."""
    for source, target in WRITTEN.items():
        text = _without_asyncio((FOLDER / source).read_text("utf-8"))
        yield FOLDER / target, _NOTE.format(source=source) + _formatted(text)


def _without_asyncio(text: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "asyncio" / "text.py", Path(folder) / "blocking" / "text.py"
        source.parent.mkdir()
        source.write_text(text, "utf-8")
        rule = unasync.Rule("/asyncio/", "/blocking/", additional_replacements=_WORDS)
        unasync.unasync_files([str(source)], [rule])
        return target.read_text("utf-8")


def _formatted(text: str) -> str:
    for command in (["check", "--select", "I,UP028", "--fix", "--unsafe-fixes", "-q"], ["format", "-q"]):
        run = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(FOLDER / "text.py"), "-"]
        text = subprocess.run(run, input=text, capture_output=True, text=True, check=True).stdout
    return text


if __name__ == "__main__":
    for path, text in files():
        path.write_text(text, "utf-8")
