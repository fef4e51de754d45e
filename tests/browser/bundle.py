"""JsSIP as one file that a page can import: made by esbuild from what the lock names, by version and hash.

`python -m tests.browser.bundle` writes the file anew after a change to the lock.
"""

import os
import subprocess
from pathlib import Path
from typing import Final

from tests.acceptance.environments import node_tools
from tests.pages import ROOT
from voicegate.lab.deadlines import at_most

BUNDLE: Final = ROOT / "tests/browser/bundle"
"""What is fetched: names, versions, hashes."""
JSSIP: Final = ROOT / "voicegate/adapters/web/static/telephone/jssip.js"
"""What is checked in."""
_FLAGS: Final = ("--bundle", "--format=esm", "--minify", "--target=es2022", "--charset=utf8")
_ABOUT: Final = "JsSIP 3.13.8, MIT, with debug, events, ms and sdp-transform, MIT: see NOTICE."


def build_jssip(folder: Path) -> bytes:
    """Build it in `folder`; blocks, longer where the tools are fetched first."""
    tools, built = node_tools(BUNDLE), folder / JSSIP.name
    flags = (*_FLAGS, "--legal-comments=none", f"--banner:js=/* {_ABOUT} */", f"--outfile={built}")
    subprocess.run(
        tools.command("esbuild", "bin/esbuild", str(BUNDLE / JSSIP.name), *flags),
        env={**os.environ, "NODE_PATH": str(tools.modules)},
        check=True,
        capture_output=True,
        timeout=at_most(120),
    )
    return built.read_bytes()


if __name__ == "__main__":
    build_jssip(JSSIP.parent)
