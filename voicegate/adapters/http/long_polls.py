"""Requests that wait for news, so that a stopping server need not wait for them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class LongPolls:
    """The requests that wait for news; all of them are answered at once when the server stops."""

    _waiting: set[asyncio.Timeout] = field(default_factory=set)
    """One entry for each."""
    _is_closed: bool = False
    """Is the server stopping?"""

    async def run(self, look: Callable[[timedelta], Awaitable[T]], wait: timedelta) -> T:
        """Return what `look` sees, waiting at most `wait` for news, or until the server stops."""
        if self._is_closed or not wait:
            return await look(timedelta())
        cutoff = asyncio.timeout(None)
        try:
            async with cutoff:
                self._waiting.add(cutoff)
                return await look(wait)
        except TimeoutError:
            return await look(timedelta())
        finally:
            self._waiting.discard(cutoff)

    @property
    def is_closed(self) -> bool:
        """Is the server stopping?"""
        return self._is_closed

    def close(self) -> None:
        """Answer everyone who waits."""
        self._is_closed = True
        for cutoff in self._waiting:
            cutoff.reschedule(asyncio.get_running_loop().time())
