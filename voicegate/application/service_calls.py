"""The calls that services asked for: one by one, and how many of their codes were entered.

A client sees its own calls, an admin sees all. Calls to test numbers are left out of the figures.
"""

from collections.abc import Sequence
from dataclasses import replace

from voicegate.application.listing import ServiceCall, ServiceCallFilter, Summary
from voicegate.application.store_port import Store
from voicegate.domain.client import Principal


class ServiceCalls:
    """Answers questions about services' calls."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(
        self, principal: Principal, wanted: ServiceCallFilter, limit: int
    ) -> Sequence[ServiceCall]:
        """Return the calls that match, newest first, at most `limit`."""
        return await self._store.service_calls(_own(principal, wanted), limit)

    async def find(self, principal: Principal, call_id: str) -> ServiceCall | None:
        """Return one call, also one to a test number; None: unknown, or no service asked for it."""
        wanted = ServiceCallFilter(call_id=call_id, with_tests=True)
        return next(iter(await self.list(principal, wanted, 1)), None)

    async def summarise(self, principal: Principal, wanted: ServiceCallFilter) -> Summary:
        """Return how many calls match, and how many of them had their code entered."""
        return await self._store.summary(_own(principal, wanted))


def _own(principal: Principal, wanted: ServiceCallFilter) -> ServiceCallFilter:
    return wanted if principal.is_admin else replace(wanted, client=principal.name)
