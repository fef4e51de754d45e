"""The Okta door's handlers: each reads, asks one use case, and shows the answer. No rule is made here.

A domain subscriber is a *user* in this door, as in Okta's API. What is read of a
request is in `request_parsing`; refusals are values that `errors` gives Okta's form.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, assert_never

from aiohttp import web
from msgspec import Struct

from voicegate.adapters.http import request_parsing
from voicegate.adapters.http.doors import END_USER_IP, PRINCIPAL
from voicegate.adapters.http.okta import errors, views
from voicegate.adapters.http.okta import request_parsing as reading
from voicegate.adapters.http.okta.schemas import (
    ChallengeQuery,
    EnrollQuery,
    FactorView,
    NewFactor,
    Nothing,
    PassCode,
    Resend,
    SupportedFactor,
    UnenrollQuery,
    Verification,
)
from voicegate.adapters.http.okta.views import Shape
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.problems import Kind, Refused
from voicegate.adapters.http.responses import base_url, json_response
from voicegate.application.enrollment import Enrollment, EnrollRequest
from voicegate.application.factor_answers import FactorCalled, FactorGuess, FactorReset, OtherTelephone
from voicegate.application.pending_call import CodeRequest
from voicegate.application.queries import FactorQueries
from voicegate.application.store_port import FactorRecord
from voicegate.application.unit_of_work import KeyReused, NotFound
from voicegate.domain.challenge import DEFAULT_LIFETIME, GuessResult
from voicegate.domain.client import Principal, Scope
from voicegate.domain.factor import LIVING_STATES
from voicegate.domain.policy import Deny

_FACTORS: Final = "/api/v1/users/{userId}/factors"
_FACTOR: Final = f"{_FACTORS}/{{factorId}}"
_STORED: Final[tuple[Kind, ...]] = (errors.NOT_FOUND, errors.INTERNAL, errors.UNAVAILABLE)
_BODY: Final[tuple[Kind, ...]] = (errors.VALIDATION, errors.NOT_WELL_FORMED, errors.UNSUPPORTED_TYPE)
_NUMBER: Final[tuple[Kind, ...]] = (errors.INVALID_NUMBER, errors.INVALID_EXTENSION)
_CALL: Final[tuple[Kind, ...]] = (
    errors.INVALID_NUMBER,
    errors.OPTED_OUT,
    errors.COUNTRY,
    errors.LOCKED,
    errors.RATE_LIMIT,
    errors.RECENTLY_CALLED,
    errors.CALL_LIMIT,
    errors.CALL_LIMIT_FOR_NOW,
)
_GUESS: Final[tuple[Kind, ...]] = (
    errors.INVALID_PASSCODE,
    errors.LOCKED,
    errors.REPLAYED,
    errors.TIME_WINDOW,
    errors.WRONG_STATE,
)
_CALLED: Final = {
    "X-Rate-Limit-Limit": "1: one call at a time.",
    "X-Rate-Limit-Remaining": "0.",
    "X-Rate-Limit-Reset": "When this user may be called again, in seconds of the Unix clock.",
}


@dataclass(frozen=True, slots=True)
class OktaDependencies:
    """What the Okta door needs of the dependencies."""

    enrollment: Enrollment
    """The use cases around a factor."""
    factors: FactorQueries
    """The questions about factors."""
    end_user_ip: bool = False
    """Does `X-Forwarded-For` tell for whom a client asks?"""
    sdk3_compat: bool = False
    """Are answers bent to what Okta's 3.x Python SDK believes?"""
    body_timeout: timedelta = request_parsing.BODY_TIMEOUT
    """How long a request's body may take to arrive."""


class FactorsDoor:
    """The handlers for factors."""

    def __init__(self, dependencies: OktaDependencies) -> None:
        self._dependencies = dependencies
        self._enrollment = dependencies.enrollment
        self._factors = dependencies.factors

    @Operation(
        method="GET",
        path=f"{_FACTORS}/catalog",
        name="listSupportedFactors",
        scope=Scope.FACTORS,
        text="List what a user can enroll: one telephone.",
        success=Success(200, SupportedFactor, "One kind of factor.", is_list=True),
        refusals=_STORED,
    )
    async def catalog(self, request: web.Request) -> web.Response:
        """Show what a user can enroll, and how far that has come."""
        records = await self._factors.list(request[PRINCIPAL], reading.read_user(request))
        return _json(request, [views.supported(records, self._shape(request))])

    @Operation(
        method="GET",
        path=_FACTORS,
        name="listFactors",
        scope=Scope.FACTORS,
        text="List a user's factors: the client's own one; for an admin, one of each client.",
        success=Success(200, FactorView, "The factors.", is_list=True),
        refusals=_STORED,
    )
    async def list(self, request: web.Request) -> web.Response:
        """List a user's factors."""
        shape = self._shape(request)
        records = await self._factors.list(request[PRINCIPAL], reading.read_user(request))
        return _json(request, [views.factor(record, shape) for record in records])

    @Operation(
        method="POST",
        path=_FACTORS,
        name="enrollFactor",
        scope=Scope.FACTORS,
        text="Bind a telephone to a user and call it with a code. The answer does not wait for the call. "
        "The same telephone again, while it is not active, is the same factor.",
        body=NewFactor,
        query=EnrollQuery,
        headers={
            "Accept-Language": "Languages of the calls, best first; one that is not installed is passed by."
        },
        success=Success(200, FactorView, "The factor, to be activated by its code.", _CALLED),
        refusals=(*_BODY, *_NUMBER, *_CALL, *_STORED),
    )
    async def enroll(self, request: web.Request) -> web.Response:
        """Bind a telephone to a user and call it; the answer does not wait for the call."""
        query = request_parsing.read_query(request, EnrollQuery)
        body = await request_parsing.read_body(request, NewFactor, self._dependencies.body_timeout)
        if (body.factor_type, body.provider.upper()) != ("call", "OKTA"):
            raise reading.invalid("factorType", "only `call` of provider `OKTA` can be enrolled here")
        lifetime = query.token_lifetime_seconds
        answer = await self._enrollment.enroll(
            EnrollRequest(
                principal=self._principal(request),
                subscriber=reading.read_user(request),
                destination=reading.read_destination(body.profile),
                languages=request_parsing.read_languages(request),
                activation_lifetime=timedelta(seconds=lifetime) if lifetime else DEFAULT_LIFETIME,
                replaces=LIVING_STATES if query.update_phone else frozenset(),
                is_proven=query.activate,
            )
        )
        return self._called(request, answer)

    @Operation(
        method="GET",
        path=_FACTOR,
        name="getFactor",
        scope=Scope.FACTORS,
        text="Show a factor, and what became of its newest code.",
        success=Success(200, FactorView, "The factor."),
        refusals=_STORED,
    )
    async def get(self, request: web.Request) -> web.Response:
        """Show a factor."""
        return _json(request, views.factor(await self._found(request), self._shape(request)))

    @Operation(
        method="DELETE",
        path=_FACTOR,
        name="unenrollFactor",
        scope=Scope.FACTORS,
        text="End a factor and its open codes, and hang up its call.",
        query=UnenrollQuery,
        success=Success(204, None, "The factor was reset."),
        refusals=(errors.VALIDATION, *_STORED),
    )
    async def unenroll(self, request: web.Request) -> web.Response:
        """End a factor."""
        request_parsing.read_query(request, UnenrollQuery)
        answer = await self._enrollment.reset(
            request[PRINCIPAL], reading.factor_id(request), subscriber=reading.read_user(request)
        )
        match answer:
            case NotFound():
                raise _gone()
            case FactorReset():
                return web.Response(status=204, headers=_request_id(request))
            case _:
                assert_never(answer)

    @Operation(
        method="POST",
        path=f"{_FACTOR}/lifecycle/activate",
        name="activateFactor",
        scope=Scope.FACTORS,
        text="Activate a factor by the code that was spoken.",
        body=PassCode,
        success=Success(200, FactorView, "The factor, active."),
        refusals=(*_BODY, *_GUESS, *_STORED),
    )
    async def activate(self, request: web.Request) -> web.Response:
        """Judge a guess at the activation's code."""
        guess = await reading.read_guess(request, self._dependencies.body_timeout)
        if guess is None:
            raise reading.invalid("passCode", "is missing")
        answer = await self._enrollment.activate(
            request[PRINCIPAL], reading.factor_id(request), guess, subscriber=reading.read_user(request)
        )
        return _json(request, views.factor(_proven(answer), self._shape(request)))

    @Operation(
        method="POST",
        path=f"{_FACTOR}/resend",
        name="resendEnrollFactor",
        scope=Scope.FACTORS,
        text="Call again for the activation, with the same code while that counts.",
        body=Resend,
        is_body_required=False,
        success=Success(200, FactorView, "The factor.", _CALLED),
        refusals=(*_BODY, errors.INVALID_EXTENSION, errors.WRONG_STATE, *_CALL, *_STORED),
    )
    async def resend(self, request: web.Request) -> web.Response:
        """Call again for the activation."""
        body = await request_parsing.read_optional_body(request, Resend, self._dependencies.body_timeout)
        answer = await self._enrollment.resend(
            self._principal(request),
            reading.factor_id(request),
            subscriber=reading.read_user(request),
            named=reading.read_destination(body.profile) if body and body.profile else None,
        )
        if isinstance(answer, OtherTelephone):
            raise reading.invalid("profile", "to use another telephone, enroll it as another factor")
        return self._called(request, answer)

    @Operation(
        method="POST",
        path=f"{_FACTOR}/verify",
        name="verifyFactor",
        scope=Scope.FACTORS,
        text="Without a passCode: call with a code for a sign-in, the same code while that counts. With one: "
        "judge it. A passCode that is not 4-10 digits costs no guess.",
        body=PassCode,
        is_body_required=False,
        query=ChallengeQuery,
        success=Success(200, Verification, "The code is out, or it was right.", _CALLED),
        refusals=(*_BODY, *_GUESS, *_CALL, *_STORED),
    )
    async def verify(self, request: web.Request) -> web.Response:
        """Call with a code for a sign-in, or judge a guess at it."""
        query = request_parsing.read_query(request, ChallengeQuery)
        guess = await reading.read_guess(request, self._dependencies.body_timeout)
        principal, factor_id, user = (
            self._principal(request),
            reading.factor_id(request),
            reading.read_user(request),
        )
        if guess is None:
            seconds = query.token_lifetime_seconds
            wanted = CodeRequest(timedelta(seconds=seconds) if seconds else None)
            called = await self._enrollment.challenge(principal, factor_id, wanted, subscriber=user)
            return self._called(request, called, shown=views.challenge)
        _proven(await self._enrollment.verify(principal, factor_id, guess, subscriber=user))
        return _json(request, Verification(factor_result="SUCCESS"))

    @Operation(
        method="GET",
        path=f"{_FACTOR}/transactions/{{transactionId}}",
        name="getFactorTransactionStatus",
        scope=Scope.FACTORS,
        text="Show where the newest code of a factor stands, and what its call has come to.",
        success=Success(200, Verification, "The code's present state."),
        refusals=_STORED,
    )
    async def poll(self, request: web.Request) -> web.Response:
        """Show where a factor's newest code stands, and its call."""
        found = await self._found(request)
        newest = found.challenge
        if newest is None or newest.challenge.id != request.match_info["transactionId"]:
            raise Refused(errors.NOT_FOUND, "This is not the factor's newest code.")
        return _json(request, views.challenge(found, self._shape(request)))

    @Operation(
        method="POST",
        path="/api/v1/users/{userId}/lifecycle/reset_factors",
        name="resetFactors",
        scope=Scope.FACTORS,
        text="End all factors of a user and their open codes, and hang up their calls.",
        success=Success(200, Nothing, "The user has no factors."),
        refusals=_STORED,
    )
    async def reset(self, request: web.Request) -> web.Response:
        """End all factors of a user."""
        await self._enrollment.reset_all(request[PRINCIPAL], reading.read_user(request))
        return _json(request, Nothing())

    async def _found(self, request: web.Request) -> FactorRecord:
        record = await self._factors.get(request[PRINCIPAL], reading.factor_id(request))
        if record is None or record.factor.subscriber != reading.read_user(request):
            raise _gone()
        return record

    def _called(
        self,
        request: web.Request,
        answer: FactorCalled | KeyReused | Deny | NotFound,
        *,
        shown: Callable[[FactorRecord, Shape], Struct] = views.factor,
    ) -> web.Response:
        match answer:
            case NotFound():
                raise _gone()
            case Deny():
                raise errors.refusal(answer)
            case KeyReused():
                raise Refused(errors.VALIDATION, "The idempotency key was used before.")
            case FactorCalled():
                headers = errors.rate_limit(answer.next_call_at) if answer.next_call_at else {}
                return _json(request, shown(answer, self._shape(request)), headers)
            case _:
                assert_never(answer)

    def _principal(self, request: web.Request) -> Principal:
        """Return who asks, and for the person at which address."""
        principal = request[PRINCIPAL]
        return (
            replace(principal, end_user_ip=request[END_USER_IP] or None)
            if self._dependencies.end_user_ip
            else principal
        )

    def _shape(self, request: web.Request) -> Shape:
        return Shape(base_url(request), reading.read_user(request), is_sdk3=self._dependencies.sdk3_compat)


def _proven(answer: FactorGuess | Deny | NotFound) -> FactorRecord:
    """Return the factor of a right guess.

    Raises:
        Refused: the guess was wrong, or was not judged.
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


def _gone() -> Refused:
    return Refused(errors.NOT_FOUND, "This user has no such factor.")


def _request_id(request: web.Request) -> dict[str, str]:
    return {"X-Okta-Request-Id": request[PRINCIPAL].request_id}


def _json(
    request: web.Request, body: Struct | Sequence[Struct], headers: Mapping[str, str] | None = None
) -> web.Response:
    return json_response(body, headers={**(headers or {}), **_request_id(request)})
