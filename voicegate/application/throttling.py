"""Limits how often a message is logged, for messages that strangers can cause without end."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Final

_DEFAULT_INTERVAL: Final = timedelta(seconds=10)


class Throttle:
    """Lets one message through in each interval, and counts those in between.

    One for each kind of message. `monotonic` returns seconds of any clock that only goes forward.
    """

    def __init__(
        self, interval: timedelta = _DEFAULT_INTERVAL, monotonic: Callable[[], float] = monotonic
    ) -> None:
        self._interval = interval.total_seconds()
        self._monotonic = monotonic
        self._next_at: float | None = None
        self._held_back = 0

    def admit(self) -> int | None:
        """Return how many messages were held back since the last one; None: this one is held back too."""
        now = self._monotonic()
        if self._next_at is not None and now < self._next_at:
            self._held_back += 1
            return None
        held_back, self._held_back, self._next_at = self._held_back, 0, now + self._interval
        return held_back
