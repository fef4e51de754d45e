"""Programs that the lab needs: from PATH, or from Debian packages unpacked into a cache folder, without root.

An unpacked program runs with its own folder's dynamic loader, so that it uses its own libraries and not the
host's. The cache is shared by all labs of a user; it may be deleted while no lab runs. How packages are
fetched is in `apt`.
"""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegate.lab.apt import PrivateApt, Progress, find_archive, release_facts
from voicegate.lab.errors import PackageError

OLDEST_ASTERISK: Final = 20
_ASTERISK_PACKAGES: Final = ("asterisk", "asterisk-core-sounds-en-wav")
_MODULE_FOLDERS: Final = (
    "usr/lib/*/asterisk/modules",
    "usr/lib/asterisk/modules",
    "usr/lib64/asterisk/modules",
)
_DATA_FOLDERS: Final = ("usr/share/asterisk", "var/lib/asterisk")


@dataclass(frozen=True, slots=True)
class Asterisk:
    """An Asterisk that can be run."""

    command: tuple[str, ...]
    """What to run; arguments follow."""
    modules: Path
    """Its modules."""
    data: Path
    """Its sounds and documentation."""
    sounds: Path | None
    """English recordings of a human voice; None: it came without them."""


def no_progress(_text: str, _done: float) -> None:
    """Report nothing."""


def cache_folder() -> Path:
    """Return this user's folder for fetched programs; it may not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "voicegate" / "packages"


def ensure_asterisk(progress: Progress = no_progress) -> Asterisk:
    """Return an Asterisk of at least version 20: the one on PATH, or one that is fetched once. Blocks.

    Raises:
        PackageError: there is none, and none could be fetched.
    """
    installed = shutil.which("asterisk") or shutil.which("asterisk", path="/usr/sbin:/usr/local/sbin")
    if installed and _major_version([installed]) >= OLDEST_ASTERISK:
        return _describe_asterisk((installed,), Path("/"))
    root = ensure_packages(_ASTERISK_PACKAGES, suites=_asterisk_suites(), progress=progress)
    return _describe_asterisk(unpacked_command(root, "usr/sbin/asterisk"), root)


def ensure_program(
    name: str, package: str | None = None, progress: Progress = no_progress
) -> tuple[str, ...]:
    """Return the command of a program: the one on PATH, or one from `package` of the host's suite.

    `package` None: it has the program's name. Blocks.

    Raises:
        PackageError: there is none, and none could be fetched.
    """
    installed = shutil.which(name)
    if installed:
        return (installed,)
    root = ensure_packages((package or name,), suites=(), progress=progress)
    return unpacked_command(root, f"usr/bin/{name}")


def ensure_packages(packages: Sequence[str], *, suites: Sequence[str], progress: Progress) -> Path:
    """Return a folder with `packages` and all they need, unpacked; they are fetched unless they are there.

    The first of `suites` that has the first package is used; if none is given, the host's own suite. Two
    processes do not fetch at once: the second one waits, and finds the result. Blocks.

    Raises:
        PackageError: no suite has them, or they could not be fetched.
    """
    home = cache_folder()
    target = home / packages[0]
    if target.is_dir():
        return target
    home.mkdir(parents=True, exist_ok=True)
    with _only_one(home / f"{packages[0]}.lock"):
        if target.is_dir():
            return target
        for abandoned in home.glob(f".{packages[0]}-*"):
            shutil.rmtree(abandoned)
        with tempfile.TemporaryDirectory(dir=home, prefix=f".{packages[0]}-") as scratch:
            unpacked = _fetch(Path(scratch), packages, suites=suites, progress=progress)
            unpacked.rename(target)
    return target


def unpacked_command(root: Path, program: str) -> tuple[str, ...]:
    """Return the command of `program`, a path below `root`, run by the loader in `root`.

    Raises:
        PackageError: the program or the loader is missing.
    """
    loaders = sorted(path for folder in _library_folders(root) for path in folder.glob("ld-linux*.so.*"))
    if not loaders or not (root / program).is_file():
        raise PackageError(f"{root} is incomplete: delete it, and it is fetched again.")
    libraries = ":".join(str(folder) for folder in _library_folders(root))
    return (str(loaders[0]), "--library-path", libraries, str(root / program))


def _asterisk_suites() -> tuple[str, ...]:
    # Debian 12 and 13 have no package of it; Ubuntu has one in each release.
    return ("forky", "sid") if release_facts().get("ID") == "debian" else ()


def _fetch(scratch: Path, packages: Sequence[str], *, suites: Sequence[str], progress: Progress) -> Path:
    apt = _open_suite(scratch, packages[0], suites=suites, progress=progress)
    progress("fetching packages", 0)
    files = apt.download(packages, progress)
    unpacked = scratch / "root"
    unpacked.mkdir()
    for count, file in enumerate(files):
        progress("unpacking packages", count / len(files))
        done = subprocess.run(
            ["dpkg", "-x", str(file), str(unpacked)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise PackageError(f"{file.name} could not be unpacked: {done.stderr.strip()}")
    progress("unpacking packages", 1)
    return unpacked


def _open_suite(scratch: Path, package: str, *, suites: Sequence[str], progress: Progress) -> PrivateApt:
    archive = find_archive()
    failures: list[str] = []
    for suite in suites or (archive.suite,):
        progress(f"reading the package list of {suite}", 0)
        apt = PrivateApt(scratch / suite, archive, suite)
        try:
            apt.update()
        except PackageError as error:
            failures.append(str(error))
            continue
        version = apt.version(package)
        if version and (package != "asterisk" or _major(version) >= OLDEST_ASTERISK):
            return apt
        failures.append(f"{suite} has {package} {version}" if version else f"{suite} has no {package}")
    raise PackageError(f"{package} could not be fetched: {'; '.join(failures)}.")


def _describe_asterisk(command: tuple[str, ...], root: Path) -> Asterisk:
    modules = [path for pattern in _MODULE_FOLDERS for path in sorted(root.glob(pattern))]
    data = [root / name for name in _DATA_FOLDERS if (root / name).is_dir()]
    if not modules or not data:
        raise PackageError(f"{command[-1]} lacks its modules or its data.")
    # Maintainer scripts did not run, so the recordings lie under the speaker's name, not under "en".
    voices = [path for folder in data for path in sorted(folder.glob("sounds/en*")) if path.is_dir()]
    return Asterisk(command, modules[0], data[0], voices[0] if voices else None)


def _major_version(command: Sequence[str]) -> int:
    done = subprocess.run([*command, "-V"], capture_output=True, text=True, check=False)
    return _major(done.stdout.removeprefix("Asterisk").strip())


def _major(version: str) -> int:
    found = re.match(r"(?:\d+:)?(\d+)", version)
    return int(found[1]) if found else 0


def _library_folders(root: Path) -> list[Path]:
    return [path for pattern in ("usr/lib/*-linux-*", "lib/*-linux-*") for path in sorted(root.glob(pattern))]


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
