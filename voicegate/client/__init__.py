"""The typed client, for backends in Python and our own CLI: once blocking, once for asyncio."""

from voicegate.client.async_client import AsyncClient
from voicegate.client.blocking import Client
from voicegate.client.factor_models import Factor, FactorJudgement, FactorPage, FactorVerification
from voicegate.client.models import (
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
    TrunkDrain,
    Unreachable,
    Verification,
)
from voicegate.client.page_models import PageFactor, PageOutcome, PageSession

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
    "FactorJudgement",
    "FactorPage",
    "FactorVerification",
    "GivenKey",
    "Health",
    "Judgement",
    "Media",
    "PageFactor",
    "PageOutcome",
    "PageSession",
    "Problem",
    "Revoked",
    "Step",
    "Trunk",
    "TrunkDrain",
    "Unreachable",
    "Verification",
]
