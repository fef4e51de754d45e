"""What became of the calls that services asked for: one by one, and how many of their codes were entered.

A client sees its own, an admin all. Calls to test numbers count for nothing here.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from voicegate.application.storing import Attempt, AttemptFilter, Conversion, Store
from voicegate.domain.client import Asker
from voicegate.domain.phone_number import Destination


@dataclass(frozen=True, slots=True)
class Summary:
    """How calls fared together."""

    attempts: int
    """How many."""
    converted: int
    """How many of them had their code entered."""


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

    async def summarise(self, asker: Asker, wanted: AttemptFilter, country: str | None = None) -> Summary:
        """Return how the calls fared, to one country if given."""
        counted = await self._store.conversions(_own(asker, wanted))
        if country is not None:
            # In a thread: to tell the countries of very many numbers would hold up the calls.
            counted = await asyncio.to_thread(_in_country, counted, country)
        return Summary(sum(entry.attempts for entry in counted), sum(entry.converted for entry in counted))


def _in_country(counted: Sequence[Conversion], country: str) -> Sequence[Conversion]:
    return [entry for entry in counted if Destination(entry.number).country == country]


def _own(asker: Asker, wanted: AttemptFilter) -> AttemptFilter:
    return wanted if asker.is_admin else replace(wanted, client=asker.name)
