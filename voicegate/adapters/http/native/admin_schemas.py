"""Requests and answers for admins as msgspec types: clients, their keys, the audit. Otherwise as
`schemas`."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from voicegate.adapters.http.schemas import Discreet
from voicegate.domain.client import Scope

ClientName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z",
        description="A client's name; it is never given twice.",
        examples=["web-login"],
    ),
]
Scopes = Annotated[list[Scope], Meta(min_length=1, max_length=len(Scope), description="What it may do.")]


class _Request(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a client sends."""


class _Answer(Struct, kw_only=True, frozen=True):
    """What we answer."""


class NewClient(_Request, kw_only=True, frozen=True):
    """A program that is to ask by key."""

    name: ClientName
    scopes: Scopes


class Rotation(_Request, kw_only=True, frozen=True):
    """How a client gets another key."""

    grace_s: Annotated[
        int, Meta(ge=0, le=30 * 86400, description="Seconds for which its present keys stay valid.")
    ] = 0


class AuditQuery(_Request, kw_only=True, frozen=True):
    """Which audit entries to list."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Entries to list at most.")] = 50
    before: (
        Annotated[int, Meta(ge=1, le=2**53, description="Only entries with a lower id: a page's `next`.")]
        | None
    ) = None
    client: Annotated[str, Meta(max_length=64, description="Only what this client asked.")] | None = None
    action: Annotated[str, Meta(max_length=64, examples=["verification.create"])] | None = None
    decision: Annotated[str, Meta(max_length=64, examples=["allowed"])] | None = None
    number: (
        Annotated[str, Meta(max_length=32, description="Only about this destination, written in full.")]
        | None
    ) = None
    subject: (
        Annotated[str, Meta(max_length=255, description="Only about what has this id or name.")] | None
    ) = None
    subscriber: Annotated[str, Meta(max_length=255, description="Only about this subscriber.")] | None = None
    reference: Annotated[str, Meta(max_length=200, description="Only with this note.")] | None = None
    trunk: (
        Annotated[str, Meta(max_length=64, description="Only about this trunk, or a call that began by it.")]
        | None
    ) = None
    since: Annotated[datetime, Meta(tz=True, description="Only entries made then or later.")] | None = None
    until: Annotated[datetime, Meta(tz=True, description="Only entries made earlier.")] | None = None


class KeyView(_Answer, kw_only=True, frozen=True):
    """A key, but for its secret."""

    id: Annotated[str, Meta(description="The key's first part, which identifies it.")]
    created_at: datetime
    expires_at: Annotated[datetime, Meta(description="When it ends or ended; null: not yet known.")] | None


class ClientView(_Answer, kw_only=True, frozen=True):
    """A client with its keys."""

    name: str
    scopes: list[Scope]
    created_at: datetime
    revoked_at: Annotated[datetime, Meta(description="When it was revoked; null: it is active.")] | None
    keys: Annotated[list[KeyView], Meta(description="Its keys, oldest first.")]


class ClientList(_Answer, kw_only=True, frozen=True):
    """All clients that ask by key, by name."""

    clients: list[ClientView]


class GivenKey(Discreet, kw_only=True, frozen=True):
    """A client's new key, shown this once."""

    name: str
    scopes: list[Scope]
    key: Annotated[str, Meta(description="What the client must send. It is not stored.")]


class Revoked(_Answer, kw_only=True, frozen=True):
    """A client that may ask nothing any more."""

    name: str
    revoked_at: datetime


class AuditView(_Answer, kw_only=True, frozen=True):
    """Who asked for what, and what was decided."""

    id: int
    at: datetime
    client: str
    request_id: str
    action: Annotated[str, Meta(examples=["verification.create", "factor.reset"])]
    decision: Annotated[str, Meta(description="`allowed`, a guess's result, or why not.")]
    rule: Annotated[str, Meta(description="The rule that refused it, by the setting that holds it.")] | None
    reason: Annotated[str, Meta(description="Why, in the admin's own words.")] | None
    subject: Annotated[str, Meta(description="The id of what it was about.")] | None
    number: Annotated[str, Meta(description="The number it was about, masked.")] | None
    subscriber: Annotated[str, Meta(description="The subscriber it was about.")] | None
    reference: Annotated[str, Meta(description="The client's own note.")] | None
    trunk: Annotated[str, Meta(description="The trunk it was about, or by which a call was to begin.")] | None


class AuditList(_Answer, kw_only=True, frozen=True):
    """Audit entries, newest first."""

    entries: list[AuditView]
    next: Annotated[int, Meta(description="`before` of the next page; null: no more.")] | None
