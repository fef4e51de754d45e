"""The Twilio door's handlers: each reads the request, calls one use case, and writes the answer. They make no
rules.

As Twilio documents, a verification is gone (404) once it is approved or its time is over, and so is, for a
guess, one that was taken back. Parameters that would change what is spoken, or to whom, and cannot be
honoured are refused; those that only describe are ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never

from aiohttp import web

from voicegate.adapters.http import fields, request_parsing
from voicegate.adapters.http.doors import PRINCIPAL, basic
from voicegate.adapters.http.fields import DestinationFields
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.problems import Refused
from voicegate.adapters.http.responses import base_url, json_response
from voicegate.adapters.http.twilio import errors, views
from voicegate.adapters.http.twilio.schemas import (
    Channel,
    CheckForm,
    CheckView,
    UpdateForm,
    VerificationForm,
    VerificationView,
)
from voicegate.adapters.http.twilio.sids import account_of, id_of
from voicegate.adapters.http.twilio.views import UrlContext
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.ports import ChallengeRecord, Clock
from voicegate.application.queries import ChallengeQueries
from voicegate.application.sign_in import Ended, Issued, OtherCode, SignIn
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.announcement import HumanCheck
from voicegate.domain.challenge import OPEN_STATES, ChallengeState, GuessResult, VerifyResult
from voicegate.domain.client import Scope
from voicegate.domain.language import languages_of
from voicegate.domain.passcode import DEFAULT_LENGTH, Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny

Form = Mapping[str, str]

_SERVICE: Final = "/v2/Services/{service}"
_VERIFICATION: Final = f"{_SERVICE}/Verifications/{{sid}}"
_FORM: Final = ("application/x-www-form-urlencoded",)

_JUDGED: Final = frozenset({GuessResult.VERIFIED, GuessResult.DENIED, GuessResult.LOCKED})
"""Results of a guess at a code that still counted: for Twilio, all other codes are gone."""

_NOT_SUPPORTED: Final = (
    "Amount",
    "Payee",
    "CustomFriendlyName",
    "CustomMessage",
    "RateLimits",
    "TemplateSid",
    "TemplateCustomSubstitutions",
)


@dataclass(frozen=True, slots=True)
class TwilioService:
    """What holds for the verifications of one service; its name is the speech adapter's."""

    sid: str
    """By which clients name it."""
    language: str = ""
    """Spoken where no locale is named, or one without prompts; empty: a language of the number's country."""
    code_length: int = DEFAULT_LENGTH
    """Digits in its codes."""
    human_check: HumanCheck = HumanCheck.RANDOM_KEY
    """What proves a person: Twilio's `dtmf_input_required`."""
    lifetime: timedelta = timedelta(minutes=10)
    """From the first call to the last guess."""


@dataclass(frozen=True, slots=True)
class TwilioDependencies:
    """What the Twilio door needs of the dependencies."""

    sign_in: SignIn
    """The use cases around a challenge."""
    challenges: ChallengeQueries
    """The questions about challenges."""
    clock: Clock
    """The clock by which a verification's end is judged."""
    services: Mapping[str, TwilioService]
    """The services, by their SIDs."""
    body_timeout: timedelta = request_parsing.BODY_TIMEOUT
    """How long a request's body may take to arrive."""


class VerificationsDoor:
    """The handlers for verifications."""

    def __init__(self, dependencies: TwilioDependencies) -> None:
        self._dependencies = dependencies
        self._sign_in = dependencies.sign_in
        self._challenges = dependencies.challenges

    @Operation(
        method="POST",
        path=f"{_SERVICE}/Verifications",
        name="CreateVerification",
        scope=Scope.VERIFICATIONS,
        text="Call a number with a code; while one is pending for it, call again with the same code.",
        body=VerificationForm,
        body_types=_FORM,
        success=Success(201, VerificationView, "The verification; a call is about to be placed."),
        refusals=(
            errors.INVALID_PARAMETER,
            errors.NOT_SUPPORTED,
            errors.CHANNEL_DISABLED,
            errors.BLOCKED,
            errors.RANGE_BLOCKED,
            errors.NOT_FOUND,
            errors.TOO_MANY,
            errors.MAX_SENDS,
            errors.MAX_CHECKS,
            *errors.STORED,
        ),
    )
    async def create(self, request: web.Request) -> web.Response:
        """Call a number with a code, or call again with the code that is pending."""
        service, form = self._service(request), await self._form(request)
        spec = _spec(service, form, self._sign_in.min_digits)
        principal = fields.asking_for(
            request[PRINCIPAL], form.get("DeviceIp"), "DeviceIp", refuse=errors.wrong
        )
        answer = await self._sign_in.send(principal, spec)
        match answer:
            case Deny():
                raise errors.refusal(answer)
            case OtherCode():
                raise errors.invalid("CustomCode", "another code is pending; approve or cancel it first")
            case Issued(record):
                return json_response(views.verification(record, place(request)), status=201)
            case _:
                assert_never(answer)

    @Operation(
        method="GET",
        path=_VERIFICATION,
        name="FetchVerification",
        scope=Scope.VERIFICATIONS,
        text="Show a verification that is not gone.",
        success=Success(200, VerificationView, "The verification."),
        refusals=(errors.NOT_FOUND, *errors.STORED),
    )
    async def fetch(self, request: web.Request) -> web.Response:
        """Show a verification."""
        record = self._present(await self._named(request))
        return json_response(views.verification(record, place(request)))

    @Operation(
        method="POST",
        path=_VERIFICATION,
        name="UpdateVerification",
        scope=Scope.VERIFICATIONS,
        text="Cancel a verification, or approve it. Its call is hung up.",
        body=UpdateForm,
        body_types=_FORM,
        success=Success(200, VerificationView, "The verification as it is now."),
        refusals=(errors.INVALID_PARAMETER, errors.NOT_FOUND, *errors.STORED),
    )
    async def update(self, request: web.Request) -> web.Response:
        """Cancel a verification, or take the client's word that it is proven."""
        form = await self._form(request)
        record = self._present(await self._named(request))
        if record.challenge.state not in OPEN_STATES:
            raise Refused(errors.NOT_FOUND)
        changes = {"canceled": self._sign_in.cancel, "approved": self._sign_in.approve}
        change = changes.get(form.get("Status", ""))
        if change is None:
            raise errors.invalid("Status")
        answer = await change(request[PRINCIPAL], record.challenge.id)
        match answer:
            case NotFound():
                raise Refused(errors.NOT_FOUND)
            case Ended(after):
                return json_response(views.verification(after, place(request)))
            case _:
                assert_never(answer)

    @Operation(
        method="POST",
        path=f"{_SERVICE}/VerificationCheck",
        name="CreateVerificationCheck",
        scope=Scope.VERIFICATIONS,
        text="Judge a guess. A wrong one is answered with `valid` false.",
        body=CheckForm,
        body_types=_FORM,
        success=Success(200, CheckView, "What the guess came to."),
        refusals=(
            errors.INVALID_PARAMETER,
            errors.NO_TARGET,
            errors.NOT_FOUND,
            errors.MAX_CHECKS,
            *errors.STORED,
        ),
    )
    async def check(self, request: web.Request) -> web.Response:
        """Judge a guess."""
        form = await self._form(request)
        guess = _code(form, "Code")
        if guess is None:
            raise errors.invalid("Code")
        record = self._present(await self._target(request, form))
        challenge = record.challenge
        if challenge.state is ChallengeState.LOCKED:
            raise errors.waiting(errors.MAX_CHECKS, challenge.left(self._dependencies.clock.now()))
        answer = await self._sign_in.verify(request[PRINCIPAL], challenge.id, guess)
        match answer:
            case NotFound():
                raise Refused(errors.NOT_FOUND)
            case VerifyResult():
                if answer.result not in _JUDGED:
                    raise Refused(errors.NOT_FOUND)
                after = await self._challenges.look(request[PRINCIPAL], challenge.id)
                return json_response(views.check(after or record, place(request)))
            case _:
                assert_never(answer)

    async def _form(self, request: web.Request) -> Form:
        return await request_parsing.read_form(request, self._dependencies.body_timeout)

    def _service(self, request: web.Request) -> TwilioService:
        service = self._dependencies.services.get(request.match_info["service"])
        if service is None:
            raise Refused(errors.NOT_FOUND)
        return service

    async def _target(self, request: web.Request, form: Form) -> ChallengeRecord | None:
        """Return the verification of a guess."""
        if sid := form.get("VerificationSid"):
            return await self._by_sid(request, sid)
        if to := form.get("To"):
            number = destination("To", to).number
            return await self._challenges.newest(request[PRINCIPAL], number, self._service(request).sid)
        raise Refused(errors.NO_TARGET)

    async def _named(self, request: web.Request) -> ChallengeRecord | None:
        """Return the verification in a path, by its SID or by the called number."""
        sid = request.match_info["sid"]
        if id_of(sid, "ver") is not None:
            return await self._by_sid(request, sid)
        number = fields.read_destination(sid, refuse=lambda *_: Refused(errors.NOT_FOUND)).number
        return await self._challenges.newest(request[PRINCIPAL], number, self._service(request).sid)

    async def _by_sid(self, request: web.Request, sid: str) -> ChallengeRecord | None:
        service, challenge_id = self._service(request), id_of(sid, "ver")
        record = await self._challenges.look(request[PRINCIPAL], challenge_id) if challenge_id else None
        return record if record is not None and record.challenge.service == service.sid else None

    def _present(self, record: ChallengeRecord | None) -> ChallengeRecord:
        """Return a verification that is not gone.

        Raises:
            Refused: it is gone, or never existed.
        """
        if record is None or record.challenge.state is ChallengeState.VERIFIED:
            raise Refused(errors.NOT_FOUND)
        if self._dependencies.clock.now() >= record.challenge.expires_at:
            raise Refused(errors.NOT_FOUND)
        return record


def destination(parameter: str, number: str, digits: str | None = None) -> Destination:
    """Return the telephone in the parameters.

    Raises:
        Refused: they hold no valid telephone.
    """
    names = DestinationFields(parameter, "SendDigits")
    return fields.read_destination(number, digits, fields=names, refuse=errors.wrong)


def place(request: web.Request) -> UrlContext:
    """Return the context of an answer's URLs, with the account SID that the client sent."""
    sent = basic(request)
    is_sid = sent is not None and sent.client is not None and sent.client.startswith("AC")
    account = str(sent.client) if sent is not None and is_sid else account_of(request[PRINCIPAL].name)
    return UrlContext(base_url(request), account)


def _spec(service: TwilioService, form: Form, min_digits: int) -> ChallengeSpec:
    for parameter in _NOT_SUPPORTED:
        if form.get(parameter):
            raise errors.not_supported(parameter)
    if "Channel" not in form or form["Channel"] not in list(Channel):
        raise errors.invalid("Channel")
    if form["Channel"] != Channel.CALL:
        raise Refused(errors.CHANNEL_DISABLED)
    called = destination("To", form.get("To", ""), form.get("SendDigits"))
    own = (service.language,) if service.language else languages_of(called.country)
    return ChallengeSpec(
        called,
        languages=tuple(filter(None, (form.get("Locale"), *own))),
        passcode=_own_code(form, min_digits),
        passcode_length=service.code_length,
        human_check=service.human_check,
        lifetime=service.lifetime,
        service=service.sid,
    )


def _own_code(form: Form, min_digits: int) -> Passcode | None:
    """Return the client's own code; None: it has none.

    Raises:
        Refused: it is not a code, or too short.
    """
    if not form.get("CustomCode"):
        return None
    return fields.read_own_code(form["CustomCode"], "CustomCode", at_least=min_digits, refuse=errors.wrong)


def _code(form: Form, parameter: str) -> Passcode | None:
    """Return the code in a parameter; None: it is empty.

    Raises:
        Refused: it is not a code.
    """
    if not form.get(parameter):
        return None
    return fields.read_passcode(form[parameter], parameter, refuse=errors.wrong)
