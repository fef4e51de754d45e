"""The typed client, for backends in Python and our own CLI: once blocking, once for asyncio."""

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
from voicegate.client.factor_answers import Factor, FactorCall, FactorChallenge, FactorCode, FactorJudgement
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
    "Factor",
    "FactorCall",
    "FactorChallenge",
    "FactorCode",
    "FactorJudgement",
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
