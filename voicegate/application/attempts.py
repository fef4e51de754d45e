"""What became of the calls that services asked for: one by one, and how many of their codes were entered.

A client sees its own, an admin all. Calls to test numbers count for nothing here.
"""

from collections.abc import Sequence
from dataclasses import replace

from voicegate.application.listing import Attempt, AttemptFilter, Summary
from voicegate.application.storing import Store
from voicegate.domain.client import Asker


class Attempts:
    """The questions about services' calls."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, asker: Asker, wanted: AttemptFilter, limit: int) -> Sequence[Attempt]:
        """Return the newest calls first."""
        return await self._store.attempts(_own(asker, wanted), limit)

    async def find(self, asker: Asker, call_id: str) -> Attempt | None:
        """Return one call, to a test number too; None: no service asked for such a one."""
        wanted = AttemptFilter(call_id=call_id, with_tests=True)
        return next(iter(await self.list(asker, wanted, 1)), None)

    async def summarise(self, asker: Asker, wanted: AttemptFilter) -> Summary:
        """Return how the calls fared."""
        return await self._store.summary(_own(asker, wanted))


def _own(asker: Asker, wanted: AttemptFilter) -> AttemptFilter:
    return wanted if asker.is_admin else replace(wanted, client=asker.name)
