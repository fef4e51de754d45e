"""Tells of changes: wakes whoever waits for the next change of a challenge.

It carries no facts, only that there is something new; the facts are read from the store. One controller has
one notifier. Where several share a database, each passes on to the others what it announces; a signal may be
lost, so each also looks into the store every few seconds (`sharing`).
"""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum


class SignalKind(StrEnum):
    """What a controller tells the others."""

    CHANGED = "changed"
    """A challenge or its calls changed."""
    HANG_UP = "hang_up"
    """The call of a challenge is to be hung up."""
    LINE_FREED = "line_freed"
    """A call has ended."""
    TRUNKS = "trunks"
    """A trunk was drained or resumed."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A word from one controller to the others. It has no secret and no number."""

    kind: SignalKind
    """What it tells."""
    challenge_id: str = ""
    """The challenge that it is about; empty: about none."""


class ChangeNotifier:
    """Wakes the waiters of a challenge when it changes."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self._tell_others: Callable[[Signal], None] = lambda _: None

    def connect(self, tell_others: Callable[[Signal], None]) -> None:
        """Pass on to other controllers what is announced from now on."""
        self._tell_others = tell_others

    def announce(self, challenge_id: str, *, apart_from: asyncio.Event | None = None) -> None:
        """Wake everyone who watches this challenge, through whichever controller, apart from the one who made
        the change."""
        self.wake(challenge_id, apart_from=apart_from)
        self.tell(Signal(SignalKind.CHANGED, challenge_id))

    def tell(self, signal: Signal) -> None:
        """Tell the other controllers something. Does not wait."""
        self._tell_others(signal)

    def wake(self, challenge_id: str, *, apart_from: asyncio.Event | None = None) -> None:
        """Wake everyone who watches this challenge through this controller."""
        for change in self._watchers.get(challenge_id, ()):
            if change is not apart_from:
                change.set()

    @property
    def watched(self) -> Collection[str]:
        """The challenges that are watched now."""
        return self._watchers.keys()

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
