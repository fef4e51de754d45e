"""The native door's handlers for factors: each reads the request, calls one use case, and writes the answer.

A domain challenge of a factor is a *verification* in this door, and can be watched as any other.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, assert_never

from aiohttp import web

from voicegate.adapters.http import fields, problems, request_parsing, views
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.native import factor_views
from voicegate.adapters.http.native.code_requests import code_request, wanted_code
from voicegate.adapters.http.native.factor_schemas import (
    FactorJudgement,
    FactorList,
    FactorPasscode,
    FactorQuery,
    FactorsQuery,
    FactorView,
    NewFactor,
    NewFactorCall,
    NewFactorChallenge,
    ResetFactors,
    SubscriberQuery,
)
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.policy_errors import CALL_REFUSALS, refusal
from voicegate.adapters.http.problems import Kind, Refused
from voicegate.adapters.http.responses import json_response, unknown
from voicegate.adapters.http.schemas import VerificationView
from voicegate.application.enrollment import Enrollment, EnrollRequest
from voicegate.application.factor_answers import FactorCalled, FactorGuess, FactorReset, OtherTelephone
from voicegate.application.listing import FactorFilter
from voicegate.application.queries import FactorQueries
from voicegate.application.unit_of_work import KeyReused, NotFound
from voicegate.domain.challenge import DEFAULT_LIFETIME
from voicegate.domain.client import Scope
from voicegate.domain.factor import LIVING_STATES
from voicegate.domain.passcode import Passcode
from voicegate.domain.policy import Deny

_FACTOR: Final = "/v1/factors/{id}"
_REPLAYED: Final = '"true" when an earlier request did it; the factor is shown as it is now.'
_CALLED: Final = {"Location": "Path of the verification, to watch it at."}
FACTOR_REFUSALS: Final[tuple[Kind, ...]] = (
    *CALL_REFUSALS,
    problems.FACTOR_LOCKED,
    problems.TOO_MANY_GUESSES,
    problems.TOO_MANY_CALLS,
)
"""What can be in the way of a factor's call."""


class FactorsDoor:
    """The handlers for factors."""

    def __init__(self, enrollment: Enrollment, factors: FactorQueries, *, body_timeout: timedelta) -> None:
        self._enrollment = enrollment
        self._factors = factors
        self._body_timeout = body_timeout

    @Operation(
        method="POST",
        path="/v1/factors",
        name="enrollFactor",
        scope=Scope.FACTORS,
        text="Bind a telephone to a subscriber and call it with a code that activates it. The answer does "
        "not wait for the call: watch `verification.id` at `/v1/verifications/{id}`. The same telephone "
        "again, while it is not active, is the same factor. With an Idempotency-Key, a repeated request is "
        "answered with what the first one did, and nobody is called again; a factor with `is_activated` has "
        "no code, and its key is not kept.",
        body=NewFactor,
        headers=request_parsing.IDEMPOTENCY_HEADER,
        success=Success(
            201,
            FactorView,
            "The factor; a call is about to be placed, unless it is active.",
            {"Location": "Path of the factor.", "Idempotent-Replayed": _REPLAYED},
        ),
        refusals=(
            *request_parsing.REFUSALS,
            problems.ADMINS_ONLY,
            problems.ALREADY_ENROLLED,
            problems.KEY_REUSED,
            *FACTOR_REFUSALS,
            *problems.STORED,
        ),
    )
    async def enroll(self, request: web.Request) -> web.Response:
        """Bind a telephone to a subscriber and call it; the answer does not wait for the call."""
        body = await request_parsing.read_body(request, NewFactor, self._body_timeout)
        with fields.reading_language():
            answer = await self._enrollment.enroll(_enroll_request(request, body))
        match answer:
            case Deny():
                raise refusal(answer, field="destination")
            case KeyReused():
                raise Refused(problems.KEY_REUSED)
            case FactorCalled():
                headers = {"Location": f"/v1/factors/{answer.factor.id}", **_replayed(answer)}
                return json_response(factor_views.factor(answer), status=201, headers=headers)
            case _:
                assert_never(answer)

    @Operation(
        method="GET",
        path="/v1/factors",
        name="listFactors",
        scope=Scope.FACTORS,
        text="List factors, by client and then by subscriber: the client's own; for an admin, every "
        "client's. A subscriber has one of each client.",
        query=FactorsQuery,
        success=Success(200, FactorList, "A page of factors."),
        refusals=(problems.INVALID, *problems.STORED),
    )
    async def list(self, request: web.Request) -> web.Response:
        """List factors."""
        query = request_parsing.read_query(request, FactorsQuery)
        wanted = FactorFilter(client=query.client, subscriber=whose(query.subscriber))
        records = await self._factors.page(request[PRINCIPAL], query.limit, wanted, after=query.cursor)
        if records is None:
            raise request_parsing.wrong("cursor", ValueError("it is not the `next` of a page"))
        is_full = len(records) == query.limit
        return json_response(
            FactorList(
                factors=[factor_views.factor(record) for record in records],
                next=records[-1].factor.id if is_full else None,
            )
        )

    @Operation(
        method="DELETE",
        path="/v1/factors",
        name="resetFactors",
        scope=Scope.FACTORS,
        text="End all factors of a subscriber and their open codes, and hang up their calls: the client's "
        "own one; for an admin, every client's.",
        query=SubscriberQuery,
        success=Success(200, ResetFactors, "The factors that are over; there may have been none."),
        refusals=(problems.INVALID, *problems.STORED),
    )
    async def reset_all(self, request: web.Request) -> web.Response:
        """End all factors of a subscriber."""
        query = request_parsing.read_query(request, SubscriberQuery)
        subscriber = request_parsing.read_subscriber(query.subscriber)
        answer = await self._enrollment.reset_all(request[PRINCIPAL], subscriber)
        return json_response(ResetFactors(reset=[factor.id for factor in answer.factors]))

    @Operation(
        method="GET",
        path=_FACTOR,
        name="getFactor",
        scope=Scope.FACTORS,
        text="Show a factor, and what became of its newest code.",
        query=FactorQuery,
        success=Success(200, FactorView, "The factor."),
        refusals=(problems.NOT_FOUND, problems.INVALID, *problems.STORED),
    )
    async def get(self, request: web.Request) -> web.Response:
        """Show a factor."""
        owner = whose(request_parsing.read_query(request, FactorQuery).subscriber)
        record = await self._factors.get(request[PRINCIPAL], request.match_info["id"])
        if record is None or owner not in (None, record.factor.subscriber):
            raise _gone(request)
        return json_response(factor_views.factor(record))

    @Operation(
        method="DELETE",
        path=_FACTOR,
        name="resetFactor",
        scope=Scope.FACTORS,
        text="End a factor and its open codes, and hang up its call.",
        query=FactorQuery,
        success=Success(200, ResetFactors, "The factor is over."),
        refusals=(problems.NOT_FOUND, problems.INVALID, *problems.STORED),
    )
    async def reset(self, request: web.Request) -> web.Response:
        """End a factor."""
        owner = whose(request_parsing.read_query(request, FactorQuery).subscriber)
        answer = await self._enrollment.reset(request[PRINCIPAL], request.match_info["id"], subscriber=owner)
        match answer:
            case NotFound():
                raise _gone(request)
            case FactorReset():
                return json_response(ResetFactors(reset=[answer.factor.id]))
            case _:
                assert_never(answer)

    @Operation(
        method="POST",
        path=f"{_FACTOR}/activate",
        name="activateFactor",
        scope=Scope.FACTORS,
        text="Judge one guess at the code of the activation; a right one makes the factor active. `status` "
        "is `verified` or `denied`; a code that is over (used, locked, expired, canceled) denies every "
        "guess, with the reason. A guess that is not 4-10 digits is refused and does not count as a guess.",
        body=FactorPasscode,
        success=Success(200, FactorJudgement, "Whether the guess proves it."),
        refusals=(
            *request_parsing.REFUSALS,
            problems.NOT_FOUND,
            problems.FACTOR_LOCKED,
            problems.NO_CHALLENGE,
            problems.NOT_PENDING,
            *problems.STORED,
        ),
    )
    async def activate(self, request: web.Request) -> web.Response:
        """Judge a guess at the activation's code."""
        guess, owner = await self._guess(request)
        answer = await self._enrollment.activate(
            request[PRINCIPAL], request.match_info["id"], guess, subscriber=owner
        )
        return _judged(request, answer)

    @Operation(
        method="POST",
        path=f"{_FACTOR}/calls",
        name="callFactorAgain",
        scope=Scope.FACTORS,
        text="Call again for the activation: with the same code while that counts, else with a new one. An "
        "active factor is called by a challenge.",
        body=NewFactorCall,
        is_body_required=False,
        success=Success(202, VerificationView, "Accepted; the call is about to be placed.", _CALLED),
        refusals=(
            *request_parsing.REFUSALS,
            problems.NOT_FOUND,
            problems.NOT_PENDING,
            *FACTOR_REFUSALS,
            *problems.STORED,
        ),
    )
    async def call_again(self, request: web.Request) -> web.Response:
        """Call again for the activation."""
        sent = await request_parsing.read_optional_body(request, NewFactorCall, self._body_timeout)
        body = sent or NewFactorCall()
        principal = fields.asking_for(request[PRINCIPAL], body.end_user_ip)
        answer = await self._enrollment.resend(
            principal,
            request.match_info["id"],
            subscriber=whose(body.subscriber),
            wanted=wanted_code(body),
        )
        return _called(request, answer)

    @Operation(
        method="POST",
        path=f"{_FACTOR}/challenges",
        name="challengeFactor",
        scope=Scope.FACTORS,
        text="Call an active factor's telephone with a code for a sign-in; while the last code is open, with "
        "the same one. The answer does not wait for the call. With an Idempotency-Key, a repeated request is "
        "answered with the verification that the first one made, and nobody is called again.",
        body=NewFactorChallenge,
        is_body_required=False,
        headers=request_parsing.IDEMPOTENCY_HEADER,
        success=Success(
            202,
            VerificationView,
            "Accepted; the call is about to be placed.",
            {**_CALLED, "Idempotent-Replayed": _REPLAYED},
        ),
        refusals=(
            *request_parsing.REFUSALS,
            problems.NOT_FOUND,
            problems.NOT_ACTIVE,
            problems.KEY_REUSED,
            *FACTOR_REFUSALS,
            *problems.STORED,
        ),
    )
    async def challenge(self, request: web.Request) -> web.Response:
        """Call with a code for a sign-in."""
        sent = await request_parsing.read_optional_body(request, NewFactorChallenge, self._body_timeout)
        body, factor_id = sent or NewFactorChallenge(), request.match_info["id"]
        principal = fields.asking_for(request[PRINCIPAL], body.end_user_ip)
        answer = await self._enrollment.challenge(
            principal,
            factor_id,
            code_request(body),
            subscriber=whose(body.subscriber),
            idempotency=request_parsing.read_idempotency_key(request, principal.name, factor_id, body),
        )
        return _called(request, answer)

    @Operation(
        method="POST",
        path=f"{_FACTOR}/verify",
        name="verifyFactor",
        scope=Scope.FACTORS,
        text="Judge one guess at the newest code for a sign-in. Answers as the activation does; where no "
        "code was ever asked for, `no_challenge`.",
        body=FactorPasscode,
        success=Success(200, FactorJudgement, "Whether the guess proves it."),
        refusals=(
            *request_parsing.REFUSALS,
            problems.NOT_FOUND,
            problems.FACTOR_LOCKED,
            problems.NO_CHALLENGE,
            problems.NOT_ACTIVE,
            *problems.STORED,
        ),
    )
    async def verify(self, request: web.Request) -> web.Response:
        """Judge a guess at a sign-in's code."""
        guess, owner = await self._guess(request)
        answer = await self._enrollment.verify(
            request[PRINCIPAL], request.match_info["id"], guess, subscriber=owner
        )
        return _judged(request, answer)

    async def _guess(self, request: web.Request) -> tuple[Passcode, str | None]:
        """Return a guess, and the subscriber whose factor it must be."""
        body = await request_parsing.read_body(request, FactorPasscode, self._body_timeout)
        return fields.read_passcode(body.passcode), whose(body.subscriber)


def _enroll_request(request: web.Request, body: NewFactor) -> EnrollRequest:
    principal = fields.asking_for(request[PRINCIPAL], body.end_user_ip)
    return EnrollRequest(
        principal=principal,
        subscriber=request_parsing.read_subscriber(body.subscriber),
        destination=fields.read_destination(body.destination, body.extension),
        languages=(body.language,) if body.language else (),
        needs_language=body.language is not None,
        activation_lifetime=timedelta(seconds=body.lifetime_s) if body.lifetime_s else DEFAULT_LIFETIME,
        replaces=LIVING_STATES if body.replace else frozenset(),
        is_proven=body.is_activated,
        idempotency=request_parsing.read_idempotency_key(request, principal.name, body),
        wanted=wanted_code(body),
    )


def _called(
    request: web.Request, answer: FactorCalled | KeyReused | OtherTelephone | Deny | NotFound
) -> web.Response:
    match answer:
        case NotFound():
            raise _gone(request)
        case Deny():
            raise refusal(answer)
        case KeyReused():
            raise Refused(problems.KEY_REUSED)
        case OtherTelephone():
            raise request_parsing.wrong("destination", ValueError("is not the factor's"))
        case FactorCalled():
            if answer.challenge is None:
                raise LookupError(answer.factor.id)
            view = views.verification(answer.challenge)
            headers = {"Location": f"/v1/verifications/{view.id}", **_replayed(answer)}
            return json_response(view, status=202, headers=headers)
        case _:
            assert_never(answer)


def _judged(request: web.Request, answer: FactorGuess | Deny | NotFound) -> web.Response:
    match answer:
        case NotFound():
            raise _gone(request)
        case Deny():
            raise refusal(answer)
        case FactorGuess():
            return json_response(factor_views.judgement(answer))
        case _:
            assert_never(answer)


def whose(subscriber: str | None) -> str | None:
    """Return the subscriber whose factor must be meant; None: anybody's."""
    return None if subscriber is None else request_parsing.read_subscriber(subscriber)


def _replayed(answer: FactorCalled) -> Mapping[str, str]:
    return {"Idempotent-Replayed": "true"} if answer.is_replay else {}


def _gone(request: web.Request) -> Refused:
    return unknown("factor", request.match_info["id"])
