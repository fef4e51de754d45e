"""What the daemon answers about pages for people, and what it is asked.

What each field means stands in the daemon's `/openapi.json`.
"""

from datetime import datetime
from typing import TypedDict

from msgspec import Struct

from voicegate.client.requests import Request, without_none


class PageSession(Struct, kw_only=True):
    """Where to send a person's browser; keep `state` in the session that it has with you."""

    id: str
    url: str
    state: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"PageSession({self.id})"


class PageFactor(Struct, kw_only=True):
    """The person's telephone, its number masked."""

    id: str
    status: str
    destination: str
    has_extension: bool
    created_at: datetime


class PageOutcome(Struct, kw_only=True):
    """What came of it: `result` is signed_in, enrolled, replaced or not_me."""

    id: str
    subscriber: str
    purpose: str
    result: str
    verified_at: datetime | None = None
    factor: PageFactor | None = None
    consent_version: str | None = None
    reference: str | None = None


class PageOptions(TypedDict, total=False):
    """What a page session may have beside subscriber and purpose; absent: none."""

    return_url: str | None
    language: str | None
    reference: str | None
    alternative_url: str | None


def create(subscriber: str, purpose: str, options: PageOptions) -> Request[PageSession]:
    """Ask for a page session."""
    body = without_none({**options, "subscriber": subscriber, "purpose": purpose})
    return Request("POST", "/v1/page-sessions", PageSession, body=body)


def redeem(result_code: str, state: str) -> Request[PageOutcome]:
    """Ask what came of a page session."""
    body = {"result_code": result_code, "state": state}
    return Request("POST", "/v1/page-sessions/redeem", PageOutcome, body=body)
