"""Who asks: a client by name, its scopes, and its API keys.

An API key is long and random. So its plain SHA-256 digest is enough to store: there is no dictionary to try.
How a key is written in a request is up to the doors. A record belongs to the client that created it; only an
admin sees the records of others.
"""

import hmac
from dataclasses import dataclass, field, replace
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
    """Hand over codes of its own to be spoken."""
    ADMIN = "admin"
    """All of this for every client's records, and manage the clients."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, in one request."""

    name: str
    """The client's name; its records are stored under it."""
    scopes: frozenset[Scope]
    """What it may do."""
    request_id: str = ""
    """The request's id, for the audit."""
    end_user_ip: str | None = field(default=None, repr=False)
    """The address of the person for whom it asks, by which calls are counted; None: it does not tell."""

    @property
    def is_admin(self) -> bool:
        """Return whether it may use every client's records."""
        return Scope.ADMIN in self.scopes

    def may(self, scope: Scope) -> bool:
        """Return whether it has a scope."""
        return self.is_admin or scope in self.scopes

    def owns(self, client: str) -> bool:
        """Return whether it may see and change the records of `client`."""
        return self.is_admin or client == self.name


@dataclass(frozen=True, slots=True)
class Client:
    """A program that may ask, by API key."""

    name: str
    """Its name, never used again: the records of a revoked client stay under it."""
    scopes: frozenset[Scope]
    """What it may do."""
    created_at: datetime
    """When it was added."""
    revoked_at: datetime | None = None
    """When it was revoked; None: it is not."""


@dataclass(frozen=True, slots=True)
class ClientKey:
    """One API key of a client, as it is stored."""

    id: str
    """The public part of the key, by which it is found."""
    client: str
    """The client that it belongs to."""
    digest: bytes
    """The digest of the whole key; empty when the key is over."""
    created_at: datetime
    """When it was made."""
    expires_at: datetime | None = None
    """When it stops working; None: when it is rotated or its client is revoked."""
    retired_at: datetime | None = None
    """When it was rotated; None: it was not."""

    def is_valid(self, now: datetime) -> bool:
        """Return whether the key works at `now`."""
        return self.expires_at is None or now < self.expires_at

    def retire(self, now: datetime, grace: timedelta) -> "ClientKey":
        """Return the key as one that works for `grace` at most, from now on."""
        until = now + grace if self.expires_at is None else min(now + grace, self.expires_at)
        return replace(self, expires_at=until, retired_at=now).as_of(now)

    def as_of(self, now: datetime) -> "ClientKey":
        """Return the key as it is at `now`.

        A key that is over loses its digest, so that a clock that is set back cannot make it valid again. If
        the clock was set back during the grace time, the grace time begins again.
        """
        if self.expires_at is None:
            return self
        if now >= self.expires_at:
            return replace(self, digest=b"")
        if self.retired_at is not None and self.retired_at > now:
            return replace(self, expires_at=now + (self.expires_at - self.retired_at), retired_at=now)
        return self


def digest(key: str) -> bytes:
    """Return the digest that is stored of an API key."""
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def matches(key: str, expected: bytes) -> bool:
    """Return whether `key` has this digest, in constant time."""
    return hmac.compare_digest(digest(key), expected)
