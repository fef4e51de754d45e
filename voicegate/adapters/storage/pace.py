"""How long a write takes, measured: what those who come now can be told of their wait.

An average over the last seconds of work, from which one stall of the machine is soon gone and never all
there is. What is long ago counts for nothing: then a guess for an idle machine holds, until more is known.
"""

import math
from dataclasses import dataclass
from typing import Final

_MEMORY_S: Final = 2.0
"""After so long a measurement has lost two thirds of its weight."""
_GUESSED_JOBS: Final = 15
_GUESSED_S: Final = 0.05
"""What an idle machine does them in."""


@dataclass(slots=True)
class WritePace:
    """How long jobs take; written by one thread, read by any."""

    at: float
    """When it was noted last, in seconds of any clock."""
    jobs: float = 0.0
    """The jobs that are remembered."""
    seconds: float = 0.0
    """What they took."""

    def note(self, jobs: int, seconds: float, now: float) -> None:
        """Note that so many jobs took so long together."""
        kept = self._kept(now)
        self.jobs, self.seconds, self.at = self.jobs * kept + jobs, self.seconds * kept + seconds, now

    def each_s(self, now: float) -> float:
        """Return how long one takes, in seconds."""
        kept = self._kept(now)
        return (self.seconds * kept + _GUESSED_S) / (self.jobs * kept + _GUESSED_JOBS)

    def _kept(self, now: float) -> float:
        return math.exp(min(0.0, self.at - now) / _MEMORY_S)
