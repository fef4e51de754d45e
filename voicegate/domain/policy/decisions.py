"""Decisions as values: allowed, or refused with a reason and a time."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class DenyReason(StrEnum):
    """Why a call or a guess is refused."""

    INVALID_NUMBER = "invalid_number"
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    NUMBER_TYPE_NOT_ALLOWED = "number_type_not_allowed"
    PREFIX_DENIED = "prefix_denied"
    PLUS_MISSING = "plus_missing"
    NO_ROUTE = "no_route"
    TRUNKS_DOWN = "trunks_down"
    QUEUE_FULL = "queue_full"
    CALL_IN_PROGRESS = "call_in_progress"
    TOO_MANY_CALLS = "too_many_calls"
    NOT_OPEN = "not_open"
    TOO_SOON = "too_soon"
    RATE_LIMITED = "rate_limited"
    SEQUENTIAL_NUMBERS = "sequential_numbers"
    TOO_MANY_GUESSES = "too_many_guesses"
    ALREADY_ENROLLED = "already_enrolled"
    NOT_PENDING = "not_pending"
    NOT_ACTIVE = "not_active"
    FACTOR_LOCKED = "factor_locked"
    NO_CHALLENGE = "no_challenge"
    ADMINS_ONLY = "admins_only"


class NumberKind(StrEnum):
    """What kind of number it is, if it is not an ordinary line."""

    VOIP = "voip"
    """An internet telephone, which is not tied to a place."""
    COMPANY = "company"
    """One number for all sites of a company (universal access number)."""
    PREMIUM = "premium"
    SHARED_COST = "shared_cost"
    TOLL_FREE = "toll_free"
    PERSONAL = "personal"
    SATELLITE = "satellite"
    """A satellite telephone, or a ship's; among the most expensive calls of all."""
    PAGER = "pager"
    VOICEMAIL = "voicemail"
    DIRECTORY = "directory"
    """Directory assistance, which costs as much as a premium number."""
    EMERGENCY = "emergency"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Allow:
    """Allowed."""


@dataclass(frozen=True, slots=True)
class Deny:
    """Refused."""

    reason: DenyReason
    """The reason."""
    retry_after: timedelta | None = None
    """When asking again may help; None: it will not."""
    kind: NumberKind | None = field(default=None, compare=False)
    """The kind of number, if that is the reason."""
    rule: str = field(default="", compare=False)
    """The rule that refused, by the name of its setting; empty: the reason says it all."""

    @property
    def decision(self) -> str:
        """The decision for the audit."""
        return str(self.reason)


def refusal(*decisions: Allow | Deny) -> Deny | None:
    """Return the first refusal among decisions; None: all allow."""
    return next((decision for decision in decisions if isinstance(decision, Deny)), None)
