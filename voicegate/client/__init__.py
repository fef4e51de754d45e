"""The typed client of the native API, for backends and our own CLI: once blocking, once for asyncio."""

from voicegate.client.answers import (
    ApiClient,
    ApiError,
    ApiKey,
    AuditEntry,
    Call,
    Created,
    Evidence,
    GivenKey,
    Health,
    Judgement,
    Media,
    Problem,
    Revoked,
    Step,
    Trunk,
    Unreachable,
    Verification,
)
from voicegate.client.blocking import Client
from voicegate.client.nonblocking import AsyncClient

__all__ = [
    "ApiClient",
    "ApiError",
    "ApiKey",
    "AsyncClient",
    "AuditEntry",
    "Call",
    "Client",
    "Created",
    "Evidence",
    "GivenKey",
    "Health",
    "Judgement",
    "Media",
    "Problem",
    "Revoked",
    "Step",
    "Trunk",
    "Unreachable",
    "Verification",
]
