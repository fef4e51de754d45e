"""Warnings that unidentified senders can cause: the first of each address are logged at once, the rest are
counted.

Without this, anybody could fill the log's disk. Each address is counted by itself, so that one that floods
hides none of another. Once as many addresses as are kept apart come at the same time, further ones share one
count. A summary says how often it happened, and the facts of the last time.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

log = structlog.get_logger(__name__)

SUM_UP_EVERY_S: Final = 10.0
AUTHENTICATION_FAILED: Final = "authentication failed"
"""The one event of requests without valid credentials, for fail2ban and its like: its name, its field
`address` as the line's first and `why` as the second stay as they are."""
MAX_APART: Final = 256
"""Addresses that are counted apart, for each kind of warning; bounds memory and what a crowd may log."""
_FIRST: Final = 10
"""Failed authentications of an address that are each logged: what counts lines sees so many at once."""
_MAX_ADDRESSES: Final = 1000


@dataclass(slots=True)
class _Count:
    """What an address, or those that share a count, did since it was last logged."""

    due: asyncio.TimerHandle
    logged: int = 1
    times: int = 0
    addresses: set[str] = field(default_factory=set)
    facts: dict[str, object] = field(default_factory=dict)


_Key = tuple[str, str | None]
"""A kind of warning, and an address; None: the count that many share."""


class ThrottledLog:
    """Logs each kind of warning of an address at once, and then at most once in ten seconds.

    `on_failure` is told why an authentication failed, each time.
    """

    def __init__(self, on_failure: Callable[[str], None] = lambda _why: None) -> None:
        self._counts: dict[_Key, _Count] = {}
        self._apart: Counter[str] = Counter()
        self._on_failure = on_failure

    def authentication_failed(self, address: str | None, why: str) -> None:
        """Log that somebody could not be authenticated; `why` is one of few words, never what was sent."""
        self._on_failure(why)
        self._note(AUTHENTICATION_FAILED, {"address": address, "why": why}, first=_FIRST)

    def warn(self, event: str, address: str | None, **facts: object) -> None:
        """Log a warning, or count it for the next summary."""
        self._note(event, {"address": address, **facts}, first=1)

    def close(self) -> None:
        """Log what was counted."""
        for key in list(self._counts):
            self._counts[key].due.cancel()
            self._sum_up(self._counts.pop(key), key)
        self._apart.clear()

    def _note(self, event: str, facts: dict[str, object], *, first: int) -> None:
        address = facts["address"]
        own = (event, str(address)) if address is not None else (event, None)
        key = own if own in self._counts or self._apart[event] < MAX_APART else (event, None)
        count = self._counts.get(key)
        if count is None:
            log.warning(event, **facts)
            self._open(key)
        elif count.logged < first and key[1] is not None:
            log.warning(event, **facts)
            count.logged += 1
        else:
            count.times += 1
            count.facts = facts
            if address is not None and len(count.addresses) < _MAX_ADDRESSES:
                count.addresses.add(str(address))

    def _open(self, key: _Key, logged: int = 1) -> None:
        due = asyncio.get_running_loop().call_later(SUM_UP_EVERY_S, self._look_again, key)
        self._counts[key] = _Count(due, logged)
        self._apart[key[0]] += key[1] is not None

    def _look_again(self, key: _Key) -> None:
        count = self._counts.pop(key)
        self._apart[key[0]] -= key[1] is not None
        if count.times:
            self._sum_up(count, key)
            self._open(key, count.logged)

    def _sum_up(self, count: _Count, key: _Key) -> None:
        if count.times:
            log.warning(key[0], **count.facts, times=count.times, addresses=len(count.addresses))
