"""A headless Chromium: the one on PATH, else Debian's, unpacked without root beside what the lab fetched.

Driven by Playwright's package, which brings a driver and is told not to look for a browser of its own. Seen
with Debian 12's Chromium 150: it looks for its files beside /proc/self/exe and starts itself again from
there, so that it cannot be run by its own folder's loader as the lab's other programs are. The host's loader
will do, for the packages are the host's own suite's.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, async_playwright

from voicegate.lab.packages import ensure_packages, no_progress

_LIBRARIES: Final = ("usr/lib/*-linux-*", "lib/*-linux-*")
# No address but loopback has a name, so that nothing is even asked for elsewhere. Playwright's own flags turn
# updates, telemetry and other background traffic off.
_FLAGS: Final = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-quic",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


@dataclass(frozen=True)
class Program:
    """What to run, and the environment that it needs."""

    path: Path
    environment: dict[str, str]


def find_chromium(scratch: Path) -> Program:
    """Chromium, fetched the first time; blocks. What it wants to keep goes into `scratch`."""
    own = {**os.environ, **{f"XDG_{kind}_HOME": str(scratch / kind) for kind in ("CONFIG", "CACHE")}}
    if installed := shutil.which("chromium"):
        return Program(Path(installed), own)
    root = ensure_packages(("chromium", "fonts-dejavu-core"), suites=(), progress=no_progress)
    libraries = (str(folder) for pattern in _LIBRARIES for folder in sorted(root.glob(pattern)))
    fonts = scratch / "fonts.conf"
    folders = "".join(f"<dir>{folder}/usr/share/fonts</dir>" for folder in (root, ""))
    fonts.write_text(f"<fontconfig>{folders}<cachedir>{scratch}/fonts</cachedir></fontconfig>")
    own |= {"LD_LIBRARY_PATH": ":".join(libraries), "FONTCONFIG_FILE": str(fonts)}
    return Program(root / "usr/lib/chromium/chromium", own)


@asynccontextmanager
async def running(program: Program) -> AsyncIterator[Browser]:
    """Run it, with a new and empty profile."""
    async with async_playwright() as playwright:
        # Its sandbox needs a set-uid program or root's rights to go; the pages are ours.
        browser = await playwright.chromium.launch(
            executable_path=program.path,
            env={**program.environment},
            args=_FLAGS,
            chromium_sandbox=False,
        )
        try:
            yield browser
        finally:
            await browser.close()
