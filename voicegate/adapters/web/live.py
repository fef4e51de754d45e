"""A page's call as server-sent events: the changing part of the page, sent at each change.

Each event has the whole part, so that a slow or reconnected browser misses nothing. Source: HTML Living
Standard, 9.2.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from aiohttp import web

from voicegate.application.ports import ChallengeRecord
from voicegate.domain.errors import StoreError

HEARTBEAT: Final = timedelta(seconds=15)
_STUCK_S: Final = 30.0
_PER_PAGE: Final = 6

Look = Callable[[int | None, timedelta], Awaitable[ChallengeRecord | None]]
"""Return a challenge once its revision is above the first argument, or the time in the second is over."""


@dataclass(slots=True)
class Streams:
    """All event streams that are open."""

    limit: int
    """How many there may be."""
    is_closed: bool = False
    """Is the server stopping?"""
    _waiting: set[asyncio.Task[ChallengeRecord | None]] = field(default_factory=set)
    _pages: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def place(self, page_id: str) -> Iterator[bool]:
        """Open a page's stream, if there is room for it in all and among the tabs of one page."""
        has_room = self._pages.total() < self.limit and self._pages[page_id] < _PER_PAGE
        if not has_room or self.is_closed:
            yield False
            return
        self._pages[page_id] += 1
        try:
            yield True
        finally:
            self._pages -= Counter({page_id: 1})

    async def tell(
        self, response: web.StreamResponse, look: Look, show: Callable[[ChallengeRecord], str]
    ) -> None:
        """Send what `show` makes of each change, until nothing more can happen, the browser disconnects, or
        the server stops."""
        since: int | None = None
        shown = ""
        with suppress(ConnectionError, StoreError, TimeoutError):
            while not self.is_closed:
                record = await self._news(look, since)
                if record is None or record.is_settled:
                    await _send(response, "event: moved\ndata:\n\n")
                    return
                since, text = record.revision, show(record)
                await _send(response, ":\n\n" if text == shown else _event(text))
                shown = text

    def close(self) -> None:
        """End all streams when the server stops; browsers reconnect by themselves."""
        self.is_closed = True
        for task in self._waiting:
            task.cancel()

    async def _news(self, look: Look, since: int | None) -> ChallengeRecord | None:
        wait = timedelta() if since is None else HEARTBEAT
        task = asyncio.ensure_future(look(since, wait))
        self._waiting.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if self.is_closed:
                raise ConnectionResetError from None
            raise
        finally:
            self._waiting.discard(task)


async def _send(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(_STUCK_S):
        await response.write(text.encode())


def _event(text: str) -> str:
    return "event: live\n" + "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
