"""A wake-up for everybody who waits for the next change of a call or of a connection.

Only the waking belongs here; what changed, those who wait look up themselves. Why not asyncio.Condition: its
`notify_all` must be awaited under a lock, and most changes come from callbacks, which cannot await.
"""

import asyncio
from collections.abc import Callable


class Changes:
    """Wakes all who wait, at each change."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    @property
    def next(self) -> asyncio.Event:
        """What the next change sets; taken before a look at the state, it misses no change after the look."""
        return self._next

    def tell(self) -> None:
        """Wake all who wait. Does not block."""
        self._next.set()
        # A new one instead of `clear`: who was woken and has not run yet must find it set.
        self._next = asyncio.Event()

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait until `is_so` holds, which is looked at now and after each change."""
        while not is_so():
            await self._next.wait()
