"""The door for an Okta organisation's telephony inline hook: Okta makes the code, Voicegate speaks it.

Sources: Okta's documents "Telephony inline hook reference" and the `x-webhooks` of its OpenAPI file. Okta
waits three seconds and asks once; if anything goes wrong, it sends another code through a provider of its
own. Therefore the answer comes first, within a second, and the call after it: if the answer did not reach
Okta, the call is not placed. Okta's examples write numbers and codes with and without quotes, and channels in
three ways.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, assert_never

import structlog
from aiohttp import web
from msgspec import Meta, Struct

from voicegate import __version__
from voicegate.adapters.http import fields, problems, request_parsing
from voicegate.adapters.http.doors import PRINCIPAL, Door, any_form, with_id
from voicegate.adapters.http.external_codes import handed_over
from voicegate.adapters.http.fields import DestinationFields
from voicegate.adapters.http.openapi import BASIC, BEARER, NATIVE, Description, ErrorFormat
from voicegate.adapters.http.operations import Operation, Success, routes_of
from voicegate.adapters.http.problems import Refused
from voicegate.adapters.http.protocol import protocol_of
from voicegate.adapters.http.responses import json_response
from voicegate.adapters.http.schemas import Discreet
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.ports import Clock
from voicegate.application.sign_in import Issued, IssueRequest, SignIn
from voicegate.application.unit_of_work import KeyReused
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.client import Scope
from voicegate.domain.errors import (
    StoreError,
    TooLate,
)
from voicegate.domain.number_reading import NumberStyle
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny

log = structlog.get_logger(__name__)

PATH: Final = "/hooks/okta/telephony"
MAX_BODY_BYTES: Final = 256 * 1024
"""Okta's own limit."""
ANSWER_WITHIN: Final = timedelta(milliseconds=800)
_TO_TELL: Final = 0.4
"""The share of that time that is reserved for the commit and the answer; with less time left, nothing is
stored."""
_STORE_SHARE: Final = 0.4
"""The longest share of it that a code may wait for the store."""
_EVENT_TYPE: Final = "com.okta.telephony.provider"
_LONGEST: Final = timedelta(days=1)
_CALLS: Final = ("call", "voice", "voicecall")
_STYLE: Final = NumberStyle(plus_is_optional=True)
_NUMBER: Final = DestinationFields("phoneNumber", "phoneNumber")
_UNREADABLE: Final = {"phoneNumber": "invalid_number", "otpCode": "invalid_code"}
_SENDER: Final = "okta-hook"
_STATUSES: Final[Mapping[ChallengeState, str]] = {
    ChallengeState.DELIVERING: "PENDING",
    ChallengeState.DELIVERED: "SUCCESSFUL",
}


class MessageProfile(Discreet, rename="camel", frozen=True, kw_only=True):
    """The code and whom to call."""

    phone_number: str | int
    otp_code: str | int
    delivery_channel: str | None = None
    locale: str | None = None
    otp_expires: str | None = None


class TelephonyData(Struct, rename="camel", frozen=True):
    """An event's data."""

    message_profile: MessageProfile


class TelephonyEvent(Struct, rename="camel", frozen=True, kw_only=True):
    """What Okta sends; other fields are ignored."""

    event_id: Annotated[str, Meta(min_length=1, max_length=200)]
    event_type: str
    data: TelephonyData


class ActionValue(Struct, rename="camel", frozen=True, kw_only=True):
    """What becomes of the call."""

    status: str
    provider: str
    transaction_id: str
    transaction_metadata: str


class Command(Struct, frozen=True, kw_only=True):
    """One command of an answer."""

    value: list[ActionValue]
    type: str = "com.okta.telephony.action"


class Answer(Struct, frozen=True):
    """The answer."""

    commands: list[Command]


class ErrorCause(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is wrong in this case."""

    error_summary: str
    reason: str
    location: str


class HookError(Struct, frozen=True, kw_only=True, rename="camel"):
    """What kind of error it is."""

    error_summary: str
    error_causes: list[ErrorCause]


class Refusal(Struct, frozen=True):
    """An error; Okta writes it into its log."""

    error: HookError


ERROR_FORMAT: Final = ErrorFormat(
    path="/openapi/okta-hook.json",
    about="""The telephony inline hook of an Okta organisation: Okta makes a code, Voicegate speaks it.

The answer says what will become of the call, and the call follows. On TCP the client's key goes into the
hook's `Authorization` field: after `Bearer`, as the password of `Basic`, or bare.""",
    refusal=Refusal,
    media_type="application/json",
    name_of=lambda kind: kind.name,
    # An overload is FAILED, and so is a request that came too late.
    always=tuple(kind for kind in NATIVE.always if kind is not problems.OVERLOADED),
    scoped=NATIVE.scoped,
    title="Voicegate for Okta's telephony inline hook",
    schemes={"key": BEARER, "password": BASIC},
    tags={"telephony": "Okta's hook.", "service": "This description."},
)
"""How the door introduces itself."""


@dataclass(frozen=True, slots=True)
class OktaHook:
    """What the door needs."""

    sign_in: SignIn
    """The use cases around a challenge."""
    clock: Clock
    """The clock by which a code's expiry is judged."""
    provider: str = "Voicegate"
    """What Okta's log shows as the provider."""
    extensions: Mapping[str, str] = field(default_factory=dict)
    """Landline extensions by E.164 number: the hook has no field for them."""
    answer_within: timedelta = ANSWER_WITHIN
    """How long the answer may take."""


class _Handlers:
    """The door's handlers."""

    def __init__(self, hook: OktaHook) -> None:
        self._hook = hook

    @Operation(
        method="POST",
        path=PATH,
        name="oktaTelephonyHook",
        text="Speak a code that Okta made. PENDING: the call follows; FAILED: nobody is called.",
        body=TelephonyEvent,
        success=Success(200, Answer, "What becomes of the call."),
        refusals=(
            problems.BAD_REQUEST,
            problems.TOO_LARGE,
            problems.UNSUPPORTED_TYPE,
            problems.INVALID,
            problems.INTERNAL,
        ),
        scope=Scope.HOOKS,
    )
    async def speak(self, request: web.Request) -> web.StreamResponse:
        """Answer what will become of the call, and place it once the answer is sent."""
        deadline = protocol_of(request).began_at + self._hook.answer_within.total_seconds()
        event = await request_parsing.read_body(
            request.clone(client_max_size=MAX_BODY_BYTES), TelephonyEvent, _left_until(deadline)
        )
        if event.event_type != _EVENT_TYPE:
            raise Refused(problems.INVALID, f"eventType: is not {_EVENT_TYPE}")
        handed = self._read(request, event, deadline)
        if isinstance(handed, str):
            return self._answer(request, "FAILED", reason=handed)
        issuing = asyncio.ensure_future(self._hook.sign_in.issue(handed))
        done, _ = await asyncio.wait([issuing], timeout=_left_until(deadline).total_seconds())
        is_accepted = bool(done) and not isinstance(issuing.exception(), TooLate)
        if is_accepted:
            response = self._tell(request, issuing.result())
        else:
            response = self._answer(request, "FAILED", reason="too_slow")
        is_told = await _send(request, response) and is_accepted
        await self._place_or_withdraw(handed, issuing, is_told=is_told)
        return response

    async def _place_or_withdraw(
        self, handed: IssueRequest, issuing: Awaitable[Issued | KeyReused | Deny], *, is_told: bool
    ) -> None:
        """Place the call, or cancel it. The answer is already sent, so a failure from here on is only
        logged."""
        try:
            issued = await issuing
            if isinstance(issued, Issued) and is_told:
                self._hook.sign_in.release(issued)
            elif isinstance(issued, Issued):
                # Okta sends a code of its own by now.
                await self._hook.sign_in.withdraw(handed.principal, issued)
        except TooLate:
            pass  # so nothing was stored
        except StoreError as error:
            log.error("verification not canceled, or never accepted", error=str(error))

    def _read(self, request: web.Request, event: TelephonyEvent, deadline: float) -> IssueRequest | str:
        """Return the code to speak, or why it cannot be spoken; after the deadline the result is useless."""
        profile = event.data.message_profile
        if refused := _refused_channel(profile.delivery_channel):
            return refused
        try:
            destination = fields.read_destination(str(profile.phone_number), fields=_NUMBER, style=_STYLE)
            passcode = fields.read_passcode(str(profile.otp_code), "otpCode")
        except Refused as wrong:
            return _UNREADABLE[str(wrong.facts.field)]
        if destination.is_internal:
            return "invalid_number"
        lifetime = _left(profile.otp_expires, self._hook.clock.now())
        if lifetime is not None and lifetime <= timedelta():
            return "expired"
        spec = ChallengeSpec(
            replace(destination, extension=self._extension(destination)),
            languages=(profile.locale,) if profile.locale else (),
            passcode=passcode,
            lifetime=lifetime,
        )
        handed = handed_over(request[PRINCIPAL], spec, event.event_id, sender=_SENDER, is_held=True)
        left = _left_until(deadline - _TO_TELL * self._hook.answer_within.total_seconds())
        return replace(handed, until=self._hook.clock.now() + left) if left else "too_slow"

    def _extension(self, destination: Destination) -> str | None:
        return destination.extension or self._hook.extensions.get(destination.number)

    def _tell(self, request: web.Request, issued: Issued | KeyReused | Deny) -> web.Response:
        match issued:
            case Issued(record):
                challenge = record.challenge
                status = _STATUSES.get(challenge.state, "FAILED")
                return self._answer(request, status, transaction=challenge.id, reason=str(challenge.state))
            case Deny():
                return self._answer(request, "FAILED", reason=str(issued.reason))
            case KeyReused():
                return self._answer(request, "FAILED", reason="event_id_reused")
            case _:
                assert_never(issued)

    def refuse(self, refused: Refused, request_id: str) -> web.Response:
        """Return an error in Okta's format; Okta writes it into its log. What came too late or is too much
        now is FAILED, an ordinary answer, after which Okta goes on at once."""
        if refused.kind in (problems.OVERLOADED, problems.BODY_TIMEOUT):
            return self._told(request_id, "FAILED", reason=refused.kind.name)
        cause = ErrorCause(error_summary=refused.detail, reason=refused.kind.name, location=PATH)
        error = HookError(error_summary=refused.kind.title, error_causes=[cause])
        headers = {**refused.facts.headers, "X-Request-Id": request_id}
        return json_response(Refusal(error), status=refused.kind.status, headers=headers)

    def _answer(
        self, request: web.Request, status: str, *, reason: str, transaction: str | None = None
    ) -> web.Response:
        return self._told(request[PRINCIPAL].request_id, status, reason=reason, transaction=transaction)

    def _told(
        self, request_id: str, status: str, *, reason: str, transaction: str | None = None
    ) -> web.Response:
        value = ActionValue(
            status=status,
            provider=self._hook.provider,
            transaction_id=transaction or request_id,
            transaction_metadata=reason,
        )
        # The id here and not by the frame: the answer is out before that sees it.
        return json_response(Answer([Command(value=[value])]), headers={"X-Request-Id": request_id})


def okta_hook_door(hook: OktaHook) -> Door:
    """Return the door."""
    handlers = _Handlers(hook)
    routes = Description(ERROR_FORMAT).complete(routes_of(handlers), __version__)
    return Door(
        routes,
        prefixes=(PATH, ERROR_FORMAT.path),
        read_key=any_form,
        scheme="Basic",
        answer=with_id(handlers.refuse),
        store_wait_s=_STORE_SHARE * hook.answer_within.total_seconds(),
    )


def _refused_channel(channel: str | None) -> str | None:
    """Return why nobody is called, by the channel in Okta's message; None: the channel is a call.

    Okta's documents write "CALL", "Voice" and "voice call", and leave it out of an example with a call.
    """
    if channel is None:
        return None
    letters = "".join(filter(str.isalpha, channel.lower()))
    if letters in _CALLS:
        return None
    return "sms_not_supported" if letters == "sms" else "channel_not_supported"


async def _send(request: web.Request, response: web.Response) -> bool:
    """Send the whole answer; False: the peer has disconnected."""
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        return False
    return request.transport is not None and not request.transport.is_closing()


def _left_until(deadline: float) -> timedelta:
    """Return the time until a moment of the loop's clock; zero if that has passed."""
    return timedelta(seconds=max(0.0, deadline - asyncio.get_running_loop().time()))


def _left(expires: str | None, now: datetime) -> timedelta | None:
    """Return how long a code is valid, a day at most; None: it cannot be read."""
    try:
        moment = datetime.fromisoformat(expires or "")
    except ValueError:
        return None
    return min((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now, _LONGEST)
