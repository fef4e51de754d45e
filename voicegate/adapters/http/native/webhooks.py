"""The native door's handlers for webhooks: how they do, messages sent again, and one tried."""

from datetime import datetime, timedelta
from typing import Annotated, assert_never

from aiohttp import web
from msgspec import Meta, Struct

from voicegate.adapters.http import problems, request_parsing
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.responses import json_response, unknown
from voicegate.application.outbox import MessageFilter, SendResult, StoredMessage
from voicegate.application.unit_of_work import NotFound
from voicegate.application.webhooks import Replayed, Webhooks
from voicegate.domain.client import Scope
from voicegate.domain.webhook import EventType, MessageState, Webhook


class WebhookView(Struct, kw_only=True, frozen=True):
    """Who is told what, and how many messages are in which state."""

    name: str
    client: Annotated[str, Meta(description="Whose events it is told; null: those of all clients.")] | None
    events: list[EventType]
    pending: int
    delivered: int
    given_up: int


class WebhookList(Struct, kw_only=True, frozen=True):
    """The webhooks of the settings."""

    webhooks: list[WebhookView]


class MessagesQuery(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Which messages to list."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Messages to list at most.")] = 50
    webhook: Annotated[str, Meta(max_length=64, description="Only those to this webhook.")] | None = None
    state: Annotated[MessageState, Meta(description="Only those in this state.")] | None = None


class MessageView(Struct, kw_only=True, frozen=True):
    """A message, and what became of it."""

    id: Annotated[str, Meta(description="As in its header `webhook-id`; the same on every try.")]
    webhook: str
    type: str
    at: Annotated[datetime, Meta(description="When that happened which it tells.")]
    state: MessageState
    tries: int
    next_at: Annotated[datetime, Meta(description="When it is sent next.")] | None
    status: Annotated[int, Meta(description="HTTP status of the newest try; null: no answer.")] | None
    error: Annotated[str, Meta(description="Why the newest try failed.")] | None


class MessageList(Struct, kw_only=True, frozen=True):
    """Messages, newest first."""

    messages: list[MessageView]


class Replay(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Which messages to send again."""

    message_id: (
        Annotated[str, Meta(min_length=1, max_length=64, description="One; null: all that were given up.")]
        | None
    ) = None


class ReplayedMessages(Struct, kw_only=True, frozen=True):
    """Messages that are sent again."""

    messages: Annotated[int, Meta(description="How many.")]


class TestResult(Struct, kw_only=True, frozen=True):
    """What the receiver said to a test message."""

    is_accepted: bool
    status: Annotated[int, Meta(description="HTTP status; null: no answer.")] | None
    error: Annotated[str, Meta(description="Why it failed.")] | None


class WebhooksDoor:
    """The handlers for webhooks."""

    def __init__(self, webhooks: Webhooks, body_timeout: timedelta) -> None:
        self._webhooks = webhooks
        self._body_timeout = body_timeout

    @Operation(
        method="GET",
        path="/v1/webhooks",
        name="listWebhooks",
        scope=Scope.ADMIN,
        text="List the webhooks of the settings, with how many messages are in which state.",
        success=Success(200, WebhookList, "The webhooks."),
        refusals=problems.STORED,
    )
    async def list_webhooks(self, _request: web.Request) -> web.Response:
        """List webhooks."""
        counts = await self._webhooks.counts()

        def view(webhook: Webhook) -> WebhookView:
            own = {str(state): counts.get((webhook.name, state), 0) for state in MessageState}
            events = sorted(webhook.types)
            return WebhookView(name=webhook.name, client=webhook.client, events=events, **own)

        return json_response(WebhookList(webhooks=[view(one) for one in self._webhooks.configured]))

    @Operation(
        method="GET",
        path="/v1/webhook-messages",
        name="listWebhookMessages",
        scope=Scope.ADMIN,
        text="List messages to webhooks, newest first, and what became of them.",
        query=MessagesQuery,
        success=Success(200, MessageList, "Messages."),
        refusals=(problems.INVALID, *problems.STORED),
    )
    async def list_messages(self, request: web.Request) -> web.Response:
        """List messages, newest first."""
        query = request_parsing.read_query(request, MessagesQuery)
        wanted = MessageFilter(query.webhook, query.state)
        found = await self._webhooks.messages(query.limit, wanted)
        return json_response(MessageList(messages=[_message(one) for one in found]))

    @Operation(
        method="POST",
        path="/v1/webhooks/{name}/replay",
        name="replayWebhook",
        scope=Scope.ADMIN,
        text="Send messages to a webhook again, with the ids that they had: one, or all that were given up.",
        body=Replay,
        success=Success(200, ReplayedMessages, "How many are sent again."),
        refusals=(*request_parsing.REFUSALS, problems.NOT_FOUND, *problems.STORED),
    )
    async def replay(self, request: web.Request) -> web.Response:
        """Send messages again."""
        body = await request_parsing.read_body(request, Replay, self._body_timeout)
        name = request.match_info["name"]
        answer = await self._webhooks.replay(request[PRINCIPAL], name, body.message_id)
        match answer:
            case NotFound():
                raise unknown("webhook or message", body.message_id or name)
            case Replayed(count):
                return json_response(ReplayedMessages(messages=count))
            case _:
                assert_never(answer)

    @Operation(
        method="POST",
        path="/v1/webhooks/{name}/test",
        name="testWebhook",
        scope=Scope.ADMIN,
        text="Send a webhook a message of the type `webhook.test` now, and tell what its receiver said.",
        success=Success(200, TestResult, "What the receiver said."),
        refusals=(problems.NOT_FOUND, *problems.STORED),
    )
    async def test(self, request: web.Request) -> web.Response:
        """Try a webhook."""
        name = request.match_info["name"]
        answer = await self._webhooks.test(request[PRINCIPAL], name)
        match answer:
            case NotFound():
                raise unknown("webhook", name)
            case SendResult(status, error):
                return json_response(TestResult(is_accepted=error is None, status=status, error=error))
            case _:
                assert_never(answer)


def _message(stored: StoredMessage) -> MessageView:
    message = stored.message
    return MessageView(
        id=message.id,
        webhook=message.webhook,
        type=message.type,
        at=message.at,
        state=stored.state,
        tries=stored.tries,
        next_at=stored.next_at if stored.state is MessageState.PENDING else None,
        status=stored.status,
        error=stored.error,
    )
