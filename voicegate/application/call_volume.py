"""What the limits on calls need from a transaction, with the promises that it must keep; a part of
`store_port`."""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from datetime import date, datetime
from typing import Protocol

from voicegate.domain.policy.conversion import PrefixHold, Tally
from voicegate.domain.policy.spend import Account, Cost, Reservation, SpendKind
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

    def prefix_holds(self, keys: Iterable[str] | None = None) -> Sequence[PrefixHold]:
        """Return the holds on some ranges and countries, all if not given, also those that are over."""
        ...

    def save_prefix_hold(self, hold: PrefixHold) -> None:
        """Store a hold, new or changed."""
        ...


class Conversions(Protocol):
    """How many codes were entered of calls."""

    async def tallies(self, since: datetime) -> Sequence[Tally]:
        """Return how many codes were entered of each client's calls to each range and country after `since`.

        Calls count whose codes can no longer be entered, and that were made since the last hold there was
        over. Not those whose codes the client made itself: whether they were entered is not told.
        """
        ...

    async def prefix_holds(self) -> Sequence[PrefixHold]:
        """Return all holds, also those that are over."""
        ...

    async def spent_on(
        self, day: date, kinds: Collection[SpendKind] = tuple(SpendKind)
    ) -> Sequence[tuple[Account, Cost]]:
        """Return what calls cost in each account of these kinds on a day, those in progress at their worst
        case; the highest costs first, at most a thousand accounts."""
        ...
