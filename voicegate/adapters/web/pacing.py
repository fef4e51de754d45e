"""Limits how many forms one page session sends: each is an entry in the audit, which would fill the disk.

Nobody needs so many, and what counts against a telephone is limited by policy. It is kept in memory, for each
controller apart.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

MAX_FORMS: Final = 120
"""Forms of one page session within the window."""
WINDOW_S: Final = 60.0


class Pace:
    """Counts forms, from the beginning of each window anew."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._counts: Counter[str] = Counter()
        self._until = -math.inf

    def wait_s(self, sender: str) -> int:
        """Count a form; return the seconds after which another one is taken; 0: this one is."""
        now = self._monotonic()
        if now >= self._until:
            self._counts.clear()
            self._until = now + WINDOW_S
        self._counts[sender] += 1
        return 0 if self._counts[sender] <= MAX_FORMS else math.ceil(self._until - now)
