"""Okta's error objects: which of its codes stands for what, and how one is written.

Codes and statuses are Okta's (its error code reference, 2023.02.1). A sentence is ours wherever Okta's would
not be true here, such as its "located in US and Canada". What a refusal means is decided below the doors:
here are tables. The cause, which Okta's clients show to people, is never empty.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web
from msgspec import UnsetType

from voicegate.adapters.http import problems
from voicegate.adapters.http.okta.schemas import ErrorCause, OktaError
from voicegate.adapters.http.policy_errors import NUMBERS, of_kind, told_contact
from voicegate.adapters.http.problems import Facts, Kind, Refused
from voicegate.adapters.http.responses import json_response
from voicegate.domain.challenge import GuessResult, VerifyResult
from voicegate.domain.policy import Deny, DenyReason

VALIDATION = Kind("E0000001", 400, "Api validation failed")
NOT_WELL_FORMED = Kind("E0000003", 400, "The request body was not well-formed.")
ACCESS_DENIED = Kind("E0000006", 403, "You do not have permission to perform the requested action")
NOT_FOUND = Kind("E0000007", 404, "Not found: Resource not found")
PATH_NOT_FOUND = Kind("E0000008", 404, "The requested path was not found")
INTERNAL = Kind("E0000009", 500, "Internal Server Error")
INVALID_TOKEN = Kind("E0000011", 401, "Invalid token provided")
UNSUPPORTED_TYPE = Kind(
    "E0000021", 400, "Bad request. Accept and/or Content-Type headers likely do not match supported values."
)
METHOD_NOT_SUPPORTED = Kind("E0000022", 405, "The endpoint does not support the provided HTTP method")
RATE_LIMIT = Kind("E0000047", 429, "API call exceeded rate limit due to too many requests.")
INVALID_PASSCODE = Kind("E0000068", 403, "Invalid Passcode/Answer")
LOCKED = Kind("E0000069", 403, "User Locked")
REPLAYED = Kind("E0000082", 403, "Each code can only be used once. Please wait for a new code and try again.")
TIME_WINDOW = Kind("E0000083", 403, "The passcode's time window is exceeded.")
INVALID_NUMBER = Kind("E0000098", 400, "This phone number is invalid.")
COUNTRY = Kind("E0000099", 403, "Numbers of this country are not allowed.", "Contact your administrator.")
OPTED_OUT = Kind("E0000140", 400, "The recipient has opted out of calls.")
WRONG_STATE = Kind("E0000107", 403, "The entity is not in the expected state for the requested transition.")
INVALID_EXTENSION = Kind("E0000121", 400, "Invalid phone extension. Please enter a valid phone extension.")
RECENTLY_CALLED = Kind(
    "E0000133", 429, "A phone call was recently made. Please wait 30 seconds before trying again."
)
PROVIDER_DOWN = Kind("E0000139", 503, "Telephony provider error.")
CALL_LIMIT = Kind("E0000151", 403, "You have reached the limit of call requests, please try again later.")
CALL_LIMIT_FOR_NOW = Kind(
    "E0000205", 429, "You have reached the limit of call requests, please try again later."
)
UNAVAILABLE = Kind("E0000181", 503, "Service temporarily unavailable.")

ERROR_OF_REASON: Final[Mapping[DenyReason, tuple[Kind, str]]] = {
    **{reason: (INVALID_NUMBER, why) for reason, why in NUMBERS.items()},
    DenyReason.COUNTRY_NOT_ALLOWED: (COUNTRY, ""),
    DenyReason.NUMBER_TYPE_NOT_ALLOWED: (INVALID_NUMBER, "Calls to this type of number are not allowed."),
    DenyReason.PREFIX_DENIED: (INVALID_NUMBER, "Calls to this range of numbers are not allowed."),
    DenyReason.NO_ROUTE: (INVALID_NUMBER, "No route leads to this number."),
    DenyReason.TRUNKS_DOWN: (PROVIDER_DOWN, "No trunk can take a call now."),
    DenyReason.QUEUE_FULL: (PROVIDER_DOWN, "All lines are busy: please try again in a moment."),
    DenyReason.STOPPING: (
        PROVIDER_DOWN,
        "The telephone service is being stopped: please try again in a moment.",
    ),
    DenyReason.CALL_IN_PROGRESS: (RECENTLY_CALLED, "A call to this telephone is in progress."),
    DenyReason.TOO_MANY_CALLS: (CALL_LIMIT, "This code has reached its limit of calls."),
    DenyReason.NOT_OPEN: (WRONG_STATE, "The code has ended: ask for another one."),
    DenyReason.TOO_SOON: (RECENTLY_CALLED, ""),
    DenyReason.RATE_LIMITED: (RATE_LIMIT, "Too many such calls were requested recently."),
    DenyReason.SEQUENTIAL_NUMBERS: (RATE_LIMIT, "Too many neighbouring numbers were called recently."),
    DenyReason.PREFIX_HELD: (RATE_LIMIT, "Calls to numbers like this one are held for a time."),
    DenyReason.SPEND_LIMITED: (RATE_LIMIT, "What such calls may cost in a day is used up."),
    DenyReason.PRICE_TOO_HIGH: (INVALID_NUMBER, "A call to this number costs too much."),
    DenyReason.PRICE_UNKNOWN: (INVALID_NUMBER, "What a call to this number costs is not known."),
    DenyReason.TOO_MANY_GUESSES: (RATE_LIMIT, "There were too many wrong passcodes recently."),
    DenyReason.ALREADY_ENROLLED: (
        VALIDATION,
        "A telephone is already enrolled: reset it, or use updatePhone.",
    ),
    DenyReason.NOT_PENDING: (WRONG_STATE, "The factor is active already."),
    DenyReason.NOT_ACTIVE: (WRONG_STATE, "The factor is not active yet."),
    DenyReason.FACTOR_LOCKED: (
        LOCKED,
        "The factor is locked, by wrong passcodes or a reported call: it must be reset.",
    ),
    DenyReason.NUMBER_BLOCKED: (INVALID_NUMBER, "Calls to this number are not allowed."),
    DenyReason.DO_NOT_CALL: (OPTED_OUT, "The person at this number wants no calls."),
    DenyReason.CALL_REPORTED: (CALL_LIMIT, "The person at this number did not ask for the last call."),
    DenyReason.ADMINS_ONLY: (ACCESS_DENIED, "Only an admin may activate a telephone without its code."),
    DenyReason.NO_CHALLENGE: (INVALID_PASSCODE, "No code is out: ask for a call first."),
}
"""Every reason; a test holds the table complete."""
_OF_RESULT: Final[Mapping[GuessResult, tuple[Kind, str]]] = {
    GuessResult.DENIED: (INVALID_PASSCODE, "Your passcode doesn't match."),
    GuessResult.EXPIRED: (TIME_WINDOW, "The code has expired: ask for another one."),
    GuessResult.LOCKED: (LOCKED, "There were too many wrong passcodes: ask for another code."),
    GuessResult.CANCELED: (INVALID_PASSCODE, "The code was canceled: ask for another one."),
    GuessResult.REPORTED: (
        INVALID_PASSCODE,
        "The called person did not ask for the call: its code no longer counts.",
    ),
    GuessResult.ALREADY_USED: (REPLAYED, ""),
}
_OF_FIELD: Final[Mapping[str, Kind]] = {
    "phoneNumber": INVALID_NUMBER,
    "phoneExtension": INVALID_EXTENSION,
    "passCode": INVALID_PASSCODE,
}
# Okta has no words of its own for a body that is slow or large, nor for a user of the socket.
_OF_PROBLEM: Final[Mapping[Kind, Kind]] = {
    problems.BAD_REQUEST: NOT_WELL_FORMED,
    problems.KEY_MISSING: INVALID_TOKEN,
    problems.KEY_WRONG: INVALID_TOKEN,
    problems.PEER_NOT_ALLOWED: ACCESS_DENIED,
    problems.SCOPE_MISSING: ACCESS_DENIED,
    problems.NOT_FOUND: PATH_NOT_FOUND,
    problems.METHOD_NOT_ALLOWED: METHOD_NOT_SUPPORTED,
    problems.BODY_TIMEOUT: NOT_WELL_FORMED,
    problems.TOO_LARGE: NOT_WELL_FORMED,
    problems.UNSUPPORTED_TYPE: UNSUPPORTED_TYPE,
    problems.INVALID: VALIDATION,
    problems.INTERNAL: INTERNAL,
    problems.STORE_UNAVAILABLE: UNAVAILABLE,
    problems.OVERLOADED: UNAVAILABLE,
}


def wrong(field: str, error: Exception) -> Refused:
    """Return the error of a field that the domain would not take."""
    return Refused(_OF_FIELD[field], str(error))


def refusal(deny: Deny) -> Refused:
    """Return the error that a refusal by policy is."""
    # A reason that the table lacks is a refusal all the same, and no fault of the server.
    kind, cause = ERROR_OF_REASON.get(
        deny.reason, (ACCESS_DENIED, f"The request was refused: {deny.reason}.")
    )
    if deny.retry_after is None:
        return Refused(kind, told_contact(of_kind(deny) or cause, deny), Facts(reason=str(deny.reason)))
    if kind is CALL_LIMIT:
        # Okta has two codes for this; only the one of a 429 may be tried again by itself.
        kind = CALL_LIMIT_FOR_NOW
    facts = Facts(retry_after_s=deny.retry_after.total_seconds(), reason=str(deny.reason))
    # Okta's own title is no cause, and a cause that is empty would show nobody the contact.
    return Refused(kind, told_contact(cause or kind.title, deny) if deny.contact else cause, facts)


def denial(result: VerifyResult) -> Refused:
    """Return the error that a guess came to which was not right, or not judged."""
    kind, cause = _OF_RESULT[result.result]
    if result.result is GuessResult.DENIED:
        cause = f"{cause} Guesses left: {result.guesses_left}."
    return Refused(kind, cause, Facts(reason=str(result.result)))


def error_response(refused: Refused, request_id: str) -> web.Response:
    """Return the answer with an error, Okta's own or one of Voicegate's."""
    kind, field = _OF_PROBLEM.get(refused.kind, refused.kind), refused.facts.field
    body = OktaError(
        error_code=kind.name,
        error_summary=kind.title if isinstance(field, UnsetType) else f"{kind.title}: {field}",
        error_link=kind.name,
        error_id=request_id,
        error_causes=[ErrorCause(error_summary=refused.detail, reason=refused.facts.reason)],
    )
    headers = {
        **refused.facts.headers,
        **_waiting(refused.facts),
        "X-Okta-Request-Id": request_id,
    }
    return json_response(body, status=kind.status, headers=headers)


def rate_limit(until: datetime) -> dict[str, str]:
    """Return the headers that say: one such request, and none is left until then."""
    return {
        "X-Rate-Limit-Limit": "1",
        "X-Rate-Limit-Remaining": "0",
        # Whole seconds of the Unix clock; rounded down, a client's own retry would come too soon.
        "X-Rate-Limit-Reset": str(math.ceil(until.timestamp())),
    }


def _waiting(facts: Facts) -> dict[str, str]:
    # Okta's SDKs take a 429 or a 503 without these for a fault of the server.
    if isinstance(facts.retry_after_s, UnsetType):
        return {}
    until = datetime.now(UTC) + timedelta(seconds=facts.retry_after_s)
    return {**rate_limit(until), "Retry-After": str(math.ceil(facts.retry_after_s))}
