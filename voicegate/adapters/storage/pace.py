"""How long a write takes, measured: from this, a new request's wait is estimated.

An average over the last seconds of work, in which old measurements lose their weight. So one stall of the
machine is soon forgotten. When nothing was measured for a while, a guess for an idle machine is used.
"""

import math
from dataclasses import dataclass
from typing import Final

_MEMORY_S: Final = 2.0
"""After this time a measurement has lost two thirds of its weight."""
_GUESSED_JOBS: Final = 15
_GUESSED_S: Final = 0.05
"""How long an idle machine takes for `_GUESSED_JOBS`."""


@dataclass(slots=True)
class WritePace:
    """How long jobs take; written by one thread, read by any."""

    at: float
    """The time of the last note, in seconds of any clock."""
    jobs: float = 0.0
    """How many jobs are remembered, each by its weight."""
    seconds: float = 0.0
    """How long they took."""

    def note(self, jobs: int, seconds: float, now: float) -> None:
        """Note that `jobs` jobs took `seconds` together."""
        kept = self._kept(now)
        self.jobs, self.seconds, self.at = self.jobs * kept + jobs, self.seconds * kept + seconds, now

    def each_s(self, now: float) -> float:
        """Return how long one job takes, in seconds."""
        kept = self._kept(now)
        # The guess is always added: without it, one slow job after a pause would be the whole average.
        return (self.seconds * kept + _GUESSED_S) / (self.jobs * kept + _GUESSED_JOBS)

    def _kept(self, now: float) -> float:
        # Never above 1: another thread's `now` can be a little earlier than the last note.
        return math.exp(min(0.0, self.at - now) / _MEMORY_S)
