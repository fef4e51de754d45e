"""Trunks that an admin has drained: they get no new calls, and those in progress go on to their end.

Drained trunks are kept in the database, so that they stay drained after a restart. Their names are also kept
in memory, because every choice of a route asks for them.
"""

from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Drain:
    """A trunk that gets no new calls."""

    trunk: str
    """The trunk's name in the settings."""
    at: datetime
    """When it was drained."""
    client: str
    """Who drained it."""
    reason: str
    """Why, in their own words."""


class DrainRows(Protocol):
    """What a transaction does with drained trunks."""

    def drains(self) -> Sequence[Drain]:
        """Return the trunks that are drained, by name."""
        ...

    def save_drain(self, drain: Drain) -> None:
        """Store that a trunk is drained; instead of an earlier entry about it."""
        ...

    def remove_drain(self, trunk: str) -> None:
        """Store that a trunk is not drained."""
        ...


class Drains:
    """The drained trunks, in memory."""

    def __init__(self) -> None:
        self._drains: dict[str, Drain] = {}
        self.removed: frozenset[str] = frozenset()
        """Trunks that a reload took out of the settings: some of their calls may still be in progress."""

    @property
    def trunks(self) -> Set[str]:
        """The names of the trunks that get no new calls."""
        return self._drains.keys() | self.removed

    def of(self, trunk: str) -> Drain | None:
        """Return how a trunk is drained; None: it is not."""
        return self._drains.get(trunk)

    def replace_all(self, drains: Collection[Drain]) -> None:
        """Remember these drained trunks, and no others."""
        self._drains = {drain.trunk: drain for drain in drains}
