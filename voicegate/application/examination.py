"""Finding out what is wrong before a call does: findings, and what makes them.

Each adapter examines what it knows, a PBX its own kind of exchange; here is only what they share. Nothing
is changed by looking, and no telephone rings.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
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
    cure: str = ""
    """What to change, naming the setting or file; "" when nothing is to be done."""


class Examiner(Protocol):
    """Looks at one part of the house."""

    @property
    def subject(self) -> str:
        """What is examined, in a few words."""
        ...

    def examine(self) -> AsyncIterator[Finding]:
        """Yield what is found, as it is found; what is broken is a finding, never an exception.

        Every wait has a deadline. Nothing is changed.
        """
        ...


def passed(about: str, text: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Level.OK, about, text)


def doubtful(about: str, text: str, cure: str) -> Finding:
    """Return that something could be better, or could not be seen."""
    return Finding(Level.WARNING, about, text, cure)


def failed(about: str, text: str, cure: str) -> Finding:
    """Return that something makes calls fail."""
    return Finding(Level.ERROR, about, text, cure)


async def examine(examiners: Sequence[Examiner], begin: Callable[[str], None]) -> AsyncIterator[Finding]:
    """Yield what every examiner finds, in their order; `begin` hears each subject before its turn."""
    for examiner in examiners:
        begin(examiner.subject)
        try:
            async for finding in examiner.examine():
                yield finding
        except Exception as error:  # one examiner's fault hides no other's findings
            log.exception("examination failed", subject=examiner.subject)
            why = str(error) or type(error).__name__
            yield failed(examiner.subject, f"could not be examined: {why}", "report this as a fault of ours")
