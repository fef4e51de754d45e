"""Refusals as values: allowed, or refused for a reason and until when."""

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
    TOO_MANY_GUESSES = "too_many_guesses"
    ALREADY_ENROLLED = "already_enrolled"
    NOT_PENDING = "not_pending"
    NOT_ACTIVE = "not_active"
    FACTOR_LOCKED = "factor_locked"
    NO_CHALLENGE = "no_challenge"
    ADMINS_ONLY = "admins_only"


class NumberKind(StrEnum):
    """What a number is that is no ordinary line."""

    VOIP = "voip"
    """Of an internet telephone, tied to no place."""
    COMPANY = "company"
    """Of a company's every site (a universal access number)."""
    PREMIUM = "premium"
    SHARED_COST = "shared_cost"
    TOLL_FREE = "toll_free"
    PERSONAL = "personal"
    SATELLITE = "satellite"
    """Of a satellite telephone or a ship's: some of the dearest calls that there are."""
    PAGER = "pager"
    VOICEMAIL = "voicemail"
    DIRECTORY = "directory"
    """Directory assistance, which costs as a premium number does."""
    EMERGENCY = "emergency"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Allow:
    """Go ahead."""


@dataclass(frozen=True, slots=True)
class Deny:
    """Refused."""

    reason: DenyReason
    """Why."""
    retry_after: timedelta | None = None
    """When asking again may help; None when it will not."""
    kind: NumberKind | None = field(default=None, compare=False)
    """What the number is, where that is why."""
    rule: str = field(default="", compare=False)
    """Which rule refused, by the setting that holds it; empty: the reason says as much."""

    @property
    def decision(self) -> str:
        """What the audit notes."""
        return str(self.reason)


def refusal(*decisions: Allow | Deny) -> Deny | None:
    """Return the first refusal among decisions; None: all allow."""
    return next((decision for decision in decisions if isinstance(decision, Deny)), None)
