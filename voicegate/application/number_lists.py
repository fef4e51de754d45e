"""The lists of numbers: trusted, blocked, not to be called, reported. Each change has a reason, which the
audit keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from voicegate.application.audit import Audit
from voicegate.application.ports import Clock
from voicegate.application.store_port import Store
from voicegate.application.unit_of_work import ALLOWED, NotFound, UnitOfWork, UnitsOfWork
from voicegate.domain.client import Principal
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import ListedNumber, NumberList


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A number to put on a list."""

    list: NumberList
    """The list."""
    destination: Destination
    """The number; its extension does not matter."""
    reason: str
    """Why."""
    expires_at: datetime | None = None
    """Until when; None: until it is removed."""
    client: str = ""
    """The client that it counts for; empty: all clients."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A number is on a list."""

    entry: ListedNumber
    """As it is stored."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A number is on a list no longer."""

    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


class NumberLists:
    """Puts numbers on lists, and takes them off; for admins."""

    def __init__(self, *, store: Store, units: UnitsOfWork, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._units = units
        self._audit = audit
        self._clock = clock

    async def add(self, principal: Principal, request: ListRequest) -> Listed:
        """Put a number on a list, in the place of an older entry."""
        return await self._units.do(principal, f"number.{request.list}", add_within, request)

    async def remove(self, principal: Principal, request: ListRequest) -> Removed | NotFound:
        """Take a number off a list; only `list`, `destination`, `reason` and `client` matter."""
        return await self._units.do(principal, "number.remove", _remove, request)

    async def find(self, number: str) -> Sequence[ListedNumber]:
        """Return what the lists say about one number, which is given in full; what is over is left out."""
        found = await self._store.listed_numbers(self._audit.digests(number), None)
        return self._present(found)

    async def all(self, kind: NumberList | None = None) -> Sequence[ListedNumber]:
        """Return all numbers that are on lists, or on one list, the newest first, at most a thousand."""
        return self._present(await self._store.listed_numbers(None, kind))

    def _present(self, found: Sequence[ListedNumber]) -> Sequence[ListedNumber]:
        now = self._clock.now()
        return [one for one in found if one.expires_at is None or now < one.expires_at]


def add_within(unit: UnitOfWork, request: ListRequest) -> Listed:
    """Put a number on a list, inside `unit`."""
    unit.destination, unit.reason = request.destination, request.reason
    unit.subject = request.client or None
    number = request.destination.number
    digests = unit.digests_of(number)
    # An entry that was made with an older key would stay beside the new one.
    unit.tx.unlist(request.list, digests, request.client)
    entry = ListedNumber(
        list=request.list,
        number=request.destination.masked,
        digest=digests[0],
        reason=request.reason,
        listed_by=unit.principal.name,
        listed_at=unit.now,
        expires_at=request.expires_at,
        client=request.client,
    )
    unit.tx.add_listed(entry)
    return Listed(entry)


def _remove(unit: UnitOfWork, request: ListRequest) -> Removed | NotFound:
    unit.destination, unit.reason = request.destination, request.reason
    unit.subject = request.client or None
    digests = unit.digests_of(request.destination.number)
    return Removed() if unit.tx.unlist(request.list, digests, request.client) else NotFound()
