"""Every error answer of the native API, as problem details (RFC 9457).

Each kind of problem has one status, one type and one title; `detail` says what happened in this case, and
extension members hold facts for programs. Which kind applies is decided where the request is read
(`request_parsing`) and answered (each door's handlers); `middleware` turns a raised `Refused` into the
answer.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, Struct, UnsetType

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem."""

    name: str
    """The last part of its type URI."""
    status: int
    """HTTP status."""
    title: str
    """The title, always the same sentence."""
    fix: str = ""
    """What to do about it; added where `detail` would only repeat the title."""

    @property
    def uri(self) -> str:
        """The problem's `type`."""
        return f"urn:voicegate:problem:{self.name}"


BAD_REQUEST = Kind("bad_request", 400, "The request is malformed.")
KEY_MISSING = Kind(
    "key_missing", 401, "An API key is required.", "`voicegate clients add` gives a client its key."
)
KEY_WRONG = Kind("key_wrong", 401, "The key is unknown, expired or revoked.")
SIGNATURE_WRONG = Kind("signature_wrong", 401, "The message's signature is missing, wrong or too old.")
SCOPE_MISSING = Kind("scope_missing", 403, "The client's scopes do not allow this.")
PEER_NOT_ALLOWED = Kind(
    "peer_not_allowed",
    403,
    "This user may not use the API.",
    "The setting `socket.allowed_users` names those who may.",
)
COUNTRY_NOT_ALLOWED = Kind(
    "country_not_allowed",
    403,
    "Calls to this country are not allowed.",
    "The setting `policy.allowed_countries` lists those that may.",
)
NUMBER_TYPE_NOT_ALLOWED = Kind(
    "number_type_not_allowed", 403, "Calls to this type of number are not allowed."
)
NUMBER_BLOCKED = Kind("number_blocked", 403, "This number is blocked.")
DO_NOT_CALL = Kind("do_not_call", 403, "The person at this number wants no calls.")
CALL_REPORTED = Kind("call_reported", 403, "The person at this number did not ask for this client's call.")
LISTED: Final[tuple[Kind, ...]] = (NUMBER_BLOCKED, DO_NOT_CALL, CALL_REPORTED)
"""What a number on a list can end in."""
ADMINS_ONLY = Kind("admins_only", 403, "Only an admin may do that.")
REFUSED = Kind("refused", 403, "The request was refused.")
NOT_FOUND = Kind("not_found", 404, "Not found.")
METHOD_NOT_ALLOWED = Kind("method_not_allowed", 405, "This method is not allowed here.")
BODY_TIMEOUT = Kind("body_timeout", 408, "The request's body did not arrive in time.")
CALL_IN_PROGRESS = Kind("call_in_progress", 409, "A call to this telephone is in progress.")
NOT_OPEN = Kind("not_open", 409, "The verification has ended.")
ALREADY_ENROLLED = Kind(
    "already_enrolled",
    409,
    "A telephone is already enrolled.",
    "Reset it, or replace its telephone.",
)
NOT_PENDING = Kind("not_pending", 409, "The factor is active already.")
NOT_ACTIVE = Kind("not_active", 409, "The factor is not active yet.", "Activate it with its code.")
FACTOR_LOCKED = Kind(
    "factor_locked",
    409,
    "The factor is locked, by wrong passcodes in a row or by a reported call.",
    "The factor must be reset.",
)
NO_CHALLENGE = Kind("no_challenge", 409, "No code is out.", "Ask for a call first.")
CLIENT_EXISTS = Kind("client_exists", 409, "A client of this name exists, or existed.")
KEY_REUSED = Kind("idempotency_key_reused", 409, "This Idempotency-Key was used before with another request.")
TOO_LARGE = Kind("too_large", 413, "The request's body is too large.")
UNSUPPORTED_TYPE = Kind("unsupported_media_type", 415, "The request's body must be JSON.")
INVALID = Kind("invalid", 422, "A value is not valid.")
NO_ROUTE = Kind(
    "no_route",
    422,
    "No route leads to this destination.",
    "E.164 numbers are routed by `[trunks]`, extensions by the patterns in `[internal]`.",
)
TOO_SOON = Kind("too_soon", 429, "This telephone was called recently.")
RATE_LIMITED = Kind("rate_limited", 429, "Too many such calls were requested recently.")
PREFIX_HELD = Kind(
    "prefix_held",
    429,
    "Calls to numbers like this one are held for a time.",
)
SPEND_LIMITED = Kind("spend_limited", 429, "What such calls may cost in a day is used up.")
PRICE_TOO_HIGH = Kind(
    "price_too_high",
    422,
    "The call could cost more than it may, or its price is not known.",
    "`max_price` says what it may cost, the file of `spend.rates_file` what a minute costs.",
)
TOO_MANY_GUESSES = Kind("too_many_guesses", 429, "There were too many wrong guesses recently.")
TOO_MANY_CALLS = Kind("too_many_calls", 429, "This verification has reached its limit of calls.")
PAGES_OFF = Kind(
    "pages_off",
    409,
    "The URL of the pages is not known.",
    "Set `pages.public_url`, or enable `[tcp]`.",
)
QUEUE_FULL = Kind("queue_full", 503, "All lines are busy and the queue is full.")
STOPPING = Kind("stopping", 503, "Voicegate is being stopped and places no more calls.")
TRUNKS_DOWN = Kind("trunks_down", 503, "No trunk can take a call now.")
INTERNAL = Kind("internal_error", 500, "An internal error occurred in Voicegate.")
TOO_MANY_WAITING = Kind("too_many_waiting", 503, "Too many long polls and event streams are open.")
OVERLOADED = Kind("overloaded", 503, "The server is overloaded.")
NOT_READY = Kind("not_ready", 503, "Calls cannot be placed now.")
STORE_UNAVAILABLE = Kind("store_unavailable", 503, "The database cannot be used now.")

STORED: Final[tuple[Kind, ...]] = (INTERNAL, STORE_UNAVAILABLE)
"""The problems of every operation that uses the database."""


class Problem(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Problem details (RFC 9457)."""

    type: Annotated[str, Meta(description="The kind of problem, as a URI to compare by.")]
    title: Annotated[str, Meta(description="What this kind of problem is, for people.")]
    status: Annotated[int, Meta(description="The HTTP status.")]
    detail: Annotated[str, Meta(description="What is wrong this time, for people.")]
    instance: Annotated[str, Meta(description="This occurrence: a URN that ends in the request id.")]
    field: Annotated[str, Meta(description="Path of the wrong value in the request.")] | UnsetType = UNSET
    retry_after_s: Annotated[float, Meta(description="Seconds after which to try again.")] | UnsetType = UNSET
    failing: Annotated[list[str], Meta(description="What is not ready, one sentence each.")] | UnsetType = (
        UNSET
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """The extension members of a problem."""

    field: str | UnsetType = UNSET
    """Path of the wrong value in the request."""
    retry_after_s: float | UnsetType = UNSET
    """Seconds after which to try again; becomes `Retry-After` too."""
    failing: list[str] | UnsetType = UNSET
    """What is not ready."""
    reason: str | UnsetType = UNSET
    """The policy's reason, for a door whose error codes stand for several reasons; not part of the
    problem."""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Headers of the answer; not part of the problem."""


class Refused(Exception):
    """The request is refused with a problem."""

    def __init__(self, kind: Kind, detail: str = "", facts: Facts | None = None) -> None:
        super().__init__(kind.name)
        self.kind = kind
        self.detail = detail or f"{kind.title} {kind.fix}".rstrip()
        self.facts = facts or Facts()


def problem_response(refused: Refused, request_id: str) -> web.Response:
    """Return the answer with a problem."""
    kind, facts = refused.kind, refused.facts
    body = Problem(
        type=kind.uri,
        title=kind.title,
        status=kind.status,
        detail=refused.detail,
        instance=f"urn:voicegate:request:{request_id}",
        field=facts.field,
        retry_after_s=facts.retry_after_s,
        failing=facts.failing,
    )
    headers = {**facts.headers, "Content-Type": MEDIA_TYPE, "X-Request-Id": request_id}
    if not isinstance(facts.retry_after_s, UnsetType):
        # RFC 9110 counts Retry-After in whole seconds; rounding down would invite a second refusal.
        headers["Retry-After"] = str(math.ceil(facts.retry_after_s))
    return web.Response(status=kind.status, body=msgspec.json.encode(body), headers=headers)
