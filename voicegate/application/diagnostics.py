"""Finds out what is wrong before a call fails: findings, and the checks that make them.

Each adapter checks its own part, and each kind of PBX itself; here is what they share. A check changes
nothing, and no telephone rings.
"""

import os
import pwd
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)


class Level(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    """As it should be."""
    WARNING = "warning"
    """Calls work, but not as well or as safely as they could; or it could not be checked."""
    ERROR = "error"
    """Calls fail, or their evidence proves nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    level: Level
    """How serious it is."""
    about: str
    """What was checked, in a few words."""
    text: str
    """What was found."""
    fix: str = ""
    """What to change, with the setting or file; empty: nothing."""


class Check(Protocol):
    """Checks one part of the system."""

    @property
    def subject(self) -> str:
        """What is checked, in a few words."""
        ...

    def run(self) -> AsyncIterator[Finding]:
        """Yield each finding as soon as it is known. A broken part is a finding, never an exception.

        Every wait has a deadline. Nothing is changed.
        """
        ...


def passed(about: str, text: str) -> Finding:
    """Return the finding that something is right."""
    return Finding(Level.OK, about, text)


def doubtful(about: str, text: str, fix: str) -> Finding:
    """Return the finding that something could be better, or could not be checked."""
    return Finding(Level.WARNING, about, text, fix)


def failed(about: str, text: str, fix: str) -> Finding:
    """Return the finding that something makes calls fail."""
    return Finding(Level.ERROR, about, text, fix)


def user_name() -> str:
    """Return the name of the user as whom this runs; its number where it has none."""
    with suppress(KeyError):  # a container's user need not have a name
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())


def look_at_own_folder(about: str, folder: Path, *, setting: str, mode: str) -> Finding | None:
    """Return the finding that the daemon cannot write in `folder` or create it; None: it can.

    Checked as the current user. `mode` is the mode that an admin is told to give the folder.
    """
    me = user_name()
    if folder.is_dir():
        if os.access(folder, os.W_OK | os.X_OK):
            return None
        fix = f"{setting}; look as the daemon's user; if that is {me}: chown {me} {folder}, as root"
        return failed(about, f"{folder} cannot be written", fix)
    above = next(one for one in folder.parents if one.exists())
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return None
    fix = f"as root, where it is a tmpfs after each boot: install -d -o {me} -m {mode} {folder}"
    return failed(about, f"{folder} does not exist, and cannot be made in {above}", fix)


async def run(checks: Sequence[Check], begin: Callable[[str], None]) -> AsyncIterator[Finding]:
    """Yield the findings of all checks, in their order; `begin` is given each subject before its check
    runs."""
    for check in checks:
        begin(check.subject)
        try:
            async for finding in check.run():
                yield finding
        except Exception as error:  # a fault of one check hides no findings of the others
            log.exception("check failed", subject=check.subject)
            why = str(error) or type(error).__name__
            yield failed(check.subject, f"could not be checked: {why}", "report this as a fault of ours")
