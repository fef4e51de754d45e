"""Webhooks, as part of the client; for admins.

The one for asyncio is the source; `make client` writes the blocking one from it.
"""

from collections.abc import Sequence

from voicegate.client import webhook_models as requests
from voicegate.client.async_factors import AsyncSender
from voicegate.client.webhook_models import ReplayedMessages, Webhook, WebhookMessage, WebhookTest


class AsyncWebhooks:
    """Programs that are told of calls and verifications."""

    def __init__(self, send: AsyncSender) -> None:
        self._send = send

    async def list(self) -> Sequence[Webhook]:
        """Return the webhooks of the settings, with how many messages are in which state."""
        return (await self._send(requests.webhooks())).webhooks

    async def messages(
        self, limit: int = 50, *, webhook: str | None = None, state: str | None = None
    ) -> Sequence[WebhookMessage]:
        """Return the newest messages first, at most `limit`."""
        return (await self._send(requests.messages(limit, webhook, state))).messages

    async def replay(self, name: str, message_id: str | None = None) -> ReplayedMessages:
        """Have a webhook's messages sent again: one, or all that were given up."""
        return await self._send(requests.replay(name, message_id))

    async def test(self, name: str) -> WebhookTest:
        """Have a test message sent now, and return what the receiver said."""
        return await self._send(requests.test(name))
