"""The native door's handlers for dry runs: all is decided as by the request itself, and nobody is called."""

from datetime import timedelta
from typing import assert_never

from aiohttp import web

from voicegate.adapters.http import fields, problems, request_parsing, views
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.native import factors, verifications
from voicegate.adapters.http.native.code_requests import code_request
from voicegate.adapters.http.native.factor_schemas import NewFactorChallenge
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.policy_errors import refusal
from voicegate.adapters.http.responses import json_response, unknown
from voicegate.adapters.http.schemas import DryRun, NewCall, NewVerification
from voicegate.application.dry_runs import DryRuns
from voicegate.application.enrollment import FactorKey
from voicegate.application.sign_in import SignIn, WouldCall
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.client import Scope
from voicegate.domain.policy import Deny

_SUCCESS = Success(200, DryRun, "The call would be placed.")


class DryRunsDoor:
    """The handlers for dry runs."""

    def __init__(self, sign_in: SignIn, dry_runs: DryRuns, body_timeout: timedelta) -> None:
        self._sign_in = sign_in
        self._dry_runs = dry_runs
        self._body_timeout = body_timeout

    @Operation(
        method="POST",
        path="/v1/dry-run",
        name="dryRun",
        scope=Scope.VERIFICATIONS,
        text="Decide all that a verification with this body would meet now: nobody is called, there is no "
        "code, and nothing is counted. A refusal is answered as there.",
        body=NewVerification,
        success=_SUCCESS,
        refusals=verifications.ISSUE_REFUSALS,
    )
    async def new(self, request: web.Request) -> web.Response:
        """Say what a verification would meet."""
        body = await request_parsing.read_body(request, NewVerification, self._body_timeout)
        asked = verifications.issue_request(request, body, self._sign_in.min_digits)
        with fields.reading_language():
            answer = await self._sign_in.dry_run(asked)
        match answer:
            case Deny():
                raise refusal(answer, field="destination")
            case WouldCall(pending):
                return json_response(views.dry_run(pending))
            case _:
                assert_never(answer)

    @Operation(
        method="POST",
        path="/v1/verifications/{id}/dry-run",
        name="dryRunCall",
        scope=Scope.VERIFICATIONS,
        text="Decide all that another call of a verification would meet now; nobody is called.",
        body=NewCall,
        is_body_required=False,
        success=_SUCCESS,
        refusals=verifications.REDIAL_REFUSALS,
    )
    async def again(self, request: web.Request) -> web.Response:
        """Say what another call would meet."""
        body = await request_parsing.read_optional_body(request, NewCall, self._body_timeout) or NewCall()
        terms = fields.read_terms(body.max_price, body.ttl_s)
        answer = await self._dry_runs.redial(request[PRINCIPAL], request.match_info["id"], terms)
        return _answered(request, "verification", answer)

    @Operation(
        method="POST",
        path="/v1/factors/{id}/dry-run",
        name="dryRunFactor",
        scope=Scope.FACTORS,
        text="Decide all that a call of a factor would meet now: for its activation while that is pending, "
        "else for a sign-in; nobody is called.",
        body=NewFactorChallenge,
        is_body_required=False,
        success=_SUCCESS,
        refusals=(
            *request_parsing.REFUSALS,
            problems.NOT_FOUND,
            *factors.FACTOR_REFUSALS,
            *problems.STORED,
        ),
    )
    async def factor(self, request: web.Request) -> web.Response:
        """Say what a call of a factor would meet."""
        sent = await request_parsing.read_optional_body(request, NewFactorChallenge, self._body_timeout)
        body = sent or NewFactorChallenge()
        key = FactorKey(request.match_info["id"], factors.whose(body.subscriber))
        principal = fields.asking_for(request[PRINCIPAL], body.end_user_ip)
        answer = await self._dry_runs.challenge(principal, key, code_request(body))
        return _answered(request, "factor", answer)


def _answered(request: web.Request, kind: str, answer: WouldCall | Deny | NotFound) -> web.Response:
    match answer:
        case NotFound():
            raise unknown(kind, request.match_info["id"])
        case Deny():
            raise refusal(answer)
        case WouldCall(pending):
            return json_response(views.dry_run(pending))
        case _:
            assert_never(answer)
