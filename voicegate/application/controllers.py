"""Several controllers on one database: each says again and again that it lives, and takes over the calls of
one that has died.

A call belongs to the controller that stored it. While that one is present, nobody else changes the call. Once
it has been silent for `TAKE_AFTER`, another may take a call that has not begun, and place it; what has begun
is ended in the record after `SETTLE_AFTER`, and its telephone is not called again. A controller that was only
cut off finds its calls taken: it can no longer begin one, and hangs up those that it runs. Who judges others
must have been present itself for that long: after an outage of the database, all have time to come back.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from voicegate.application.ports import CallRecord
from voicegate.domain.challenge import ChallengeState

BEAT: Final = timedelta(seconds=2)
"""How often a controller says that it lives."""
GAP: Final = timedelta(seconds=8)
"""Who was silent for longer has not been present without a gap."""
RECEIPTS: Final = "receipts "
"""What a chain of receipts is told from keys by."""
TAKE_AFTER: Final = timedelta(seconds=10)
"""After this silence, another controller takes the calls that have not begun."""
SETTLE_AFTER: Final = timedelta(seconds=30)
"""After this silence, another controller ends the calls that have begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """One run of the daemon."""

    id: str
    """Another one after each start."""
    name: str
    """Where it runs, for people: the host and the socket. A restart has the same."""
    version: str
    """The version of Voicegate."""
    key_ids: Sequence[str]
    """The ids of the keys in its key file, the newest first; last, after `RECEIPTS`, its receipts' chain."""

    def has_keys_of(self, other: "Controller") -> bool:
        """Return whether both have the same keys, and the same chain if both make receipts."""
        own, others = self._split(), other._split()
        return own[0] == others[0] and (not own[1] or not others[1] or own[1] == others[1])

    def _split(self) -> tuple[list[str], list[str]]:
        chains = [one for one in self.key_ids if one.startswith(RECEIPTS)]
        return [one for one in self.key_ids if not one.startswith(RECEIPTS)], chains


@dataclass(frozen=True, slots=True)
class Presence:
    """A controller that is present. The times are the database server's."""

    controller: Controller
    """The controller."""
    started_at: datetime
    """When it first said that it lives."""
    seen_at: datetime
    """When it last did."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A call that its controller left."""

    record: CallRecord
    """The call, with its timeline."""
    place_until: datetime | None = None
    """Until when it may be placed, if it has not begun; None: it may not."""


@dataclass(frozen=True, slots=True)
class Attendance:
    """What a controller learns when it says that it lives."""

    claimed: Sequence[Orphan]
    """Calls that it has taken over, and must place or end."""
    has_returned: bool
    """Was it silent for so long that others may have taken its calls?"""
    others: Sequence[Presence]
    """The other controllers that are present."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What shows that a challenge has changed."""

    revision: int
    """Grows with every change of it or of its calls."""
    state: ChallengeState
    """Its state as stored."""


class ControllerStore(Protocol):
    """What the database knows of controllers. Every method raises StoreError when it cannot be used."""

    async def attend(
        self, controller: Controller, *, is_first: bool = False, may_claim: bool = True
    ) -> Attendance:
        """Store that a controller lives, and give it the calls that have lost theirs, if it may claim some.

        With `is_first`, also those of an earlier run under the same name whose sessions have ended.
        """
        ...

    async def left(self) -> Sequence[Orphan]:
        """Return the controller's own calls that have not ended and are older than `SETTLE_AFTER`.

        What it took over while the answer was lost is among them.
        """
        ...

    async def taken(self, call_ids: Collection[str]) -> Collection[str]:
        """Return those of its calls that another controller has taken over."""
        ...

    async def lines(self) -> Mapping[str, int]:
        """Return how many calls of other controllers are in progress, by trunk."""
        ...

    async def pulse(self, challenge_ids: Collection[str]) -> Mapping[str, Pulse]:
        """Return the state of challenges, by their ids."""
        ...

    async def present(self) -> Sequence[Presence]:
        """Return the controllers that are present, by name."""
        ...

    async def leave(self, controller: Controller) -> None:
        """Store that a controller has stopped. What is left of its calls is taken over at once."""
        ...
