"""The outbox: messages to webhooks, stored in the transaction of what they tell, and sent after that.

The body of a message is composed once; every try sends the same bytes under the same id.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from voicegate.application.ports import Entropy, TimelineEntry
from voicegate.application.receipts import NewReceipt
from voicegate.domain.call import Call
from voicegate.domain.challenge import Challenge, ChallengeState
from voicegate.domain.webhook import STEP, EventType, MessageState, RetryRules, Webhook

_TOLD_STATES: Final = {
    ChallengeState.VERIFIED: EventType.VERIFICATION_VERIFIED,
    ChallengeState.LOCKED: EventType.VERIFICATION_LOCKED,
}
_STEPS: Final = {event.removeprefix(STEP): event for event in EventType if event.startswith(STEP)}
_TOLD_OF_STEPS: Final = ("reading", "proven", "outcome", "cause", "sip_status", "gave_up")


@dataclass(frozen=True, slots=True)
class Message:
    """A message to one webhook."""

    id: str
    """By which the receiver knows it again when it comes twice."""
    webhook: str
    """The webhook's name in the settings."""
    type: str
    """What it tells, an `EventType`; or what an older version told."""
    at: datetime
    """When that happened."""
    body: bytes = field(repr=False)
    """JSON, as it is sent."""
    give_up_at: datetime
    """When it is given up."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is stored beside a call's step, in the same commit."""

    messages: Sequence[Message] = ()
    """Messages to webhooks."""
    receipt: NewReceipt | None = None
    """The receipt of its end; None: it has not ended, or receipts are switched off."""


NOTHING_TOLD: Final = Told()
"""Nothing."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message, and what became of it."""

    message: Message
    """The message."""
    state: MessageState
    """What became of it."""
    tries: int
    """How often it was sent."""
    next_at: datetime
    """When it is sent next, if it is pending."""
    status: int | None = None
    """The HTTP status of the newest try; None: there was no answer."""
    error: str | None = None
    """Why the newest try failed; None: it did not."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """What one try came to."""

    status: int | None = None
    """HTTP status; None: there was no answer."""
    error: str | None = None
    """Why it failed; None: the receiver took the message."""
    is_final: bool = False
    """Did the receiver say that it wants no such message any more (410)?"""


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages to list; None in a field means all."""

    webhook: str | None = None
    """The webhook's name."""
    state: MessageState | None = None
    """What became of it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Which messages a sender takes."""

    webhook: str
    """Of which webhook."""
    now: datetime
    """Those that are due at this time."""
    until: datetime
    """When they are due again if nothing is heard of this sender: it may have died."""
    latest: datetime
    """A message that is due after this time is due now: the clock was set back."""
    limit: int
    """How many at most."""


@dataclass(frozen=True, slots=True)
class Replaying:
    """Which messages are sent again: those of a webhook that were given up, or one by its id."""

    webhook: str
    """The webhook's name."""
    message_id: str | None
    """One message, whatever became of it; None: all that were given up."""
    now: datetime
    """From when on."""
    give_up_at: datetime
    """When they are given up again."""


class OutboxRows(Protocol):
    """What a transaction does with messages."""

    def add_messages(self, messages: Sequence[Message]) -> None:
        """Store new messages; one that is stored already stays as it is."""
        ...

    def claim_messages(self, claim: Claim) -> Sequence[StoredMessage]:
        """Take messages that are due, so that no other sender takes them; the longest due first."""
        ...

    def settle_message(self, message: StoredMessage) -> None:
        """Store what a try came to."""
        ...

    def replay_messages(self, replay: Replaying) -> int:
        """Let messages be sent again, as if they were new; return how many."""
        ...


class OutboxStore(Protocol):
    """What is read of messages."""

    async def messages(self, limit: int, wanted: MessageFilter) -> Sequence[StoredMessage]:
        """Return the messages that match, newest first, at most `limit`."""
        ...

    async def message_counts(self) -> Mapping[tuple[str, MessageState], int]:
        """Return how many messages of each webhook are in each state."""
        ...

    async def next_message_at(self, webhook: str) -> datetime | None:
        """Return when a webhook's next message is due; None: none is pending."""
        ...


class Outgoing:
    """Composes messages, and wakes who sends them once they are stored."""

    def __init__(self, webhooks: Collection[Webhook], *, entropy: Entropy, rules: RetryRules) -> None:
        self.webhooks = tuple(webhooks)
        """Who is told what."""
        self._entropy = entropy
        self.rules = rules
        """When messages are sent again, and given up."""
        self._wakers: list[Callable[[Collection[str]], None]] = []

    def take_webhooks(self, webhooks: Collection[Webhook]) -> None:
        """Tell these from now on, and no others."""
        self.webhooks = tuple(webhooks)

    def on_stored(self, wake: Callable[[Collection[str]], None]) -> None:
        """Have `wake` called with the webhooks' names when messages for them have been stored."""
        self._wakers.append(wake)

    def stored(self, messages: Sequence[Message]) -> None:
        """Say that messages have been stored. Does not wait."""
        self.wake({message.webhook for message in messages})

    def wake(self, webhooks: Collection[str]) -> None:
        """Have messages of these webhooks looked for now. Does not wait."""
        for wake in self._wakers if webhooks else ():
            wake(webhooks)

    def compose(
        self, event: EventType, at: datetime, data: Mapping[str, object], *, client: str | None = None
    ) -> list[Message]:
        """Return the messages that tell an event to those who want it; `client` None: it is no client's.

        Never with a code or a whole number in `data`.
        """
        wanting = [webhook for webhook in self.webhooks if webhook.wants(event, client)]
        return [self.message(webhook.name, event, at=at, data=data) for webhook in wanting]

    def message(self, webhook: str, event: EventType, *, at: datetime, data: Mapping[str, object]) -> Message:
        """Return one message to one webhook."""
        told = {"type": str(event), "timestamp": _written(at), "data": data}
        body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        give_up_at = at + self.rules.give_up_after
        return Message(
            self._entropy.new_id("msg"), webhook, str(event), at=at, body=body, give_up_at=give_up_at
        )

    def of_step(self, call: Call, challenge: Challenge, entry: TimelineEntry) -> list[Message]:
        """Return the messages that tell a step of a call."""
        event = _STEPS.get(entry.event)
        if event is None or not any(one.wants(event, challenge.client) for one in self.webhooks):
            return []
        data = {
            "call_id": call.id,
            "verification_id": challenge.id,
            "client": challenge.client,
            "service": challenge.service,
            "reference": challenge.reference,
            "destination": call.destination.masked,
            "trunk": call.trunk,
            "state": str(call.state),
            "evidence": call.evidence.strongest.name.lower(),
            **{name: entry.detail[name] for name in _TOLD_OF_STEPS if name in entry.detail},
        }
        return self.compose(event, entry.at, data, client=challenge.client)

    def of_change(self, before: Challenge, after: Challenge, at: datetime) -> list[Message]:
        """Return the messages that tell that a challenge was verified or locked."""
        event = _TOLD_STATES.get(after.state)
        if event is None or before.state is after.state:
            return []
        data = {
            "verification_id": after.id,
            "client": after.client,
            "service": after.service,
            "reference": after.reference,
            "factor_id": after.factor_id,
            "destination": after.destination.masked,
            "state": str(after.state),
        }
        return self.compose(event, at, data, client=after.client)

    def of_trunk(self, trunk: str, *, at: datetime, until: datetime | None) -> list[Message]:
        """Return the messages that tell that a trunk is set aside `until` a time; None: it works again."""
        facts = {"trunk": trunk, "why": "calls"}
        if until is None:
            return self.compose(EventType.TRUNK_UP, at, facts)
        return self.compose(EventType.TRUNK_DOWN, at, facts | {"set_aside_until": _written(until)})

    def of_reach(self, trunk: str, *, at: datetime, is_up: bool) -> list[Message]:
        """Return the messages that tell that a trunk's PBX does not reach it, or does so again."""
        event = EventType.TRUNK_UP if is_up else EventType.TRUNK_DOWN
        return self.compose(event, at, {"trunk": trunk, "why": "pbx"})


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
