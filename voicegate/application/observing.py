"""Who is told what happens, to count it or to trace it: metrics and traces are adapters behind `Observer`.

Everything is told once, after it is stored. What an observer does wrong is logged and harms nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import structlog

from voicegate.application.outbox import Message, SendResult
from voicegate.application.ports import CallRecord
from voicegate.domain.challenge import Challenge, GuessResult
from voicegate.domain.policy import Deny

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JudgedGuess:
    """A guess, and what it came to."""

    at: datetime
    """When it was entered."""
    result: GuessResult
    """The verification result."""
    challenge_id: str
    """The challenge."""
    call_id: str | None
    """The challenge's newest call; None: it has none."""


class Observer(Protocol):
    """Is told what happens. Every method returns at once, and is called in the event loop."""

    def call_ended(self, record: CallRecord, challenge: Challenge) -> None:
        """A call has ended, with its whole timeline; calls to test numbers are told too."""
        ...

    def guess_judged(self, guess: JudgedGuess) -> None:
        """A guess was judged."""
        ...

    def request_refused(self, refusal: Deny) -> None:
        """A request was refused by policy. Dry runs are not told."""
        ...

    def receipt_made(self) -> None:
        """A call's receipt was stored."""
        ...

    def webhook_tried(self, webhook: str, *, is_taken: bool) -> None:
        """A message was sent to a webhook once; did the receiver take it?"""
        ...


class Observers:
    """Tells several observers; it is an `Observer` itself."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = tuple(observers)

    def call_ended(self, record: CallRecord, challenge: Challenge) -> None:
        """Tell of an ended call."""
        for observer in self._observers:
            try:
                observer.call_ended(record, challenge)
            except Exception:  # what is only watched must not break
                log.exception("call not observed", call=record.call.id)

    def guess_judged(self, guess: JudgedGuess) -> None:
        """Tell of a guess."""
        for observer in self._observers:
            try:
                observer.guess_judged(guess)
            except Exception:  # as in `call_ended`
                log.exception("guess not observed", challenge=guess.challenge_id)

    def request_refused(self, refusal: Deny) -> None:
        """Tell of a refusal."""
        for observer in self._observers:
            observer.request_refused(refusal)

    def receipt_made(self) -> None:
        """Tell of a receipt."""
        for observer in self._observers:
            observer.receipt_made()

    def webhook_tried(self, webhook: str, *, is_taken: bool) -> None:
        """Tell of a try."""
        for observer in self._observers:
            observer.webhook_tried(webhook, is_taken=is_taken)


class Sender(Protocol):
    """Sends one message to a webhook, as `WebhookSender` does."""

    async def send(self, message: Message) -> SendResult:
        """Send a message and return what the receiver said."""
        ...


class ObservedSender:
    """A sender whose tries are told."""

    def __init__(self, sender: Sender, observer: Observer) -> None:
        self._sender = sender
        self._observer = observer

    async def send(self, message: Message) -> SendResult:
        """Send a message and return what the receiver said."""
        result = await self._sender.send(message)
        self._observer.webhook_tried(message.webhook, is_taken=result.error is None)
        return result


NOBODY: Final = Observers()
"""Nobody is told anything."""
