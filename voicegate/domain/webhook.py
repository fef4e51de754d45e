"""What is told to other programs by webhooks: which events there are, who wants which, when to try again.

A new event is a member of `EventType` and a call of `Outgoing.compose` in the transaction of what it tells.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


class EventType(StrEnum):
    """What a webhook can be told; `call.*` are the steps of a call, as on its timeline."""

    CALL_ORIGINATED = "call.originated"
    CALL_PROGRESSED = "call.progressed"
    CALL_RANG = "call.rang"
    CALL_ANSWERED = "call.answered"
    CALL_EXTENSION_STARTED = "call.extension_started"
    CALL_EXTENSION_SENT = "call.extension_sent"
    CALL_INVITED = "call.invited"
    CALL_KEY_PRESSED = "call.key_pressed"
    CALL_REPORTED = "call.reported"
    """The called person pressed 9: they did not ask for the call, and its code no longer counts."""
    CALL_OPTED_OUT = "call.opted_out"
    """The called person wants no more calls: the number is on the list `do_not_call`."""
    CALL_READING_STARTED = "call.reading_started"
    CALL_READING_ENDED = "call.reading_ended"
    CALL_MEDIA_COUNTED = "call.media_counted"
    CALL_ENDED = "call.ended"
    """With its outcome."""
    VERIFICATION_VERIFIED = "verification.verified"
    VERIFICATION_LOCKED = "verification.locked"
    TRUNK_DOWN = "trunk.down"
    """Its calls fail, so that it is set aside, or its PBX does not reach it."""
    TRUNK_UP = "trunk.up"
    """A call came through after that, or its PBX reaches it again."""
    TRUNK_KEYS_MISSING = "trunk.keys_missing"
    """Few of those who are asked for a key press one: its DTMF may be lost."""
    TEST = "webhook.test"
    """An admin tries whether the receiver listens."""


STEP: Final = "call."
"""What the type of a call's step begins with."""
DEFAULT_TYPES: Final = (
    EventType.CALL_ENDED,
    EventType.CALL_REPORTED,
    EventType.CALL_OPTED_OUT,
    EventType.VERIFICATION_VERIFIED,
    EventType.VERIFICATION_LOCKED,
)
"""What a webhook is told where the settings do not say."""


class MessageState(StrEnum):
    """What became of a message."""

    PENDING = "pending"
    """It is to be sent, or sent again."""
    DELIVERED = "delivered"
    """The receiver took it."""
    GIVEN_UP = "given_up"
    """The receiver did not take it in time; an admin can have it sent again."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told what."""

    name: str
    """Its name in the settings."""
    client: str | None = None
    """Whose calls and verifications it is told; None: those of all clients."""
    types: frozenset[EventType] = frozenset(DEFAULT_TYPES)
    """What it is told."""

    def wants(self, event: EventType, client: str | None) -> bool:
        """Return whether it is told an event of a client; `client` None: the event is no client's."""
        return event in self.types and (client is None or self.client in (None, client))


@dataclass(frozen=True, slots=True)
class RetryRules:
    """When a message that was not taken is sent again."""

    first: timedelta = timedelta(seconds=5)
    """After the first failure; four times as long each time."""
    longest: timedelta = timedelta(hours=4)
    """The longest wait between two tries."""
    give_up_after: timedelta = timedelta(days=3)
    """The time after which it is given up."""


_GROWTH: Final = 4
_MOST_GROWTHS: Final = 20


def wait_before_next(tries: int, rules: RetryRules, jitter: float) -> timedelta:
    """Return how long to wait after so many failures.

    `jitter`, from 0 to 1, makes the wait up to half shorter: receivers that come back are not met by all
    their messages at once.
    """
    growth: int = _GROWTH ** min(max(0, tries - 1), _MOST_GROWTHS)
    grown = rules.first * growth
    return min(grown, rules.longest) * (1 - jitter / 2)
