"""What the limits on calls need from a transaction, with the promises that it must keep; a part of
`store_port`."""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date, datetime
from typing import Protocol

from voicegate.domain.policy.spend import Account, Cost, Reservation
from voicegate.domain.policy.velocity import Counter


class CallVolume(Protocol):
    """How many calls were placed lately, by counter."""

    def volume(self, counter: Counter, since: datetime) -> Mapping[datetime, int]:
        """Return a counter's calls by slot of time, for slots that began after `since`.

        Other transactions that read the same counter wait until this one is over.
        """
        ...

    def add_volume(self, counters: Sequence[Counter], slot: datetime) -> None:
        """Count one call in each counter, in a slot of time."""
        ...

    def unproven(self, numbers: Sequence[str], *, client: str, since: datetime) -> Set[str]:
        """Return those of `numbers` that a client called after `since` without any of their codes being
        entered."""
        ...

    def spent(self, accounts: Iterable[Account], day: date) -> Mapping[Account, Cost]:
        """Return what calls cost in each account on a day, those in progress at their worst case.

        Other transactions that read the same account wait until this one is over.
        """
        ...

    def reserve(self, challenge_id: str, reservation: Reservation) -> None:
        """Hold what the challenge's next call may cost. When the call ends, its real cost takes its place."""
        ...
