"""Finding out what is wrong before a call does: findings, and what makes them.

Each adapter checks what it knows, and each kind of PBX itself; here is only what they share. Nothing
is changed by looking, and no telephone rings.
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
    """How bad it is."""

    OK = "ok"
    """As it should be."""
    WARNING = "warning"
    """Calls work, but not as well or as safely as they could; or it could not be seen."""
    ERROR = "error"
    """Calls fail, or prove nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    """How bad it is."""
    about: str
    """What was looked at, in a few words."""
    text: str
    """What was found."""
    fix: str = ""
    """What to change, naming the setting or file; "" when nothing is to be done."""


class Check(Protocol):
    """Looks at one part of the house."""

    @property
    def subject(self) -> str:
        """What is checked, in a few words."""
        ...

    def run(self) -> AsyncIterator[Finding]:
        """Yield what is found, as it is found; what is broken is a finding, never an exception.

        Every wait has a deadline. Nothing is changed.
        """
        ...


def passed(about: str, text: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Level.OK, about, text)


def doubtful(about: str, text: str, fix: str) -> Finding:
    """Return that something could be better, or could not be seen."""
    return Finding(Level.WARNING, about, text, fix)


def failed(about: str, text: str, fix: str) -> Finding:
    """Return that something makes calls fail."""
    return Finding(Level.ERROR, about, text, fix)


def look_at_own_folder(about: str, folder: Path, *, setting: str, mode: str) -> Finding | None:
    """Return why the daemon could not write in `folder`, or make it; None: it can. As the user who asks.

    `mode` is what an admin who makes it is told to give it.
    """
    me = str(os.geteuid())
    with suppress(KeyError):  # a container's user need not have a name
        me = pwd.getpwuid(os.geteuid()).pw_name
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
    """Yield what every check finds, in their order; `begin` hears each subject before its turn."""
    for check in checks:
        begin(check.subject)
        try:
            async for finding in check.run():
                yield finding
        except Exception as error:  # a fault of one check hides no findings of the others
            log.exception("check failed", subject=check.subject)
            why = str(error) or type(error).__name__
            yield failed(check.subject, f"could not be checked: {why}", "report this as a fault of ours")
