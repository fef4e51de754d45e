"""Tells of changes: whoever waits for a challenge's next change is woken.

It carries no facts, only that there are new ones; those are read from the store. One controller has one
notifier; a store shared by many machines will have to wake it from outside.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class ChangeNotifier:
    """Wakes those who wait for a challenge to change."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[asyncio.Event]] = {}

    def announce(self, challenge_id: str) -> None:
        """Wake everyone who watches this challenge."""
        for change in self._watchers.get(challenge_id, ()):
            change.set()

    @contextmanager
    def watching(self, challenge_id: str) -> Iterator[asyncio.Event]:
        """Give an event that the challenge's next change sets; enter before reading the store."""
        change = asyncio.Event()
        watchers = self._watchers.setdefault(challenge_id, set())
        watchers.add(change)
        try:
            yield change
        finally:
            watchers.discard(change)
            if not watchers and self._watchers.get(challenge_id) is watchers:
                del self._watchers[challenge_id]
