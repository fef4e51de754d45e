"""The native door's handlers for verifications: each reads the request, calls one use case, and writes the
answer.

A domain challenge is a *verification* in this door, as in Twilio's API. No rule is made here; what policy
refuses becomes a problem in `policy_errors`.
"""

from datetime import timedelta
from typing import Final, assert_never

from aiohttp import web

from voicegate.adapters.http import fields, problems, request_parsing, views
from voicegate.adapters.http.doors import PRINCIPAL, REQUEST_ID
from voicegate.adapters.http.events import Cursor, Streams
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.policy_errors import CALL_REFUSALS, refusal
from voicegate.adapters.http.problems import Facts, Kind, Refused
from voicegate.adapters.http.responses import found, json_response, unknown
from voicegate.adapters.http.schemas import (
    CreatedVerification,
    EventsQuery,
    Guess,
    Judgement,
    LookQuery,
    NewCall,
    NewVerification,
    Redialed,
    StatusEvent,
    StepEvent,
    VerificationView,
)
from voicegate.adapters.http.waiting import Waiters
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.ports import CallRecord, ChallengeRecord
from voicegate.application.queries import ChallengeQueries
from voicegate.application.sign_in import CalledAgain, Ended, Issued, IssueRequest, SignIn
from voicegate.application.unit_of_work import KeyReused, NotFound
from voicegate.domain.challenge import VerifyResult
from voicegate.domain.client import Scope
from voicegate.domain.policy import Deny

_VERIFICATION: Final = "/v1/verifications/{id}"


ISSUE_REFUSALS: Final = (
    *request_parsing.REFUSALS,
    *CALL_REFUSALS,
    problems.TOO_MANY_GUESSES,
    *problems.STORED,
)
"""Why a verification may be refused."""


REDIAL_REFUSALS: Final[tuple[Kind, ...]] = (
    *request_parsing.REFUSALS,
    *CALL_REFUSALS,
    problems.NOT_FOUND,
    problems.NOT_OPEN,
    problems.TOO_MANY_CALLS,
    *problems.STORED,
)
"""Why another call may be refused."""


class VerificationsDoor:
    """The handlers for verifications."""

    def __init__(
        self, sign_in: SignIn, challenges: ChallengeQueries, *, waiters: Waiters, body_timeout: timedelta
    ) -> None:
        self._sign_in = sign_in
        self._challenges = challenges
        self._waiters = waiters
        self._streams = Streams(waiters)
        self._body_timeout = body_timeout

    @Operation(
        method="POST",
        path="/v1/verifications",
        name="createVerification",
        scope=Scope.VERIFICATIONS,
        text="Call a telephone and speak a code. The answer does not wait for the call: look at the "
        "verification to see how it goes. With an Idempotency-Key, a repeated request is answered with "
        "the verification that the first one made, and nobody is called again.",
        body=NewVerification,
        headers=request_parsing.IDEMPOTENCY_HEADER,
        success=Success(
            202,
            CreatedVerification,
            "Accepted; the call is about to be placed.",
            {
                "Location": "Path of the verification.",
                "Idempotent-Replayed": '"true" when an earlier request made it; its status is current.',
            },
        ),
        refusals=(problems.KEY_REUSED, *ISSUE_REFUSALS),
    )
    async def create(self, request: web.Request) -> web.Response:
        """Accept a verification; its call is placed after the answer."""
        body = await request_parsing.read_body(request, NewVerification, self._body_timeout)
        asked = issue_request(request, body, self._sign_in.min_digits)
        with fields.reading_language():
            issued = await self._sign_in.issue(asked)
        match issued:
            case Deny():
                raise refusal(issued, field="destination")
            case KeyReused():
                raise Refused(problems.KEY_REUSED)
            case Issued():
                return _created(issued)
            case _:
                assert_never(issued)

    @Operation(
        method="GET",
        path=_VERIFICATION,
        name="getVerification",
        scope=Scope.VERIFICATIONS,
        other_scope=Scope.FACTORS,
        text="Show a verification with its calls and their timelines. With `wait_s`, wait until its "
        "revision passes `since`; a verification that is over is shown at once.",
        query=LookQuery,
        success=Success(200, VerificationView, "The verification's present state."),
        refusals=(problems.NOT_FOUND, problems.INVALID, problems.TOO_MANY_WAITING, *problems.STORED),
    )
    async def look(self, request: web.Request) -> web.Response:
        """Show a verification, at once or when it has changed."""
        query = request_parsing.read_query(request, LookQuery)
        challenge_id = request.match_info["id"]

        async def look(wait: timedelta) -> ChallengeRecord | None:
            return await self._challenges.look(request[PRINCIPAL], challenge_id, since=query.since, wait=wait)

        if query.wait_s:
            with self._waiters.place(request) as place:
                record = await self._waiters.news(place, look, timedelta(seconds=query.wait_s))
        else:
            record = await look(timedelta())
        return json_response(views.verification(found(record, "verification", challenge_id)))

    @Operation(
        method="GET",
        path=f"{_VERIFICATION}/events",
        name="streamEvents",
        scope=Scope.VERIFICATIONS,
        other_scope=Scope.FACTORS,
        text="Tell what happens to a verification as server-sent events, from the beginning or after the "
        "event whose id is given: `step` for each step of a call (data: StepEvent), `status` for each new "
        "status (data: StatusEvent). A comment every 15 seconds shows that the stream lives. It ends when "
        "the verification is over, and when the daemon stops.",
        query=EventsQuery,
        headers={"Last-Event-ID": "The id of the last event seen, as browsers send it; before `after`."},
        success=Success(200, None, "The events.", events=(StepEvent, StatusEvent)),
        refusals=(problems.NOT_FOUND, problems.INVALID, problems.TOO_MANY_WAITING, *problems.STORED),
    )
    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send a verification's changes as they happen, until it is over."""
        query = request_parsing.read_query(request, EventsQuery)
        challenge_id = request.match_info["id"]

        cursor = _cursor(request.headers.get("Last-Event-ID", ""), query.after)
        headers = {"X-Request-Id": request[REQUEST_ID]}
        with self._challenges.watching(request[PRINCIPAL], challenge_id) as watch:

            async def look(since: int | None, wait: timedelta) -> ChallengeRecord:
                return found(await watch.look(since, wait), "verification", challenge_id)

            return await self._streams.tell(request, look, after=cursor, headers=headers)

    @Operation(
        method="POST",
        path=f"{_VERIFICATION}/check",
        name="checkPasscode",
        scope=Scope.VERIFICATIONS,
        text="Judge one guess at the code. `status` is `verified` or `denied`, and nothing else; a "
        "verification that is over (used, locked, expired, canceled) denies every guess, with the reason. "
        "A guess that is not 4-10 digits is refused and does not count as a guess.",
        body=Guess,
        success=Success(200, Judgement, "Whether the guess proves it."),
        refusals=(*request_parsing.REFUSALS, problems.NOT_FOUND, *problems.STORED),
    )
    async def check(self, request: web.Request) -> web.Response:
        """Judge a guess; one of a wrong shape does not count."""
        body = await request_parsing.read_body(request, Guess, self._body_timeout)
        guess = fields.read_passcode(body.passcode)
        challenge_id = request.match_info["id"]
        answer = await self._sign_in.verify(request[PRINCIPAL], challenge_id, guess)
        match answer:
            case NotFound():
                raise unknown("verification", challenge_id)
            case VerifyResult():
                return json_response(views.judgement(answer))
            case _:
                assert_never(answer)

    @Operation(
        method="POST",
        path=f"{_VERIFICATION}/calls",
        name="redial",
        scope=Scope.VERIFICATIONS,
        text="Call again with the same code. A body is needed only to say what the call may cost.",
        body=NewCall,
        is_body_required=False,
        success=Success(
            202, Redialed, "Accepted; the call is about to be placed.", {"Location": "Path of the call."}
        ),
        refusals=REDIAL_REFUSALS,
    )
    async def redial(self, request: web.Request) -> web.Response:
        """Call again with the same code."""
        challenge_id = request.match_info["id"]
        body = await request_parsing.read_optional_body(request, NewCall, self._body_timeout) or NewCall()
        terms = fields.read_terms(body.max_price, body.ttl_s)
        answer = await self._sign_in.redial(request[PRINCIPAL], challenge_id, terms)
        match answer:
            case NotFound():
                raise unknown("verification", challenge_id)
            case Deny():
                raise refusal(answer)
            case CalledAgain():
                call = views.summary(CallRecord(answer.call))
                headers = {"Location": f"/v1/calls/{call.id}"}
                return json_response(Redialed(call=call), status=202, headers=headers)
            case _:
                assert_never(answer)

    @Operation(
        method="DELETE",
        path=_VERIFICATION,
        name="cancelVerification",
        scope=Scope.VERIFICATIONS,
        text="Cancel a verification and hang up its call. Canceling twice, or one that has ended, "
        "changes nothing.",
        success=Success(200, VerificationView, "The verification; its call may take a moment to end."),
        refusals=(problems.NOT_FOUND, *problems.STORED),
    )
    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel a verification and hang up its call."""
        principal, challenge_id = request[PRINCIPAL], request.match_info["id"]
        answer = await self._sign_in.cancel(principal, challenge_id)
        match answer:
            case NotFound():
                raise unknown("verification", challenge_id)
            case Ended():
                # Read again: its revision is counted by the commit.
                record = await self._challenges.look(principal, challenge_id)
                return json_response(views.verification(found(record, "verification", challenge_id)))
            case _:
                assert_never(answer)


def _created(issued: Issued) -> web.Response:
    view = views.created(issued.record)
    headers = {"Location": f"/v1/verifications/{view.id}"}
    if issued.is_replay:
        headers["Idempotent-Replayed"] = "true"
    return json_response(view, status=202, headers=headers)


def _cursor(last: str, after: str | None) -> Cursor:
    """Return where a stream continues: a browser that reconnects repeats the URL, and adds the last id that
    it saw.

    Its header may hold the id of another stream, which is ignored: the stream starts from the beginning.

    Raises:
        Refused: `after`, which the caller wrote, is not the id of an event.
    """
    if last:
        return Cursor.parse(last) or Cursor()
    cursor = Cursor.parse(after) if after else Cursor()
    if cursor is None:
        raise Refused(problems.INVALID, "after: is not the id of an event", Facts(field="after"))
    return cursor


def issue_request(request: web.Request, body: NewVerification, min_digits: int) -> IssueRequest:
    """Return the request that a body is. `min_digits`: how many digits a code of the client's own must have.

    Raises:
        Refused: a field cannot be read.
    """
    if request_parsing.has_controls(body.reference or ""):
        raise Refused(problems.INVALID, "reference: has control characters", Facts(field="reference"))
    own = None if body.passcode is None else fields.read_own_code(body.passcode, at_least=min_digits)
    spec = ChallengeSpec(
        fields.read_destination(body.destination, body.extension),
        languages=(body.language,) if body.language else (),
        needs_language=body.language is not None,
        passcode=own,
        human_check=body.human_check,
        matching_digits=body.matching_digits,
        lifetime=timedelta(seconds=body.lifetime_s) if body.lifetime_s is not None else None,
        reference=body.reference,
        terms=fields.read_terms(body.max_price, body.ttl_s),
    )
    principal = fields.asking_for(request[PRINCIPAL], body.end_user_ip)
    return IssueRequest(principal, spec, request_parsing.read_idempotency_key(request, principal.name, body))
