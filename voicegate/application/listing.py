"""What a list of calls, factors or audit entries selects by, and where its next page begins."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from voicegate.application.ports import CallRecord
from voicegate.domain.call import Call
from voicegate.domain.call_outcome import Outcome
from voicegate.domain.challenge import Challenge


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page of calls ended; the next one begins behind it."""

    created_at: datetime
    """When its last call was queued."""
    id: str
    """The id of its last call, for those queued at the same moment."""

    @classmethod
    def of(cls, call: Call) -> "Position":
        """Return the position of a call."""
        return cls(call.created_at, call.id)


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to list; a field that is None selects all."""

    client: str | None = None
    """Of which client."""
    number: str | None = field(default=None, repr=False)
    """The number called, or the internal extension."""
    trunk: str | None = None
    """By which trunk."""
    outcome: Outcome | None = None
    """Ended with that outcome."""
    after: datetime | None = None
    """Queued then or later."""
    before: datetime | None = None
    """Queued earlier."""
    behind: Position | None = None
    """Older than the call at that position."""
    with_tests: bool = True
    """Those to test numbers too?"""


@dataclass(frozen=True, slots=True)
class FactorFilter:
    """Which living factors to list; a field that is None selects all."""

    client: str | None = None
    """Of which client."""
    subscriber: str | None = None
    """Of which subscriber."""
    behind: tuple[str, str] | None = None
    """Behind that client's subscriber of that name."""


@dataclass(frozen=True, slots=True)
class AttemptFilter:
    """Which calls of services' challenges are meant; a field that is None selects all."""

    client: str | None = None
    """Of which client."""
    service: str | None = None
    """The service that asked."""
    challenge_id: str | None = None
    """The challenge."""
    call_id: str | None = None
    """The one call."""
    number: str | None = field(default=None, repr=False)
    """The number called."""
    prefix: str = field(default="", repr=False)
    """What that begins with."""
    country: str | None = None
    """The number's country, by its ISO 3166 code."""
    after: datetime | None = None
    """Queued then or later."""
    before: datetime | None = None
    """Queued earlier."""
    behind: Position | None = None
    """Older than the call at that position."""
    is_converted: bool | None = None
    """Was its code entered?"""
    with_tests: bool = False
    """Those to test numbers too?"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call of a service's challenge."""

    record: CallRecord
    """The call, without its timeline."""
    challenge: Challenge
    """Its challenge."""
    is_converted: bool
    """Was its code entered? Then the newest call of the challenge is the one that did it."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of calls."""

    attempts: int
    """How many."""
    converted: int
    """How many of them had their code entered."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which audit entries to list; a field that is None selects all."""

    client: str | None = None
    """Who asked."""
    action: str | None = None
    """For what."""
    decision: str | None = None
    """What was decided."""
    number_digests: Sequence[bytes] | None = field(default=None, repr=False)
    """The number's digest by any of the keys."""
    after: datetime | None = None
    """Made then or later."""
    before: datetime | None = None
    """Made earlier."""
    behind: int | None = None
    """With a lower id."""


ALL_CALLS: Final = CallFilter()
"""Every call."""
ALL_ENTRIES: Final = AuditFilter()
"""Every audit entry."""
