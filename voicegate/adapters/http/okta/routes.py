"""The Okta door's operations: every path, and every answer it can give."""

from typing import Final

from voicegate import __version__
from voicegate.adapters.http.doors import Door, bearer
from voicegate.adapters.http.okta import errors
from voicegate.adapters.http.okta.door import OktaDependencies, OktaDoor
from voicegate.adapters.http.okta.schemas import (
    ChallengeQuery,
    EnrollQuery,
    FactorView,
    NewFactor,
    Nothing,
    OktaError,
    PassCode,
    Resend,
    SupportedFactor,
    UnenrollQuery,
    Verification,
)
from voicegate.adapters.http.openapi import BEARER, Description, ErrorFormat
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.problems import Kind
from voicegate.domain.client import Scope

ERROR_FORMAT: Final = ErrorFormat(
    path="/openapi/okta.json",
    about="""Okta's Factors API for the `call` factor, over the company's own PBX.

Paths, bodies and error codes are Okta's, so that its clients work unchanged; what really happened on a call
is in `_embedded`. Served on a Unix socket, where the operating system says which user asks, and on TCP,
where a client's key does (`Authorization: SSWS`, or `Bearer`). Trailing slashes are accepted. Every answer
carries `X-Okta-Request-Id`. An answer that had a telephone called, and a 429, say in `X-Rate-Limit-Reset`
when the next call is due: clients that try again by themselves then do place that call.""",
    refusal=OktaError,
    media_type="application/json",
    name_of=lambda kind: kind.name,
    always=(errors.INVALID_TOKEN, errors.ACCESS_DENIED),
    scoped=(),
    title="Voicegate for Okta's clients",
    schemes={
        "ssws": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`SSWS ` and a client's key: `voicegate clients add`.",
        },
        "key": BEARER,
    },
    tags={
        "factors": "Telephones to sign in with.",
        "lifecycle": "All factors of a user at once.",
        "service": "This description.",
    },
)
"""How the door introduces itself."""

_FACTORS: Final = "/api/v1/users/{userId}/factors"
_FACTOR: Final = f"{_FACTORS}/{{factorId}}"
_STORED: Final[tuple[Kind, ...]] = (errors.NOT_FOUND, errors.INTERNAL, errors.UNAVAILABLE)
_BODY: Final[tuple[Kind, ...]] = (errors.VALIDATION, errors.NOT_WELL_FORMED, errors.UNSUPPORTED_TYPE)
_NUMBER: Final[tuple[Kind, ...]] = (errors.INVALID_NUMBER, errors.INVALID_EXTENSION)
_CALL: Final[tuple[Kind, ...]] = (
    errors.INVALID_NUMBER,
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


def okta_door(house: OktaDependencies) -> Door:
    """Return the Okta door with its own description."""
    offered, description = operations(OktaDoor(house)), Description(ERROR_FORMAT)
    described = (*offered, description.operation())
    description.write(described, __version__)
    return Door(
        operations=described,
        prefixes=("/api/v1/", ERROR_FORMAT.path),
        read_key=lambda request: bearer(request, "SSWS") or bearer(request, "Bearer"),
        scheme="SSWS",
        answer=errors.error_response,
    )


def operations(door: OktaDoor) -> tuple[Operation, ...]:
    """Return all that can be asked of the Okta door, its description aside."""
    # The catalog before the factors: the first path that fits is taken.
    return (
        *_listing(door),
        _enroll(door),
        *_factor(door),
        _activate(door),
        _resend(door),
        _verify(door),
        _poll(door),
        _reset(door),
    )


def _listing(door: OktaDoor) -> tuple[Operation, ...]:
    return (
        Operation(
            method="GET",
            path=f"{_FACTORS}/catalog",
            name="listSupportedFactors",
            scope=Scope.FACTORS,
            text="List what a user can enroll: one telephone.",
            handler=door.catalog,
            success=Success(200, SupportedFactor, "One kind of factor.", is_list=True),
            refusals=_STORED,
        ),
        Operation(
            method="GET",
            path=_FACTORS,
            name="listFactors",
            scope=Scope.FACTORS,
            text="List a user's factors: the client's own one; for an admin, one of each client.",
            handler=door.list,
            success=Success(200, FactorView, "The factors.", is_list=True),
            refusals=_STORED,
        ),
    )


def _enroll(door: OktaDoor) -> Operation:
    return Operation(
        method="POST",
        path=_FACTORS,
        name="enrollFactor",
        scope=Scope.FACTORS,
        text="Bind a telephone to a user and call it with a code. The answer does not wait for the call. "
        "The same telephone again, while it is not active, is the same factor.",
        handler=door.enroll,
        body=NewFactor,
        query=EnrollQuery,
        headers={
            "Accept-Language": "Languages of the calls, best first; one that is not installed is passed by."
        },
        success=Success(200, FactorView, "The factor, to be activated by its code.", _CALLED),
        refusals=(*_BODY, *_NUMBER, *_CALL, *_STORED),
    )


def _factor(door: OktaDoor) -> tuple[Operation, ...]:
    return (
        Operation(
            method="GET",
            path=_FACTOR,
            name="getFactor",
            scope=Scope.FACTORS,
            text="Show a factor, and what became of its newest code.",
            handler=door.get,
            success=Success(200, FactorView, "The factor."),
            refusals=_STORED,
        ),
        Operation(
            method="DELETE",
            path=_FACTOR,
            name="unenrollFactor",
            scope=Scope.FACTORS,
            text="End a factor and its open codes, and hang up its call.",
            handler=door.unenroll,
            query=UnenrollQuery,
            success=Success(204, None, "The factor was reset."),
            refusals=(errors.VALIDATION, *_STORED),
        ),
    )


def _activate(door: OktaDoor) -> Operation:
    return Operation(
        method="POST",
        path=f"{_FACTOR}/lifecycle/activate",
        name="activateFactor",
        scope=Scope.FACTORS,
        text="Activate a factor by the code that was spoken.",
        handler=door.activate,
        body=PassCode,
        success=Success(200, FactorView, "The factor, active."),
        refusals=(*_BODY, *_GUESS, *_STORED),
    )


def _resend(door: OktaDoor) -> Operation:
    return Operation(
        method="POST",
        path=f"{_FACTOR}/resend",
        name="resendEnrollFactor",
        scope=Scope.FACTORS,
        text="Call again for the activation, with the same code while that counts.",
        handler=door.resend,
        body=Resend,
        is_body_required=False,
        success=Success(200, FactorView, "The factor.", _CALLED),
        refusals=(*_BODY, errors.INVALID_EXTENSION, errors.WRONG_STATE, *_CALL, *_STORED),
    )


def _verify(door: OktaDoor) -> Operation:
    return Operation(
        method="POST",
        path=f"{_FACTOR}/verify",
        name="verifyFactor",
        scope=Scope.FACTORS,
        text="Without a passCode: call with a code for a sign-in, the same code while that counts. With one: "
        "judge it. A passCode that is not 4-10 digits costs no guess.",
        handler=door.verify,
        body=PassCode,
        is_body_required=False,
        query=ChallengeQuery,
        success=Success(200, Verification, "The code is out, or it was right.", _CALLED),
        refusals=(*_BODY, *_GUESS, *_CALL, *_STORED),
    )


def _poll(door: OktaDoor) -> Operation:
    return Operation(
        method="GET",
        path=f"{_FACTOR}/transactions/{{transactionId}}",
        name="getFactorTransactionStatus",
        scope=Scope.FACTORS,
        text="Show where the newest code of a factor stands, and what its call has come to.",
        handler=door.poll,
        success=Success(200, Verification, "The code's present state."),
        refusals=_STORED,
    )


def _reset(door: OktaDoor) -> Operation:
    return Operation(
        method="POST",
        path="/api/v1/users/{userId}/lifecycle/reset_factors",
        name="resetFactors",
        scope=Scope.FACTORS,
        text="End all factors of a user and their open codes, and hang up their calls.",
        handler=door.reset,
        success=Success(200, Nothing, "The user has no factors."),
        refusals=_STORED,
    )
