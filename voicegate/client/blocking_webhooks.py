# Written by `make client`: change async_webhooks.py instead.
"""Webhooks, as part of the client; for admins.

The one for asyncio is the source; `make client` writes the blocking one from it.
"""

from collections.abc import Sequence

from voicegate.client import webhook_models as requests
from voicegate.client.blocking_factors import Sender
from voicegate.client.webhook_models import ReplayedMessages, Webhook, WebhookMessage, WebhookTest


class Webhooks:
    """Programs that are told of calls and verifications."""

    def __init__(self, send: Sender) -> None:
        self._send = send

    def list(self) -> Sequence[Webhook]:
        """Return the webhooks of the settings, with how many messages are in which state."""
        return (self._send(requests.webhooks())).webhooks

    def messages(
        self, limit: int = 50, *, webhook: str | None = None, state: str | None = None
    ) -> Sequence[WebhookMessage]:
        """Return the newest messages first, at most `limit`."""
        return (self._send(requests.messages(limit, webhook, state))).messages

    def replay(self, name: str, message_id: str | None = None) -> ReplayedMessages:
        """Have a webhook's messages sent again: one, or all that were given up."""
        return self._send(requests.replay(name, message_id))

    def test(self, name: str) -> WebhookTest:
        """Have a test message sent now, and return what the receiver said."""
        return self._send(requests.test(name))
