"""Tells of changes: wakes whoever waits for the next change of a challenge.

It carries no facts, only that there is something new; the facts are read from the store. One controller has
one notifier. A store that many controllers share will need a way to wake the others.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class ChangeNotifier:
    """Wakes the waiters of a challenge when it changes."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[asyncio.Event]] = {}

    def announce(self, challenge_id: str, *, apart_from: asyncio.Event | None = None) -> None:
        """Wake everyone who watches this challenge, apart from the one who made the change."""
        for change in self._watchers.get(challenge_id, ()):
            if change is not apart_from:
                change.set()

    @contextmanager
    def watching(self, challenge_id: str) -> Iterator[asyncio.Event]:
        """Return an event that the challenge's next change sets; enter the context before reading the
        store."""
        change = asyncio.Event()
        watchers = self._watchers.setdefault(challenge_id, set())
        watchers.add(change)
        try:
            yield change
        finally:
            watchers.discard(change)
            if not watchers and self._watchers.get(challenge_id) is watchers:
                del self._watchers[challenge_id]
