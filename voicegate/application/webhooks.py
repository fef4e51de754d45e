"""What an admin does with webhooks: see how they do, send messages again, try one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from voicegate.application.outbox import (
    MessageFilter,
    Outgoing,
    Replaying,
    SendResult,
    StoredMessage,
)
from voicegate.application.ports import Clock
from voicegate.application.store_port import Store
from voicegate.application.unit_of_work import ALLOWED, NotFound, UnitOfWork, UnitsOfWork
from voicegate.application.webhook_delivery import WebhookSender
from voicegate.domain.client import Principal
from voicegate.domain.webhook import EventType, MessageState, Webhook


@dataclass(frozen=True, slots=True)
class Replayed:
    """Messages will be sent again."""

    messages: int
    """How many."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A webhook may be tried."""

    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


class Webhooks:
    """Shows, replays and tries webhooks."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        units: UnitsOfWork,
        outgoing: Outgoing,
        sender: WebhookSender,
    ) -> None:
        self._store = store
        self._clock = clock
        self._units = units
        self._outgoing = outgoing
        self._sender = sender

    @property
    def configured(self) -> Sequence[Webhook]:
        """The webhooks of the settings."""
        return self._outgoing.webhooks

    def take(self, webhooks: Collection[Webhook]) -> None:
        """Tell these from now on, and no others."""
        self._outgoing.take_webhooks(webhooks)

    async def counts(self) -> Mapping[tuple[str, MessageState], int]:
        """Return how many messages of each webhook are in each state."""
        return await self._store.message_counts()

    async def messages(self, limit: int, wanted: MessageFilter) -> Sequence[StoredMessage]:
        """Return the messages that match, newest first, at most `limit`."""
        return await self._store.messages(limit, wanted)

    async def replay(
        self, principal: Principal, name: str, message_id: str | None = None
    ) -> Replayed | NotFound:
        """Send a webhook's messages again: one, or all that were given up. They keep their ids."""
        answer = await self._units.do(principal, "webhook.replay", self._replay, name, message_id)
        self._outgoing.wake({name})
        return answer

    async def test(self, principal: Principal, name: str) -> SendResult | NotFound:
        """Send a webhook a message of the type `webhook.test` now, and return what its receiver said.

        It is not stored and not sent again.
        """
        answer = await self._units.do(principal, "webhook.test", self._may_try, name)
        if isinstance(answer, NotFound):
            return answer
        now = self._clock.now()
        return await self._sender.send(self._outgoing.message(name, EventType.TEST, at=now, data={}))

    def _replay(self, unit: UnitOfWork, name: str, message_id: str | None) -> Replayed | NotFound:
        if not self._has(name):
            return NotFound()
        unit.subject = message_id or name
        again = Replaying(name, message_id, unit.now, unit.now + self._outgoing.rules.give_up_after)
        count = unit.tx.replay_messages(again)
        return NotFound() if message_id is not None and count == 0 else Replayed(count)

    def _may_try(self, unit: UnitOfWork, name: str) -> Tried | NotFound:
        if not self._has(name):
            return NotFound()
        unit.subject = name
        return Tried()

    def _has(self, name: str) -> bool:
        return any(webhook.name == name for webhook in self.configured)
