"""Wakes everybody who waits for the next change of a call or of a connection.

It carries no facts: those who wake look for themselves. Why not asyncio.Condition: its `notify_all` must be
awaited under a lock, and most changes come from callbacks, which cannot await.
"""

import asyncio
from collections.abc import Callable


class Changes:
    """Wakes all waiting tasks at each change."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    @property
    def next(self) -> asyncio.Event:
        """Return the event that the next change sets. Take it before looking at the state, so that no change
        is missed."""
        return self._next

    def tell(self) -> None:
        """Wake all waiting tasks. Does not block."""
        self._next.set()
        # A new one instead of `clear`: who was woken and has not run yet must find it set.
        self._next = asyncio.Event()

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait until `is_so` returns true; it is called now and after each change."""
        while not is_so():
            await self._next.wait()
