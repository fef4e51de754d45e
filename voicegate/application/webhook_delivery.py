"""Sends what is in the outbox: one task for each webhook, so that one dead receiver delays no other.

A message is claimed for a time before it is sent, and settled after that: if the daemon dies in between, the
message is sent again, so every receiver gets it at least once. No transaction waits for a receiver.
"""

import asyncio
import random
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Final, Protocol

import structlog

from voicegate.application.outbox import Claim, Message, Outgoing, SendResult, StoredMessage
from voicegate.application.ports import Clock
from voicegate.application.store_port import Store, Transaction
from voicegate.domain.webhook import MessageState, RetryRules, wait_before_next

log = structlog.get_logger(__name__)

_LOOK_AGAIN: Final = timedelta(seconds=30)
"""How long a task sleeps at most: messages may have been stored by another controller."""
_LEASE: Final = timedelta(seconds=60)
"""Longer than any try: after this time without an answer, the sender is thought dead."""
_CLOSING_WITHIN: Final = timedelta(seconds=3)
"""How long tries that are under way may take when the daemon stops."""


class WebhookSender(Protocol):
    """Sends one message, once."""

    async def send(self, message: Message) -> SendResult:
        """Send a message and return what the receiver said. Never raises; takes less than a minute."""
        ...


@dataclass(frozen=True, slots=True)
class SendingRules:
    """How messages are sent."""

    at_once: int = 4
    """Messages under way to one webhook, and held in memory for it, at most."""
    retries: RetryRules = field(default_factory=RetryRules)
    """When one that was not taken is sent again."""
    jitter: Callable[[], float] = random.random
    """By how much a wait is shorter, from 0 to 1, by chance."""


class WebhookDelivery:
    """Sends messages while it is entered; an async context manager."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        sender: WebhookSender,
        outgoing: Outgoing,
        rules: SendingRules,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sender = sender
        self._rules = rules
        self._news = {webhook.name: asyncio.Event() for webhook in outgoing.webhooks}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._is_closing = False
        outgoing.on_stored(self.wake)

    async def __aenter__(self) -> "WebhookDelivery":
        self.take_webhooks(list(self._news))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What is under way is given a moment; what is not told by then is told after the next start.
        self._is_closing = True
        self.wake(self._news)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_CLOSING_WITHIN.total_seconds())
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def take_webhooks(self, names: Collection[str]) -> None:
        """Send the messages of these webhooks from now on, and of no others. Does not wait.

        What is under way to one that is gone is sent again should it come back.
        """
        for name in self._tasks.keys() - set(names):
            self._tasks.pop(name).cancel()
            del self._news[name]
        for name in names:
            if name not in self._tasks:
                self._news[name] = asyncio.Event()
                self._tasks[name] = asyncio.create_task(self._serve(name), name=f"webhook {name}")

    def wake(self, webhooks: Collection[str]) -> None:
        """Look for messages of these webhooks now. Does not wait."""
        for name in webhooks:
            if name in self._news:
                self._news[name].set()

    async def _serve(self, name: str) -> None:
        """Send a webhook's messages until the daemon stops. Runs as a task."""
        while not self._is_closing:
            self._news[name].clear()
            try:
                sent = await self._send_due(name)
                wait = timedelta() if sent else await self._time_to_next(name)
            except Exception:  # a task's root: the next round may fare better
                log.exception("webhook messages not sent", webhook=name)
                wait = _LOOK_AGAIN
            with suppress(TimeoutError):
                async with asyncio.timeout(wait.total_seconds()):
                    await self._news[name].wait()

    async def _send_due(self, name: str) -> int:
        now, retries = self._clock.now(), self._rules.retries
        claim = Claim(
            webhook=name,
            now=now,
            until=now + _LEASE,
            latest=now + max(retries.longest, _LEASE),
            limit=self._rules.at_once,
        )
        claimed = await self._store.transact(lambda tx: tx.claim_messages(claim))
        await asyncio.gather(*map(self._send, claimed))
        return len(claimed)

    async def _time_to_next(self, name: str) -> timedelta:
        due = await self._store.next_message_at(name)
        left = _LOOK_AGAIN if due is None else due - self._clock.now()
        return min(max(left, timedelta()), _LOOK_AGAIN)

    async def _send(self, claimed: StoredMessage) -> None:
        result = await self._sender.send(claimed.message)
        settled = self._after(claimed, result)
        await self._store.transact(partial(_settle, message=settled))
        facts = {
            "webhook": claimed.message.webhook,
            "message": claimed.message.id,
            "type": claimed.message.type,
            "status": result.status,
        }
        if settled.state is MessageState.DELIVERED:
            log.debug("webhook message delivered", **facts)
        elif settled.state is MessageState.GIVEN_UP:
            log.error("webhook message given up", error=result.error, **facts)
        else:
            log.warning("webhook message not taken", error=result.error, next=settled.next_at, **facts)

    def _after(self, claimed: StoredMessage, result: SendResult) -> StoredMessage:
        now, tries = self._clock.now(), claimed.tries + 1
        tried = replace(claimed, tries=tries, status=result.status, error=result.error, next_at=now)
        if result.error is None:
            return replace(tried, state=MessageState.DELIVERED)
        if result.is_final or now >= claimed.message.give_up_at:
            return replace(tried, state=MessageState.GIVEN_UP)
        wait = wait_before_next(tries, self._rules.retries, self._rules.jitter())
        # The last try is at the end, not long before it.
        return replace(tried, next_at=min(now + wait, claimed.message.give_up_at))


def _settle(tx: Transaction, *, message: StoredMessage) -> None:
    tx.settle_message(message)
