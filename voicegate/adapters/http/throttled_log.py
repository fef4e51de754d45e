"""Warnings that unidentified senders can cause: the first of a kind is logged at once, the rest are counted.

Without this, anybody could fill the log's disk. A summary says how often it happened, from how many
addresses, and the facts of the last time.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import structlog

log = structlog.get_logger(__name__)

SUM_UP_EVERY_S: Final = 10.0
_MAX_ADDRESSES: Final = 1000


@dataclass(slots=True)
class _Kind:
    """What happened of one kind of warning since it was last logged."""

    due: asyncio.TimerHandle
    times: int = 0
    addresses: set[str] = field(default_factory=set)
    facts: dict[str, object] = field(default_factory=dict)


class ThrottledLog:
    """Logs each kind of warning at most once in ten seconds."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}

    def warn(self, event: str, address: str | None, **facts: object) -> None:
        """Log a warning, or count it for the next summary."""
        kind = self._kinds.get(event)
        if kind is None:
            log.warning(event, address=address, **facts)
            self._kinds[event] = _Kind(self._later(event))
            return
        kind.times += 1
        kind.facts = {"address": address, **facts}
        if address is not None and len(kind.addresses) < _MAX_ADDRESSES:
            kind.addresses.add(address)

    def close(self) -> None:
        """Log what was counted."""
        for event in list(self._kinds):
            self._kinds[event].due.cancel()
            self._sum_up(self._kinds.pop(event), event)

    def _later(self, event: str) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(SUM_UP_EVERY_S, self._look_again, event)

    def _look_again(self, event: str) -> None:
        kind = self._kinds.pop(event)
        if kind.times:
            self._sum_up(kind, event)
            self._kinds[event] = _Kind(self._later(event))

    def _sum_up(self, kind: _Kind, event: str) -> None:
        if kind.times:
            log.warning(event, **kind.facts, times=kind.times, addresses=len(kind.addresses))
