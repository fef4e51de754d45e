"""Twilio's error objects: the code for each refusal, and the format.

Codes, statuses and sentences are those of Twilio's error pages (docs/api/errors). Refusals are decided below
the doors; this module has only tables. Twilio's 60205 and 60410 speak of text messages and occur nowhere.
"""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from aiohttp import web
from msgspec import UNSET, Struct, UnsetType

from voicegate.adapters.http import problems
from voicegate.adapters.http.policy_errors import NUMBERS, told_contact
from voicegate.adapters.http.problems import Facts, Kind, Refused
from voicegate.adapters.http.responses import json_response
from voicegate.domain.policy import Deny, DenyReason

AUTHENTICATE = Kind("20003", 401, "Authenticate")
DENIED = Kind("20003", 403, "Permission Denied")
METHOD_NOT_ALLOWED = Kind("20004", 405, "Method not allowed")
NOT_FOUND = Kind("20404", 404, "The requested resource was not found")
INTERNAL = Kind("20500", 500, "Internal Server Error")
UNAVAILABLE = Kind("20503", 503, "Service unavailable")
INVALID_PARAMETER = Kind("60200", 400, "Invalid parameter")
MAX_CHECKS = Kind("60202", 429, "Max check attempts reached")
MAX_SENDS = Kind("60203", 429, "Max send attempts reached")
NOT_SUPPORTED = Kind("60204", 403, "Service does not support this feature")
TOO_MANY = Kind("60212", 429, "Too many concurrent requests for phone number")
NO_TARGET = Kind("60221", 400, "No target verification specified")
CHANNEL_DISABLED = Kind("60223", 400, "Delivery channel disabled")
RANGE_BLOCKED = Kind("60410", 403, "Verification delivery attempt blocked")
BLOCKED = Kind("60605", 403, "Verification delivery attempt blocked")

STORED: Final[tuple[Kind, ...]] = (INTERNAL, UNAVAILABLE)
"""The errors of every operation that uses the database."""
_MORE_INFO: Final = "https://www.twilio.com/docs/errors/"
# Where nothing says how long: a call in progress seldom takes longer.
_RETRY_AFTER_S: Final = 30.0

ERROR_OF_REASON: Final[Mapping[DenyReason, tuple[Kind, str]]] = {
    DenyReason.INVALID_NUMBER: (INVALID_PARAMETER, "To"),
    DenyReason.PLUS_MISSING: (INVALID_PARAMETER, "To"),
    DenyReason.COUNTRY_NOT_ALLOWED: (BLOCKED, ""),
    DenyReason.NUMBER_TYPE_NOT_ALLOWED: (BLOCKED, ""),
    DenyReason.PREFIX_DENIED: (BLOCKED, ""),
    DenyReason.NO_ROUTE: (INVALID_PARAMETER, "To"),
    DenyReason.QUEUE_FULL: (UNAVAILABLE, ""),
    DenyReason.STOPPING: (UNAVAILABLE, ""),
    DenyReason.CALL_IN_PROGRESS: (TOO_MANY, ""),
    DenyReason.TOO_SOON: (TOO_MANY, ""),
    DenyReason.TOO_MANY_CALLS: (MAX_SENDS, ""),
    DenyReason.RATE_LIMITED: (MAX_SENDS, ""),
    DenyReason.SEQUENTIAL_NUMBERS: (RANGE_BLOCKED, ""),
    DenyReason.PREFIX_HELD: (RANGE_BLOCKED, ""),
    DenyReason.SPEND_LIMITED: (MAX_SENDS, ""),
    DenyReason.PRICE_TOO_HIGH: (BLOCKED, ""),
    DenyReason.PRICE_UNKNOWN: (BLOCKED, ""),
    DenyReason.TOO_MANY_GUESSES: (MAX_CHECKS, ""),
    DenyReason.TRUNKS_DOWN: (UNAVAILABLE, ""),
    DenyReason.NOT_OPEN: (NOT_FOUND, ""),
    DenyReason.NO_CHALLENGE: (NOT_FOUND, ""),
    DenyReason.NUMBER_BLOCKED: (RANGE_BLOCKED, ""),
    DenyReason.DO_NOT_CALL: (RANGE_BLOCKED, ""),
    DenyReason.CALL_REPORTED: (RANGE_BLOCKED, ""),
    # Of factors, which this door has none of.
    DenyReason.ALREADY_ENROLLED: (DENIED, ""),
    DenyReason.NOT_PENDING: (DENIED, ""),
    DenyReason.NOT_ACTIVE: (DENIED, ""),
    DenyReason.FACTOR_LOCKED: (DENIED, ""),
    DenyReason.ADMINS_ONLY: (DENIED, ""),
}
"""Every reason; a test holds the table complete."""
_OF_PROBLEM: Final[Mapping[Kind, Kind]] = {
    problems.BAD_REQUEST: INVALID_PARAMETER,
    problems.KEY_MISSING: AUTHENTICATE,
    problems.KEY_WRONG: AUTHENTICATE,
    problems.PEER_NOT_ALLOWED: DENIED,
    problems.SCOPE_MISSING: DENIED,
    problems.NOT_FOUND: NOT_FOUND,
    problems.METHOD_NOT_ALLOWED: METHOD_NOT_ALLOWED,
    problems.BODY_TIMEOUT: INVALID_PARAMETER,
    problems.TOO_LARGE: INVALID_PARAMETER,
    problems.UNSUPPORTED_TYPE: INVALID_PARAMETER,
    problems.INVALID: INVALID_PARAMETER,
    problems.INTERNAL: INTERNAL,
    problems.STORE_UNAVAILABLE: UNAVAILABLE,
    problems.OVERLOADED: UNAVAILABLE,
}


class TwilioError(Struct, frozen=True, kw_only=True):
    """An error, as Twilio writes it."""

    code: int
    message: str
    more_info: str
    status: int


def refusal(deny: Deny) -> Refused:
    """Return the error for a refusal by policy."""
    # A reason that the table lacks is a refusal all the same, and no fault of the server.
    kind, parameter = ERROR_OF_REASON.get(deny.reason, (BLOCKED, ""))
    if parameter:
        return invalid(parameter, NUMBERS.get(deny.reason, ""))
    return waiting(kind, deny.retry_after, told_contact(kind.title, deny) if deny.contact else "")


def waiting(kind: Kind, retry_after: timedelta | None, message: str = "") -> Refused:
    """Return an error that may pass, and when; `message` stands in the place of Twilio's."""
    return Refused(
        kind, message, facts=Facts(retry_after_s=retry_after.total_seconds() if retry_after else UNSET)
    )


def invalid(parameter: str, why: str = "") -> Refused:
    """Return the error for a wrong parameter; never repeats a value, because it may be a code or a number."""
    return _about(INVALID_PARAMETER, parameter, why)


def wrong(parameter: str, error: Exception) -> Refused:
    """Return the error for a parameter that the domain does not accept."""
    return invalid(parameter, str(error))


def not_supported(parameter: str) -> Refused:
    """Return the error that a parameter asks for what no call here can do."""
    return _about(NOT_SUPPORTED, parameter, "")


def error_response(refused: Refused, _request_id: str) -> web.Response:
    """Return the answer with an error, Twilio's own or one of Voicegate's."""
    kind, facts = _OF_PROBLEM.get(refused.kind, refused.kind), refused.facts
    # Our own sentence only where Twilio's alone would not tell what is wrong.
    is_told = kind in (INVALID_PARAMETER, NOT_SUPPORTED, METHOD_NOT_ALLOWED)
    body = TwilioError(
        code=int(kind.name),
        message=f"{kind.title}: {refused.detail}" if is_told else _message(kind, refused),
        more_info=f"{_MORE_INFO}{kind.name}",
        status=kind.status,
    )
    headers = {**facts.headers, **_retry_after(kind, facts)}
    return json_response(body, status=kind.status, headers=headers)


def _message(kind: Kind, refused: Refused) -> str:
    """Return Twilio's sentence, with whom to ask if that is told."""
    return refused.detail if refused.detail.startswith(f"{kind.title}. Help: ") else kind.title


def _about(kind: Kind, parameter: str, why: str) -> Refused:
    return Refused(kind, f"{parameter}: {why}" if why else parameter, Facts(field=parameter))


def _retry_after(kind: Kind, facts: Facts) -> dict[str, str]:
    wait = facts.retry_after_s
    if isinstance(wait, UnsetType):
        if kind.status != 429:
            return {}
        wait = _RETRY_AFTER_S
    return {"Retry-After": str(math.ceil(wait))}
