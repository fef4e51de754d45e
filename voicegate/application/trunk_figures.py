"""How trunks' calls went lately: the questions about it, and what they need of the store."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from voicegate.application.ports import Clock
from voicegate.domain.trunk_figures import TrunkFigures


class FigureStore(Protocol):
    """What is read of trunks' calls."""

    async def trunk_figures(self, since: datetime) -> Sequence[TrunkFigures]:
        """Return the sums of calls made at `since` or later, by trunk and country.

        Calls to test numbers do not count, nor those that were never sent to their trunk. The database reads
        the calls of that time by an index on it, and no others.
        """
        ...

    async def sip_failures(self, since: datetime) -> Sequence[tuple[str, int, int]]:
        """Return trunk, SIP status and number of the same calls that ended with a status before the
        answer."""
        ...


class FigureQueries:
    """Answers questions about trunks' calls."""

    def __init__(self, store: FigureStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def by_country(self, window: timedelta) -> Sequence[TrunkFigures]:
        """Return the sums of the calls of this time up to now, by trunk and country."""
        return await self._store.trunk_figures(self._clock.now() - window)

    async def sip_failures(self, trunk: str, window: timedelta) -> Mapping[int, int]:
        """Return how many of a trunk's calls ended with each SIP status before the answer."""
        found = await self._store.sip_failures(self._clock.now() - window)
        return {status: count for name, status, count in found if name == trunk}
