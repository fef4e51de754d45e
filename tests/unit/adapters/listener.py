"""Who hears a PBX's events in tests of either kind of connection."""

import asyncio
from typing import Generic, TypeVar

E = TypeVar("E")


class Listener(Generic[E]):
    """Follows, and breaks when it is told to."""

    def __init__(self) -> None:
        self.heard: list[E] = []
        self.news = asyncio.Event()
        self.is_broken = False

    def on_event(self, event: E) -> None:
        if self.is_broken:
            self.is_broken = False
            raise RuntimeError("a fault in handling")
        self.heard.append(event)
        self.news.set()

    async def on_ready(self) -> None:
        """Nothing to resync."""

    def on_lost(self) -> None:
        """Nothing to lose."""
