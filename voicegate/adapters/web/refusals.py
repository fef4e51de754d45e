"""The text for each refusal by policy and for each result of a guess, for people."""

import math
from collections.abc import Mapping
from typing import Final

from voicegate.domain.challenge import GuessResult
from voicegate.domain.policy import Deny, DenyReason

ERROR_OF_REASON: Final[Mapping[DenyReason, str]] = {
    DenyReason.INVALID_NUMBER: "error_number",
    DenyReason.PLUS_MISSING: "error_number",
    DenyReason.NO_ROUTE: "error_number",
    DenyReason.COUNTRY_NOT_ALLOWED: "error_country",
    DenyReason.PREFIX_DENIED: "error_number_type",
    DenyReason.NUMBER_TYPE_NOT_ALLOWED: "error_number_type",
    DenyReason.TRUNKS_DOWN: "error_busy_lines",
    DenyReason.QUEUE_FULL: "error_busy_lines",
    DenyReason.STOPPING: "error_busy_lines",
    DenyReason.CALL_IN_PROGRESS: "error_in_progress",
    DenyReason.TOO_MANY_CALLS: "error_calls",
    DenyReason.RATE_LIMITED: "error_calls",
    DenyReason.SEQUENTIAL_NUMBERS: "error_calls",
    DenyReason.PREFIX_HELD: "error_calls",
    DenyReason.SPEND_LIMITED: "error_calls",
    DenyReason.PRICE_TOO_HIGH: "error_other",
    DenyReason.PRICE_UNKNOWN: "error_other",
    DenyReason.TOO_SOON: "error_wait",
    DenyReason.TOO_MANY_GUESSES: "error_guesses",
    DenyReason.NOT_OPEN: "error_expired",
    DenyReason.NO_CHALLENGE: "error_no_code",
    DenyReason.FACTOR_LOCKED: "locked_title",
    DenyReason.ALREADY_ENROLLED: "active_title",
    DenyReason.NOT_PENDING: "active_title",
    DenyReason.NOT_ACTIVE: "error_other",
    DenyReason.ADMINS_ONLY: "error_other",
    DenyReason.NUMBER_BLOCKED: "error_other",
    DenyReason.DO_NOT_CALL: "error_do_not_call",
    DenyReason.CALL_REPORTED: "error_call_reported",
}
"""Every reason; a test holds the table complete."""

OF_GUESS: Final[Mapping[GuessResult, str]] = {
    GuessResult.DENIED: "error_code",
    GuessResult.LOCKED: "error_locked",
    GuessResult.EXPIRED: "error_expired",
    GuessResult.CANCELED: "error_expired",
    GuessResult.REPORTED: "ended_reported",
    GuessResult.ALREADY_USED: "error_expired",
}
"""Every result except the right one."""

OF_NUMBERS: Final = frozenset({"error_number", "error_extension", "error_country", "error_number_type"})
"""The texts about the entered number."""

_TOLD: Final = frozenset({*ERROR_OF_REASON.values(), *OF_GUESS.values(), "error_code_shape", "error_form"})


def seconds_of(deny: Deny) -> int:
    """Return the seconds after which a retry may succeed; 0: unknown, or never."""
    return math.ceil(deny.retry_after.total_seconds()) if deny.retry_after else 0


def query_of(deny: Deny) -> str:
    """Return a refusal as the query of a redirect."""
    wait = seconds_of(deny)
    return f"?error={ERROR_OF_REASON[deny.reason]}" + (f"&wait={wait}" if wait else "")


def told(name: str) -> str:
    """Return the name of a text in a query; empty: there is no such text."""
    return name if name in _TOLD else ""
