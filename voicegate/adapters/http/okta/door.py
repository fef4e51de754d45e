"""The Okta door's handlers: each reads, asks one use case, and shows the answer. No rule is made here.

A domain subscriber is a *user* in this door, as in Okta's API. What can be asked is listed in `routes`;
refusals are values that `errors` gives Okta's form.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never
from urllib.parse import unquote_to_bytes

from aiohttp import web
from msgspec import Struct

from voicegate.adapters.http import request_parsing
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.okta import errors, views
from voicegate.adapters.http.okta.schemas import (
    MAX_EXTENSION,
    ChallengeQuery,
    EnrollQuery,
    NewFactor,
    Nothing,
    PassCode,
    PhoneProfile,
    Resend,
    UnenrollQuery,
    Verification,
)
from voicegate.adapters.http.okta.views import Shape
from voicegate.adapters.http.problems import Facts, Refused
from voicegate.adapters.http.responses import base_url, json_response
from voicegate.application.enrollment import (
    Enrollment,
    EnrollRequest,
    FactorCalled,
    FactorGuess,
    FactorReset,
    OtherTelephone,
)
from voicegate.application.queries import FactorQueries
from voicegate.application.store_port import FactorRecord
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.challenge import DEFAULT_LIFETIME, GuessResult
from voicegate.domain.errors import InvalidExtension, InvalidNumber, InvalidPasscode
from voicegate.domain.factor import LIVING_STATES
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny

_LONGEST_USER: Final = 255
# "/", "api", "v1", "users", and the user.
_USER_PART: Final = 4


@dataclass(frozen=True, slots=True)
class OktaDependencies:
    """What the Okta door needs of the house."""

    enrollment: Enrollment
    """The use cases around a factor."""
    factors: FactorQueries
    """The questions about factors."""
    sdk3_compat: bool = False
    """Are answers bent to what Okta's 3.x Python SDK believes?"""
    body_timeout: timedelta = request_parsing.BODY_TIMEOUT
    """How long a request's body may take to arrive."""


class OktaDoor:
    """The handlers of the Okta door."""

    def __init__(self, house: OktaDependencies) -> None:
        self._house = house
        self._enrollment = house.enrollment
        self._factors = house.factors

    async def enroll(self, request: web.Request) -> web.Response:
        """Bind a telephone to a user and call it; the answer does not wait for the call."""
        query = request_parsing.read_query(request, EnrollQuery)
        body = await request_parsing.read_body(request, NewFactor, self._house.body_timeout)
        if (body.factor_type, body.provider.upper()) != ("call", "OKTA"):
            raise _invalid("factorType", "only `call` of provider `OKTA` can be enrolled here")
        lifetime = query.token_lifetime_seconds
        answer = await self._enrollment.enroll(
            EnrollRequest(
                principal=request[PRINCIPAL],
                subscriber=_user(request),
                destination=_destination(body.profile),
                languages=request_parsing.read_languages(request),
                activation_lifetime=timedelta(seconds=lifetime) if lifetime else DEFAULT_LIFETIME,
                replaces=LIVING_STATES if query.update_phone else frozenset(),
                is_proven=query.activate,
            )
        )
        return self._called(request, answer)

    async def activate(self, request: web.Request) -> web.Response:
        """Judge a guess at the activation's code."""
        guess = await self._guess(request)
        if guess is None:
            raise _invalid("passCode", "is missing")
        answer = await self._enrollment.activate(
            request[PRINCIPAL], _factor_id(request), guess, subscriber=_user(request)
        )
        return _json(request, views.factor(_proven(answer), self._shape(request)))

    async def resend(self, request: web.Request) -> web.Response:
        """Call again for the activation."""
        body = await request_parsing.read_optional_body(request, Resend, self._house.body_timeout)
        answer = await self._enrollment.resend(
            request[PRINCIPAL],
            _factor_id(request),
            subscriber=_user(request),
            named=_destination(body.profile) if body and body.profile else None,
        )
        if isinstance(answer, OtherTelephone):
            raise _invalid("profile", "to use another telephone, enroll it as another factor")
        return self._called(request, answer)

    async def verify(self, request: web.Request) -> web.Response:
        """Call with a code for a sign-in, or judge a guess at it."""
        query = request_parsing.read_query(request, ChallengeQuery)
        guess = await self._guess(request)
        principal, factor_id, user = request[PRINCIPAL], _factor_id(request), _user(request)
        if guess is None:
            seconds = query.token_lifetime_seconds
            lifetime = timedelta(seconds=seconds) if seconds else None
            called = await self._enrollment.challenge(principal, factor_id, lifetime, subscriber=user)
            return self._called(request, called, shown=views.challenge)
        _proven(await self._enrollment.verify(principal, factor_id, guess, subscriber=user))
        return _json(request, Verification(factor_result="SUCCESS"))

    async def poll(self, request: web.Request) -> web.Response:
        """Show where a factor's newest code stands, and its call."""
        found = await self._found(request)
        newest = found.challenge
        if newest is None or newest.challenge.id != request.match_info["transactionId"]:
            raise Refused(errors.NOT_FOUND, "This is not the factor's newest code.")
        return _json(request, views.challenge(found, self._shape(request)))

    async def list(self, request: web.Request) -> web.Response:
        """List a user's factors."""
        shape = self._shape(request)
        records = await self._factors.list(request[PRINCIPAL], _user(request))
        return _json(request, [views.factor(record, shape) for record in records])

    async def get(self, request: web.Request) -> web.Response:
        """Show a factor."""
        return _json(request, views.factor(await self._found(request), self._shape(request)))

    async def catalog(self, request: web.Request) -> web.Response:
        """Show what a user can enroll, and how far that has come."""
        records = await self._factors.list(request[PRINCIPAL], _user(request))
        return _json(request, [views.supported(records, self._shape(request))])

    async def unenroll(self, request: web.Request) -> web.Response:
        """End a factor."""
        request_parsing.read_query(request, UnenrollQuery)
        answer = await self._enrollment.reset(
            request[PRINCIPAL], _factor_id(request), subscriber=_user(request)
        )
        match answer:
            case NotFound():
                raise _gone()
            case FactorReset():
                return web.Response(status=204, headers=_request_id(request))
            case _:
                assert_never(answer)

    async def reset(self, request: web.Request) -> web.Response:
        """End all factors of a user."""
        await self._enrollment.reset_all(request[PRINCIPAL], _user(request))
        return _json(request, Nothing())

    async def _found(self, request: web.Request) -> FactorRecord:
        record = await self._factors.get(request[PRINCIPAL], _factor_id(request))
        if record is None or record.factor.subscriber != _user(request):
            raise _gone()
        return record

    async def _guess(self, request: web.Request) -> Passcode | None:
        """Return the guess in a request; None: there is none, in whichever of the ways to send none."""
        body = await request_parsing.read_optional_body(request, PassCode, self._house.body_timeout)
        if body is None or not body.pass_code:
            return None
        try:
            return Passcode.parse(body.pass_code)
        except InvalidPasscode as error:
            raise Refused(errors.INVALID_PASSCODE, str(error)) from error

    def _called(
        self,
        request: web.Request,
        answer: FactorCalled | Deny | NotFound,
        *,
        shown: Callable[[FactorRecord, Shape], Struct] = views.factor,
    ) -> web.Response:
        match answer:
            case NotFound():
                raise _gone()
            case Deny():
                raise errors.refusal(answer)
            case FactorCalled():
                headers = errors.rate_limit(answer.next_call_at) if answer.next_call_at else {}
                return _json(request, shown(answer, self._shape(request)), headers)
            case _:
                assert_never(answer)

    def _shape(self, request: web.Request) -> Shape:
        return Shape(base_url(request), _user(request), is_sdk3=self._house.sdk3_compat)


def _user(request: web.Request) -> str:
    try:
        # From the path as it was sent: decoded, bytes that are no UTF-8 would be another user's name.
        user = unquote_to_bytes(request.rel_url.raw_parts[_USER_PART]).decode("utf-8")
    except UnicodeDecodeError:
        user = ""
    if not user or len(user) > _LONGEST_USER or request_parsing.has_controls(user):
        raise Refused(errors.NOT_FOUND, "A user's name has 1 to 255 characters in UTF-8.")
    return user


def _destination(profile: PhoneProfile) -> Destination:
    extension = profile.phone_extension
    try:
        if extension is not None and len(extension) > MAX_EXTENSION:
            raise InvalidExtension(f"An extension has at most {MAX_EXTENSION} characters.")
        return Destination.parse(profile.phone_number, extension)
    except InvalidNumber as error:
        raise Refused(errors.INVALID_NUMBER, str(error)) from error
    except InvalidExtension as error:
        raise Refused(errors.INVALID_EXTENSION, str(error)) from error


def _proven(answer: FactorGuess | Deny | NotFound) -> FactorRecord:
    """Return the factor at whose code a guess was right.

    Raises:
        Refused: it was not, or was not judged.
    """
    match answer:
        case NotFound():
            raise _gone()
        case Deny():
            raise errors.refusal(answer)
        case FactorGuess():
            if answer.result is not GuessResult.VERIFIED:
                raise errors.denial(answer)
            return answer.record
        case _:
            assert_never(answer)


def _factor_id(request: web.Request) -> str:
    return request.match_info["factorId"]


def _invalid(field: str, what: str) -> Refused:
    return Refused(errors.VALIDATION, f"{field}: {what}", Facts(field=field))


def _gone() -> Refused:
    return Refused(errors.NOT_FOUND, "This user has no such factor.")


def _request_id(request: web.Request) -> dict[str, str]:
    return {"X-Okta-Request-Id": request[PRINCIPAL].request_id}


def _json(
    request: web.Request, body: Struct | Sequence[Struct], headers: Mapping[str, str] | None = None
) -> web.Response:
    return json_response(body, headers={**(headers or {}), **_request_id(request)})
