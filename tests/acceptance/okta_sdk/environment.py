"""Environments with one Okta SDK each: the two versions cannot be in one, nor with our own packages.

Made from exact versions by pip, once, and kept beside what the lab fetched; deleting them is safe.
"""

import fcntl
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from voicegate.lab.packages import cache_folder

HERE = Path(__file__).parent


def python_with(version: str) -> Path:
    """The interpreter of an environment with `okta` in that version; blocks while it is made."""
    requirements = HERE / f"requirements-{version}.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:8]
    folder = cache_folder() / f"okta-{version}-{sys.implementation.cache_tag}-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    ready = folder / "ready"
    with folder.with_name(f"{folder.name}.lock").open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        if not ready.exists():
            # Without pip, which Debian splits from Python: ours installs into it from outside.
            venv.create(folder, clear=True, symlinks=True)
            pip = [sys.executable, "-m", "pip", "--python", str(folder), "--disable-pip-version-check"]
            subprocess.run([*pip, "install", "-q", "--no-deps", "-r", str(requirements)], check=True)
            ready.touch()
    return folder / "bin/python"
