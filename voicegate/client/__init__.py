"""The typed client of the native API, for backends and our own CLI: once blocking, once for asyncio."""

from voicegate.client.answers import (
    ApiError,
    Call,
    Created,
    Evidence,
    Health,
    Judgement,
    Media,
    Problem,
    Step,
    Trunk,
    Unreachable,
    Verification,
)
from voicegate.client.blocking import Client
from voicegate.client.nonblocking import AsyncClient

__all__ = [
    "ApiError",
    "AsyncClient",
    "Call",
    "Client",
    "Created",
    "Evidence",
    "Health",
    "Judgement",
    "Media",
    "Problem",
    "Step",
    "Trunk",
    "Unreachable",
    "Verification",
]
