"""Who asks: a client by name, what it may do, and the keys that stand for it.

A key is long and random, so that its plain SHA-256 digest is all that need be kept: there is no dictionary
to try. How a key is written in a request is its door's affair. Whose a thing is follows from the name
that it was made under; only an admin sees what is others'.
"""

import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256


class Scope(StrEnum):
    """What a client may do."""

    VERIFICATIONS = "verifications"
    """Call a number with a code, and check it."""
    FACTORS = "factors"
    """Enroll, challenge and reset subscribers' telephones."""
    HOOKS = "hooks"
    """Hand over a code of its own to be spoken."""
    ADMIN = "admin"
    """All of that for every client's things, and the clients themselves."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, in one request."""

    name: str
    """The client's name, under which what it makes is kept."""
    scopes: frozenset[Scope]
    """What it may do."""
    request_id: str = ""
    """The request's id, for the audit."""

    @property
    def is_admin(self) -> bool:
        """Does everything belong to it?"""
        return Scope.ADMIN in self.scopes

    def may(self, scope: Scope) -> bool:
        """May it do such things at all?"""
        return self.is_admin or scope in self.scopes

    def owns(self, client: str) -> bool:
        """May it see and touch what `client` made?"""
        return self.is_admin or client == self.name


@dataclass(frozen=True, slots=True)
class Client:
    """A program that may ask, by key."""

    name: str
    """Its name, unique for ever: what a revoked client made stays under it."""
    scopes: frozenset[Scope]
    """What it may do."""
    created_at: datetime
    """When it was added."""
    revoked_at: datetime | None = None
    """Since when it may ask nothing; None: it may."""


@dataclass(frozen=True, slots=True)
class ClientKey:
    """One key of a client, as it is kept."""

    id: str
    """The key's public part, by which it is found."""
    client: str
    """Whose it is."""
    digest: bytes
    """What the whole key must hash to; empty once the key is over."""
    created_at: datetime
    """When it was made."""
    expires_at: datetime | None = None
    """From then on it is worth nothing; None: until it is rotated out or its client revoked."""
    retired_at: datetime | None = None
    """When it was rotated out; None: it was not."""

    def is_valid(self, now: datetime) -> bool:
        """Does it still stand for its client?"""
        return self.expires_at is None or now < self.expires_at

    def retire(self, now: datetime, grace: timedelta) -> "ClientKey":
        """Return it as one that lives for `grace` at most, from now on."""
        until = now + grace if self.expires_at is None else min(now + grace, self.expires_at)
        return replace(self, expires_at=until, retired_at=now).as_of(now)

    def as_of(self, now: datetime) -> "ClientKey":
        """Return it as time leaves it. One that is over forgets its digest, so that no clock that is set back
        brings it to life; where the clock was set back during its grace, that begins again from now."""
        if self.expires_at is None:
            return self
        if now >= self.expires_at:
            return replace(self, digest=b"")
        if self.retired_at is not None and self.retired_at > now:
            return replace(self, expires_at=now + (self.expires_at - self.retired_at), retired_at=now)
        return self


def digest(key: str) -> bytes:
    """Return what is kept of a key."""
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def matches(key: str, expected: bytes) -> bool:
    """Is that the key? Takes the same time whatever the answer."""
    return hmac.compare_digest(digest(key), expected)
