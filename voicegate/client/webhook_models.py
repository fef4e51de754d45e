"""Webhooks as the daemon tells of them, and the requests for them."""

from datetime import datetime
from urllib.parse import quote

from msgspec import Struct

from voicegate.client.requests import Request, without_none


class Webhook(Struct, kw_only=True):
    """Who is told what, and how many messages are in which state."""

    name: str
    events: list[str]
    pending: int
    delivered: int
    given_up: int
    client: str | None = None


class Webhooks(Struct):
    """All webhooks."""

    webhooks: list[Webhook]


class WebhookMessage(Struct, kw_only=True):
    """A message to a webhook, and what became of it."""

    id: str
    webhook: str
    type: str
    at: datetime
    state: str
    tries: int
    next_at: datetime | None = None
    status: int | None = None
    error: str | None = None


class WebhookMessages(Struct):
    """Messages, newest first."""

    messages: list[WebhookMessage]


class ReplayedMessages(Struct):
    """How many messages are sent again."""

    messages: int


class WebhookTest(Struct, kw_only=True):
    """What a receiver said to a test message."""

    is_accepted: bool
    status: int | None = None
    error: str | None = None


def webhooks() -> Request[Webhooks]:
    """Ask for the webhooks."""
    return Request("GET", "/v1/webhooks", Webhooks)


def messages(limit: int, webhook: str | None, state: str | None) -> Request[WebhookMessages]:
    """Ask for the newest messages."""
    query: dict[str, str | int | float] = {"limit": limit}
    query |= {name: value for name, value in (("webhook", webhook), ("state", state)) if value is not None}
    return Request("GET", "/v1/webhook-messages", WebhookMessages, query=query)


def replay(name: str, message_id: str | None) -> Request[ReplayedMessages]:
    """Ask to have messages sent again."""
    body = without_none({"message_id": message_id})
    return Request("POST", f"{_path(name)}/replay", ReplayedMessages, body=body)


def test(name: str) -> Request[WebhookTest]:
    """Ask to have a webhook tried."""
    return Request("POST", f"{_path(name)}/test", WebhookTest, timeout_s=60)


def _path(name: str) -> str:
    return f"/v1/webhooks/{quote(name, safe='')}"
