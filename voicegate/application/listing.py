"""The filters of the lists of calls, factors and audit entries, and where a next page begins."""

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
    """Where a page of calls ended; the next page begins after it."""

    created_at: datetime
    """When its last call was queued."""
    id: str
    """The id of its last call, for calls that were queued at the same time."""

    @classmethod
    def of(cls, call: Call) -> "Position":
        """Return the position of a call."""
        return cls(call.created_at, call.id)


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to list; None in a field means all."""

    client: str | None = None
    """The client that asked."""
    number: str | None = field(default=None, repr=False)
    """The number called, or the internal extension."""
    trunk: str | None = None
    """The trunk of the call."""
    outcome: Outcome | None = None
    """The outcome of the call."""
    subscriber: str | None = None
    """The subscriber whose factor it is about."""
    reference: str | None = None
    """The client's own note."""
    after: datetime | None = None
    """Queued at this time or later."""
    before: datetime | None = None
    """Queued before this time."""
    behind: Position | None = None
    """Older than the call at that position."""
    with_tests: bool = True
    """Calls to test numbers too?"""


@dataclass(frozen=True, slots=True)
class FactorFilter:
    """Which factors to list, without those that were reset; None in a field means all."""

    client: str | None = None
    """The client it belongs to."""
    subscriber: str | None = None
    """The subscriber it belongs to."""
    behind: tuple[str, str] | None = None
    """Only those after this client and subscriber, in that order."""


@dataclass(frozen=True, slots=True)
class ServiceCallFilter:
    """Which of services' calls are meant; None in a field means all."""

    client: str | None = None
    """The client that asked."""
    service: str | None = None
    """The service that asked."""
    challenge_id: str | None = None
    """The challenge."""
    call_id: str | None = None
    """One call, by its id."""
    number: str | None = field(default=None, repr=False)
    """The number called."""
    prefix: str = field(default="", repr=False)
    """What the number begins with."""
    country: str | None = None
    """The number's country, by its ISO 3166 code."""
    after: datetime | None = None
    """Queued at this time or later."""
    before: datetime | None = None
    """Queued before this time."""
    behind: Position | None = None
    """Older than the call at that position."""
    is_converted: bool | None = None
    """Was its code entered?"""
    with_tests: bool = False
    """Calls to test numbers too?"""


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """A call of a service's challenge."""

    record: CallRecord
    """The call, without its timeline."""
    challenge: Challenge
    """Its challenge."""
    is_converted: bool
    """Was its code entered, and was it the newest call of its challenge then?"""


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a set of calls."""

    calls: int
    """How many calls."""
    converted: int
    """How many calls whose code was entered."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which audit entries to list; None in a field means all."""

    client: str | None = None
    """Who asked."""
    action: str | None = None
    """What was asked for."""
    decision: str | None = None
    """What was decided."""
    subject: str | None = None
    """The id, or the name, of what it is about."""
    subscriber: str | None = None
    """The subscriber that it is about."""
    reference: str | None = None
    """The client's own note."""
    trunk: str | None = None
    """The trunk that it is about, or by which a call was to begin."""
    number_digests: Sequence[bytes] | None = field(default=None, repr=False)
    """The number's digest by any of the keys."""
    after: datetime | None = None
    """Made at this time or later."""
    before: datetime | None = None
    """Made before this time."""
    behind: int | None = None
    """With an id below this one."""


ALL_CALLS: Final = CallFilter()
"""Every call."""
ALL_ENTRIES: Final = AuditFilter()
"""Every audit entry."""
