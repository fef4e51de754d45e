"""The native door's routes: each reads, asks one use case, and shows the answer. No rule is made here.

A domain challenge is a *verification* in this door, as in Twilio's API. What can be asked is listed in
`routes`; what policy refuses becomes a problem in `policy_errors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never

from aiohttp import web

from voicegate.adapters.http import problems, request_parsing, views
from voicegate.adapters.http.doors import PRINCIPAL, REQUEST_ID, Credentials
from voicegate.adapters.http.events import Cursor, Streams
from voicegate.adapters.http.policy_errors import refusal
from voicegate.adapters.http.positions import read_position, write_position
from voicegate.adapters.http.problems import Facts, Refused
from voicegate.adapters.http.responses import found, json_response, unknown
from voicegate.adapters.http.schemas import (
    CallList,
    CallsQuery,
    EventsQuery,
    Guess,
    Health,
    LookQuery,
    NewVerification,
    Readiness,
    Redialed,
    TrunkList,
    TrunkView,
)
from voicegate.adapters.http.waiting import Waiters, WaitingLimits
from voicegate.application import readiness
from voicegate.application.audit import Audit
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.clients import Clients
from voicegate.application.listing import CallFilter, Position
from voicegate.application.page_sessions import PageSessions
from voicegate.application.ports import CallRecord, ChallengeRecord, Pbx
from voicegate.application.queries import ChallengeQueries
from voicegate.application.sign_in import CalledAgain, Ended, Issued, IssueRequest, KeyReused, SignIn
from voicegate.application.trunk_health import trunk_states
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.challenge import VerifyResult
from voicegate.domain.errors import (
    InvalidExtension,
    InvalidNumber,
    InvalidPasscode,
    UnknownLanguage,
)
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny
from voicegate.domain.routing import Trunk, TrunkState

_PBX_TIMEOUT: Final = timedelta(seconds=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDependencies:
    """What the native door needs of the house."""

    sign_in: SignIn
    """The use cases around a challenge."""
    challenges: ChallengeQueries
    """The questions about challenges and calls."""
    clients: Clients
    """The use cases around clients."""
    audit: Audit
    """Who asked for what."""
    pbxs: Mapping[str, Pbx]
    """The PBXs, by name."""
    trunks: Sequence[Trunk]
    """The trunks, in the order they are tried."""
    readiness: readiness.Readiness
    """Whether calls can be placed."""
    pages: PageSessions
    """The use cases around page sessions."""
    pages_url: str = ""
    """Scheme and host of the pages; empty: they have no address."""
    body_timeout: timedelta = request_parsing.BODY_TIMEOUT
    """How long a request's body may take to arrive."""


class NativeDoor:
    """The handlers of the native door."""

    def __init__(self, house: ApiDependencies, waiting: WaitingLimits | None = None) -> None:
        self._house = house
        self.waiters = Waiters(self._is_valid, waiting or WaitingLimits())
        """Who waits for news."""
        self._streams = Streams(self.waiters)

    async def create(self, request: web.Request) -> web.Response:
        """Accept a verification; its call is placed after the answer."""
        body = await request_parsing.read_body(request, NewVerification, self._house.body_timeout)
        asked = _issue_request(request, body)
        try:
            issued = await self._house.sign_in.issue(asked)
        except UnknownLanguage as error:
            raise request_parsing.wrong("language", error) from error
        match issued:
            case Deny():
                raise refusal(issued, field="destination")
            case KeyReused():
                raise Refused(problems.KEY_REUSED)
            case Issued():
                return _created(issued)
            case _:
                assert_never(issued)

    async def look(self, request: web.Request) -> web.Response:
        """Show a verification, at once or when it has changed."""
        query = request_parsing.read_query(request, LookQuery)
        challenge_id = request.match_info["id"]

        async def look(wait: timedelta) -> ChallengeRecord | None:
            return await self._house.challenges.look(
                request[PRINCIPAL], challenge_id, since=query.since, wait=wait
            )

        if query.wait_s:
            with self.waiters.place(request) as place:
                record = await self.waiters.news(place, look, timedelta(seconds=query.wait_s))
        else:
            record = await look(timedelta())
        return json_response(views.verification(found(record, "verification", challenge_id)))

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Tell a verification's news as it comes, until it is over."""
        query = request_parsing.read_query(request, EventsQuery)
        challenge_id = request.match_info["id"]

        async def look(since: int | None, wait: timedelta) -> ChallengeRecord:
            record = await self._house.challenges.look(
                request[PRINCIPAL], challenge_id, since=since, wait=wait
            )
            return found(record, "verification", challenge_id)

        cursor = _cursor(request.headers.get("Last-Event-ID", ""), query.after)
        headers = {"X-Request-Id": request[REQUEST_ID]}
        return await self._streams.tell(request, look, after=cursor, headers=headers)

    async def check(self, request: web.Request) -> web.Response:
        """Judge a guess; one of a wrong shape costs no attempt."""
        body = await request_parsing.read_body(request, Guess, self._house.body_timeout)
        try:
            guess = Passcode.parse(body.passcode)
        except InvalidPasscode as error:
            raise request_parsing.wrong("passcode", error) from error
        challenge_id = request.match_info["id"]
        answer = await self._house.sign_in.verify(request[PRINCIPAL], challenge_id, guess)
        match answer:
            case NotFound():
                raise unknown("verification", challenge_id)
            case VerifyResult():
                return json_response(views.judgement(answer))
            case _:
                assert_never(answer)

    async def redial(self, request: web.Request) -> web.Response:
        """Call again with the same code."""
        challenge_id = request.match_info["id"]
        answer = await self._house.sign_in.redial(request[PRINCIPAL], challenge_id)
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

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel a verification and hang up its call."""
        principal, challenge_id = request[PRINCIPAL], request.match_info["id"]
        answer = await self._house.sign_in.cancel(principal, challenge_id)
        match answer:
            case NotFound():
                raise unknown("verification", challenge_id)
            case Ended():
                # Read again: its revision is counted by the commit.
                record = await self._house.challenges.look(principal, challenge_id)
                return json_response(views.verification(found(record, "verification", challenge_id)))
            case _:
                assert_never(answer)

    async def calls(self, request: web.Request) -> web.Response:
        """List calls, newest first."""
        query = request_parsing.read_query(request, CallsQuery)
        records = await self._house.challenges.calls(request[PRINCIPAL], query.limit, _call_filter(query))
        is_full = len(records) == query.limit
        return json_response(
            CallList(
                calls=[views.summary(record) for record in records],
                next=write_position(Position.of(records[-1].call)) if is_full else None,
            )
        )

    async def call(self, request: web.Request) -> web.Response:
        """Show a call."""
        call_id = request.match_info["id"]
        return json_response(
            views.call(found(await self._house.challenges.call(request[PRINCIPAL], call_id), "call", call_id))
        )

    async def trunks(self, _request: web.Request) -> web.Response:
        """Show the trunks as their PBXs see them."""
        # A PBX that does not say is an answer too: its trunks are "unknown".
        states = {name: await trunk_states(pbx, _PBX_TIMEOUT) for name, pbx in self._house.pbxs.items()}
        return json_response(TrunkList(trunks=[self._trunk(trunk, states) for trunk in self._house.trunks]))

    async def health(self, _request: web.Request) -> web.Response:
        """Say that the process is alive."""
        return json_response(Health(status="ok"))

    async def ready(self, _request: web.Request) -> web.Response:
        """Say whether calls can be placed, and how each part is."""
        ready = await self._house.readiness.look()
        parts = dict(ready.parts)
        if not ready.is_ready:
            failing = [f"{part}: {state}" for part, state in parts.items() if state != "ok"]
            raise Refused(problems.NOT_READY, "; ".join(failing), Facts(failing=failing))
        return json_response(Readiness(status="ok", parts=parts))

    async def _is_valid(self, credentials: Credentials) -> bool:
        authenticate = self._house.clients.authenticate
        return await authenticate(credentials.key, "", credentials.client) is not None

    def _trunk(self, trunk: Trunk, states: Mapping[str, Mapping[str, TrunkState]]) -> TrunkView:
        pbx = self._house.pbxs.get(trunk.pbx)
        return TrunkView(
            name=trunk.name,
            pbx=trunk.pbx,
            endpoint=trunk.endpoint,
            state=states.get(trunk.pbx, {}).get(trunk.endpoint, TrunkState.UNKNOWN),
            pbx_connected=pbx is not None and pbx.is_connected,
        )


def _created(issued: Issued) -> web.Response:
    view = views.created(issued.record)
    headers = {"Location": f"/v1/verifications/{view.id}"}
    if issued.is_replay:
        headers["Idempotent-Replayed"] = "true"
    return json_response(view, status=202, headers=headers)


def _call_filter(query: CallsQuery) -> CallFilter:
    try:
        behind = None if query.cursor is None else read_position(query.cursor)
    except ValueError as error:
        raise request_parsing.wrong("cursor", error) from error
    try:
        number = None if query.number is None else request_parsing.read_number(query.number)
    except InvalidNumber as error:
        raise request_parsing.wrong("number", error) from error
    return CallFilter(
        client=query.client,
        number=number,
        trunk=query.trunk,
        outcome=query.outcome,
        after=query.after,
        before=query.before,
        behind=behind,
        with_tests=query.test_numbers,
    )


def _cursor(last: str, after: str | None) -> Cursor:
    """Return where a stream goes on: a browser that comes again repeats its address, and adds what it saw.

    Its header may hold another stream's id, which says nothing here: from the beginning, then.

    Raises:
        Refused: `after`, which our own caller wrote, is no event's id.
    """
    if last:
        return Cursor.parse(last) or Cursor()
    cursor = Cursor.parse(after) if after else Cursor()
    if cursor is None:
        raise Refused(problems.INVALID, "after: is no event's id", Facts(field="after"))
    return cursor


def _issue_request(request: web.Request, body: NewVerification) -> IssueRequest:
    if request_parsing.has_controls(body.reference or ""):
        raise Refused(problems.INVALID, "reference: has control characters", Facts(field="reference"))
    try:
        destination = Destination.parse(body.destination, body.extension)
        passcode = Passcode.parse(body.passcode) if body.passcode is not None else None
    except InvalidNumber as error:
        raise request_parsing.wrong("destination", error) from error
    except InvalidExtension as error:
        raise request_parsing.wrong("extension", error) from error
    except InvalidPasscode as error:
        raise request_parsing.wrong("passcode", error) from error
    spec = ChallengeSpec(
        destination,
        languages=(body.language,) if body.language else (),
        needs_language=body.language is not None,
        passcode=passcode,
        human_check=body.human_check,
        lifetime=timedelta(seconds=body.lifetime_s) if body.lifetime_s is not None else None,
        reference=body.reference,
    )
    principal = request[PRINCIPAL]
    return IssueRequest(principal, spec, request_parsing.read_idempotency_key(request, principal.name, body))
