"""Decisions as values: allowed, or refused with a reason and a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final


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
    STOPPING = "stopping"
    CALL_IN_PROGRESS = "call_in_progress"
    TOO_MANY_CALLS = "too_many_calls"
    NOT_OPEN = "not_open"
    TOO_SOON = "too_soon"
    RATE_LIMITED = "rate_limited"
    SEQUENTIAL_NUMBERS = "sequential_numbers"
    PREFIX_HELD = "prefix_held"
    SPEND_LIMITED = "spend_limited"
    PRICE_TOO_HIGH = "price_too_high"
    PRICE_UNKNOWN = "price_unknown"
    TOO_MANY_GUESSES = "too_many_guesses"
    ALREADY_ENROLLED = "already_enrolled"
    NOT_PENDING = "not_pending"
    NOT_ACTIVE = "not_active"
    FACTOR_LOCKED = "factor_locked"
    NO_CHALLENGE = "no_challenge"
    ADMINS_ONLY = "admins_only"
    NUMBER_BLOCKED = "number_blocked"
    DO_NOT_CALL = "do_not_call"
    CALL_REPORTED = "call_reported"


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


RULE_OF_REASON: Final[Mapping[DenyReason, str]] = {
    DenyReason.INVALID_NUMBER: "policy.number_check",
    DenyReason.COUNTRY_NOT_ALLOWED: "policy.allowed_countries",
    DenyReason.NUMBER_TYPE_NOT_ALLOWED: "number types",
    DenyReason.PREFIX_DENIED: "policy.denied_prefixes",
    DenyReason.PLUS_MISSING: "internal",
    DenyReason.NO_ROUTE: "trunks",
    DenyReason.TRUNKS_DOWN: "trunks",
    DenyReason.QUEUE_FULL: "call.max_queued",
    DenyReason.STOPPING: "call.drain_timeout_s",
    DenyReason.CALL_IN_PROGRESS: "one call in progress",
    DenyReason.TOO_MANY_CALLS: "policy.max_calls",
    DenyReason.NOT_OPEN: "challenge states",
    DenyReason.TOO_SOON: "policy.call_spacing_s",
    DenyReason.RATE_LIMITED: "policy.calls_per_client",
    DenyReason.SEQUENTIAL_NUMBERS: "policy.sequential_numbers",
    DenyReason.PREFIX_HELD: "policy.conversion_floor",
    DenyReason.SPEND_LIMITED: "spend.money_per_client",
    DenyReason.PRICE_TOO_HIGH: "max_price",
    DenyReason.PRICE_UNKNOWN: "spend.rates_file",
    DenyReason.TOO_MANY_GUESSES: "policy.guesses_per_destination",
    DenyReason.ALREADY_ENROLLED: "one factor per subscriber",
    DenyReason.NOT_PENDING: "factor states",
    DenyReason.NOT_ACTIVE: "factor states",
    DenyReason.FACTOR_LOCKED: "100 wrong guesses in a row, or reports.lock_factor",
    DenyReason.NO_CHALLENGE: "challenge states",
    DenyReason.ADMINS_ONLY: "scope admin",
    DenyReason.NUMBER_BLOCKED: "numbers blocked",
    DenyReason.DO_NOT_CALL: "numbers do_not_call",
    DenyReason.CALL_REPORTED: "numbers reported",
}
"""The rule that most often refuses for a reason: a setting, or a rule that is always in force."""


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
    """The rule that refused, by the name of its setting; if it is not given, the one in `RULE_OF_REASON`."""
    contact: str = field(default="", compare=False)
    """Whom a person can ask for help, for the answer; empty: nobody is named."""

    def __post_init__(self) -> None:
        """Fill in the rule."""
        # A frozen dataclass has no other way to fill in a field.
        object.__setattr__(self, "rule", self.rule or RULE_OF_REASON[self.reason])

    @property
    def decision(self) -> str:
        """The decision for the audit."""
        return str(self.reason)


def refusal(*decisions: Allow | Deny) -> Deny | None:
    """Return the first refusal among decisions; None: all allow."""
    return next((decision for decision in decisions if isinstance(decision, Deny)), None)
