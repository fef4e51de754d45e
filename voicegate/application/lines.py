"""The lines that calls in progress use, where several controllers share them: the database has the last word.

Which call of a controller is next is decided by `queueing`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from voicegate.application.outbox import NOTHING_TOLD, Told
from voicegate.application.ports import CallRecord


@dataclass(frozen=True, slots=True)
class LineCaps:
    """How many calls of all controllers together there may be."""

    of_trunk: int
    """Calls in progress by the call's trunk."""
    in_progress: int
    """Calls in progress by all trunks."""
    per_second: float
    """Calls by its trunk begun in a second; 0: any number."""

    @property
    def apart(self) -> timedelta:
        """The time from one start to the next."""
        return timedelta(seconds=1 / self.per_second) if self.per_second else timedelta()


@dataclass(frozen=True, slots=True)
class NoLine:
    """The call may not begin now; nothing was stored."""

    retry_after: timedelta | None = None
    """After this time the trunk's pace allows it; None: another call has to end before."""


class LineStore(Protocol):
    """Stores that a call begins."""

    async def begin(self, record: CallRecord, caps: LineCaps, told: Told = NOTHING_TOLD) -> NoLine | None:
        """Store that a call begins, as `record` does; or return why it may not: then nothing is stored.

        Where several controllers share the database, the calls of all count against the caps. One alone
        keeps them by itself.

        Raises:
            CallTaken: another controller has taken the call over; `record` too.
        """
        ...
