"""The Twilio door's handlers for attempts: calls of services' verifications, and their figures.

Calls to test numbers are not listed; one is shown to a client that knows its SID.
"""

from urllib.parse import urlencode

from aiohttp import web

from voicegate.adapters.http import request_parsing
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.positions import read_position, write_position
from voicegate.adapters.http.problems import Refused
from voicegate.adapters.http.responses import json_response
from voicegate.adapters.http.twilio import errors, views
from voicegate.adapters.http.twilio.schemas import (
    AttemptPage,
    AttemptsQuery,
    AttemptView,
    Channel,
    ConversionStatus,
    PageMeta,
    SummaryQuery,
    SummaryView,
)
from voicegate.adapters.http.twilio.sids import id_of
from voicegate.adapters.http.twilio.verifications import destination, place
from voicegate.application.listing import Position, ServiceCallFilter, Summary
from voicegate.application.service_calls import ServiceCalls
from voicegate.domain.client import Scope

_OFFERED = (None, Channel.CALL)


class AttemptsDoor:
    """The handlers for attempts."""

    def __init__(self, service_calls: ServiceCalls) -> None:
        self._service_calls = service_calls

    @Operation(
        method="GET",
        path="/v2/Attempts",
        name="ListVerificationAttempt",
        scope=Scope.VERIFICATIONS,
        text="List the calls of services' verifications, newest first.",
        query=AttemptsQuery,
        success=Success(200, AttemptPage, "A page of attempts."),
        refusals=(errors.INVALID_PARAMETER, *errors.STORED),
    )
    async def list(self, request: web.Request) -> web.Response:
        """List calls, newest first."""
        query, here = request_parsing.read_query(request, AttemptsQuery), place(request)
        found = (
            await self._service_calls.list(request[PRINCIPAL], _wanted(query), query.page_size)
            if query.channel in _OFFERED
            else ()
        )
        following = None
        if len(found) == query.page_size:
            token = write_position(Position.of(found[-1].record.call))
            following = _page_url(request, here.origin, page=query.page + 1, token=token)
        meta = PageMeta(
            page=query.page,
            page_size=query.page_size,
            first_page_url=_page_url(request, here.origin, page=0),
            url=f"{here.origin}{request.rel_url}",
            next_page_url=following,
        )
        shown = [views.attempt(one, here) for one in found]
        return json_response(AttemptPage(attempts=shown, meta=meta))

    @Operation(
        method="GET",
        path="/v2/Attempts/Summary",
        name="FetchVerificationAttemptsSummary",
        scope=Scope.VERIFICATIONS,
        text="Count the calls of services' verifications, and those whose code was entered.",
        query=SummaryQuery,
        success=Success(200, SummaryView, "The counts."),
        refusals=(errors.INVALID_PARAMETER, *errors.STORED),
    )
    async def summarise(self, request: web.Request) -> web.Response:
        """Count calls, and those whose code was entered."""
        query = request_parsing.read_query(request, SummaryQuery)
        wanted = ServiceCallFilter(
            service=query.verify_service_sid,
            prefix=query.destination_prefix,
            country=query.country,
            after=query.date_created_after,
            before=query.date_created_before,
        )
        counted = (
            await self._service_calls.summarise(request[PRINCIPAL], wanted)
            if query.channel in _OFFERED
            else Summary(0, 0)
        )
        return json_response(views.summary(counted, place(request)))

    @Operation(
        method="GET",
        path="/v2/Attempts/{sid}",
        name="FetchVerificationAttempt",
        scope=Scope.VERIFICATIONS,
        text="Show one call.",
        success=Success(200, AttemptView, "The attempt."),
        refusals=(errors.NOT_FOUND, *errors.STORED),
    )
    async def fetch(self, request: web.Request) -> web.Response:
        """Show a call."""
        call_id = id_of(request.match_info["sid"], "call")
        found = await self._service_calls.find(request[PRINCIPAL], call_id) if call_id else None
        if found is None:
            raise Refused(errors.NOT_FOUND)
        return json_response(views.attempt(found, place(request)))


def _wanted(query: AttemptsQuery) -> ServiceCallFilter:
    challenge_id = None
    if query.verification_sid is not None and (challenge_id := id_of(query.verification_sid, "ver")) is None:
        raise errors.invalid("VerificationSid")
    try:
        behind = None if query.page_token is None else read_position(query.page_token)
    except ValueError:
        raise errors.invalid("PageToken") from None
    return ServiceCallFilter(
        service=query.verify_service_sid,
        challenge_id=challenge_id,
        number=None if query.to is None else destination("ChannelData.To", query.to).number,
        after=query.date_created_after,
        before=query.date_created_before,
        behind=behind,
        country=query.country,
        is_converted=None if query.status is None else query.status is ConversionStatus.CONVERTED,
    )


def _page_url(request: web.Request, origin: str, *, page: int, token: str | None = None) -> str:
    kept = {name: value for name, value in request.query.items() if name not in ("Page", "PageToken")}
    asked = kept | {"Page": str(page)} | ({"PageToken": token} if token else {})
    return f"{origin}{request.path}?{urlencode(asked)}"
