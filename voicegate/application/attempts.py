"""What became of the calls that services asked for: one by one, and how many of their codes were entered.

A client sees its own, an admin all. Calls to test numbers count for nothing here.
"""

from collections.abc import Sequence
from dataclasses import replace

from voicegate.application.listing import Attempt, AttemptFilter, Summary
from voicegate.application.store_port import Store
from voicegate.domain.client import Principal


class Attempts:
    """The questions about services' calls."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, principal: Principal, wanted: AttemptFilter, limit: int) -> Sequence[Attempt]:
        """Return the newest calls first."""
        return await self._store.attempts(_own(principal, wanted), limit)

    async def find(self, principal: Principal, call_id: str) -> Attempt | None:
        """Return one call, to a test number too; None: no service asked for such a one."""
        wanted = AttemptFilter(call_id=call_id, with_tests=True)
        return next(iter(await self.list(principal, wanted, 1)), None)

    async def summarise(self, principal: Principal, wanted: AttemptFilter) -> Summary:
        """Return the figures of calls."""
        return await self._store.summary(_own(principal, wanted))


def _own(principal: Principal, wanted: AttemptFilter) -> AttemptFilter:
    return wanted if principal.is_admin else replace(wanted, client=principal.name)
