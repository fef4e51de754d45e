"""What the limits on calls need of a transaction, and what it must promise; a part of `store_port`."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Protocol

from voicegate.domain.policy.velocity import Counter


class CallVolume(Protocol):
    """How many calls were placed lately, by counter."""

    def volume(self, counter: Counter, since: datetime) -> Mapping[datetime, int]:
        """Make other transactions that want the same counter wait until this one is over; return its calls by
        slot of time, those that began after `since`."""
        ...

    def add_volume(self, counters: Sequence[Counter], slot: datetime) -> None:
        """Count one call in each counter, in a slot of time."""
        ...

    def unproven(self, numbers: Sequence[str], *, client: str, since: datetime) -> Set[str]:
        """Return those of the numbers that a client called after `since`, and that proved no code."""
        ...
