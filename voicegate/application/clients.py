"""The clients that ask by API key: added, given new keys, revoked, and recognised.

Only a key's digest is stored; the key itself is told once, in the answer that creates it. Who may do this is
checked by the doors, as for every scope.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

from voicegate.application.ports import Clock, Entropy
from voicegate.application.store_port import ClientRecord, Store
from voicegate.application.unit_of_work import ALLOWED, NotFound, UnitOfWork, UnitsOfWork
from voicegate.domain import client as clients
from voicegate.domain.client import Client, ClientKey, Principal, Scope

KNOWN_FOR: Final = timedelta(seconds=1)
"""How long a client that was found by its key is remembered; a key that is revoked here is forgotten at
once."""
_NO_KEY: Final = clients.digest("")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A client with its new API key."""

    client: Client
    """The client."""
    key: str
    """The API key that it must send; told only this once."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""

    def __repr__(self) -> str:
        return f"NewKey({self.client.name})"


@dataclass(frozen=True, slots=True)
class ClientExists:
    """A client of this name exists, or existed before."""

    decision: ClassVar[str] = "client_exists"
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class ClientRevoked:
    """The client is revoked."""

    client: Client
    """The client."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


class Clients:
    """Adds, changes and recognises clients."""

    def __init__(self, *, store: Store, clock: Clock, entropy: Entropy, units: UnitsOfWork) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._units = units
        self._known: dict[str, tuple[datetime, Client, ClientKey]] = {}

    async def add(self, principal: Principal, name: str, scopes: frozenset[Scope]) -> NewKey | ClientExists:
        """Add a client and give it an API key."""
        return await self._units.do(principal, "client.add", self._add, name, scopes)

    async def rotate(
        self, principal: Principal, name: str, grace: timedelta = timedelta()
    ) -> NewKey | NotFound:
        """Give a client a new API key; its old keys work for `grace` at most."""
        try:
            return await self._units.do(principal, "client.rotate", self._rotate, name, grace)
        finally:
            self._known.clear()

    async def revoke(self, principal: Principal, name: str) -> ClientRevoked | NotFound:
        """Revoke a client; its challenges, factors and calls stay."""
        try:
            return await self._units.do(principal, "client.revoke", _revoke, name)
        finally:
            self._known.clear()

    async def list(self) -> Sequence[ClientRecord]:
        """Return all clients, also revoked ones, by name."""
        return await self._store.clients()

    async def authenticate(self, key: str, request_id: str, name: str | None = None) -> Principal | None:
        """Return the principal for an API key; None: unknown, revoked or expired. With `name`, it must be
        that client's.

        The key is compared by its digest in constant time; an unknown key takes as long as a known one.
        """
        key_id, _, _ = key.rpartition("_")
        # What is no text at all, a header's stray bytes, no database can look for.
        found = await self._find_key(key_id) if key.isascii() else None
        is_key = clients.matches(key, found[1].digest if found else _NO_KEY)
        if found is None or not is_key:
            return None
        client, kept = found
        is_valid = kept.is_valid(self._clock.now()) and client.revoked_at is None
        if not is_valid or name not in (None, client.name):
            return None
        return Principal(client.name, client.scopes, request_id)

    async def named(self, name: str, request_id: str) -> Principal | None:
        """Return the client with a name, when the request was authenticated in another way than by key; None:
        unknown or revoked."""
        found = [record.client for record in await self._store.clients() if record.client.name == name]
        if not found or found[0].revoked_at is not None:
            return None
        return Principal(name, found[0].scopes, request_id)

    async def _find_key(self, key_id: str) -> tuple[Client, ClientKey] | None:
        """Return an API key with its client, as they were at most a second ago; None: unknown."""
        now = self._clock.now()
        at, client, kept = self._known.get(key_id, (None, None, None))
        if at is not None and client is not None and kept is not None and abs(now - at) < KNOWN_FOR:
            return client, kept
        found = await self._store.client_of(key_id)
        if found is not None:
            self._known[key_id] = (now, *found)
        return found

    def _add(self, unit: UnitOfWork, name: str, scopes: frozenset[Scope]) -> NewKey | ClientExists:
        unit.subject = name
        if unit.tx.client(name) is not None:
            return ClientExists()
        client = Client(name, scopes, created_at=unit.now)
        unit.tx.save_client(client)
        return self._give_key(unit, client)

    def _rotate(self, unit: UnitOfWork, name: str, grace: timedelta) -> NewKey | NotFound:
        client = _find(unit, name)
        if client is None:
            return NotFound()
        _retire(unit, client, grace)
        return self._give_key(unit, client)

    def _give_key(self, unit: UnitOfWork, client: Client) -> NewKey:
        key_id = self._entropy.new_id("vgk")
        key = f"{key_id}_{self._entropy.secret()}"
        unit.tx.save_key(ClientKey(key_id, client.name, clients.digest(key), created_at=unit.now))
        return NewKey(client, key)


def _find(unit: UnitOfWork, name: str) -> Client | None:
    unit.subject = name
    client = unit.tx.client(name)
    return None if client is None or client.revoked_at is not None else client


def _revoke(unit: UnitOfWork, name: str) -> ClientRevoked | NotFound:
    client = _find(unit, name)
    if client is None:
        return NotFound()
    _retire(unit, client, timedelta())
    revoked = replace(client, revoked_at=unit.now)
    unit.tx.save_client(revoked)
    return ClientRevoked(revoked)


def _retire(unit: UnitOfWork, client: Client, grace: timedelta) -> None:
    for key in unit.tx.keys(client.name):
        if key.is_valid(unit.now):
            unit.tx.save_key(key.retire(unit.now, grace))
