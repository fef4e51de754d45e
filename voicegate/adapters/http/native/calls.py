"""The native door's handlers for calls: each reads, asks, and shows the answer."""

from datetime import datetime
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from voicegate.adapters.http import fields, problems, request_parsing, views
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.positions import read_position, write_position
from voicegate.adapters.http.responses import found, json_response
from voicegate.adapters.http.schemas import CallList, CallView
from voicegate.application.listing import CallFilter, Position
from voicegate.application.queries import ChallengeQueries
from voicegate.domain.call_outcome import Outcome
from voicegate.domain.client import Scope


class CallsQuery(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Which calls to list."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Calls to list at most.")] = 50
    cursor: (
        Annotated[str, Meta(max_length=100, description="Only calls after a page's last: its `next`.")] | None
    ) = None
    before: Annotated[datetime, Meta(tz=True, description="Only calls made before this moment.")] | None = (
        None
    )
    after: (
        Annotated[datetime, Meta(tz=True, description="Only calls made at this moment or later.")] | None
    ) = None
    number: (
        Annotated[str, Meta(max_length=32, description="Only calls to this destination, written in full.")]
        | None
    ) = None
    outcome: Annotated[Outcome, Meta(description="Only calls that ended so.")] | None = None
    trunk: Annotated[str, Meta(max_length=64, description="Only calls by this trunk.")] | None = None
    client: (
        Annotated[str, Meta(max_length=64, description="Only calls of this client; an admin sees all.")]
        | None
    ) = None
    subscriber: Annotated[str, Meta(max_length=255, description="Only calls for this subscriber.")] | None = (
        None
    )
    reference: Annotated[str, Meta(max_length=200, description="Only calls with this note.")] | None = None
    test_numbers: Annotated[bool, Meta(description="With the calls to test numbers?")] = False


class CallsDoor:
    """The handlers for calls."""

    def __init__(self, challenges: ChallengeQueries) -> None:
        self._challenges = challenges

    @Operation(
        method="GET",
        path="/v1/calls",
        name="listCalls",
        scope=Scope.VERIFICATIONS,
        text="List calls, newest first, without timelines.",
        query=CallsQuery,
        success=Success(200, CallList, "A page of calls."),
        refusals=(problems.INVALID, *problems.STORED),
    )
    async def list(self, request: web.Request) -> web.Response:
        """List calls, newest first."""
        query = request_parsing.read_query(request, CallsQuery)
        records = await self._challenges.calls(request[PRINCIPAL], query.limit, _call_filter(query))
        is_full = len(records) == query.limit
        return json_response(
            CallList(
                calls=[views.summary(record) for record in records],
                next=write_position(Position.of(records[-1].call)) if is_full else None,
            )
        )

    @Operation(
        method="GET",
        path="/v1/calls/{id}",
        name="getCall",
        scope=Scope.VERIFICATIONS,
        text="Show a call with its timeline.",
        success=Success(200, CallView, "The call."),
        refusals=(problems.NOT_FOUND, *problems.STORED),
    )
    async def get(self, request: web.Request) -> web.Response:
        """Show a call."""
        call_id = request.match_info["id"]
        return json_response(
            views.call(found(await self._challenges.call(request[PRINCIPAL], call_id), "call", call_id))
        )


def _call_filter(query: CallsQuery) -> CallFilter:
    try:
        behind = None if query.cursor is None else read_position(query.cursor)
    except ValueError as error:
        raise request_parsing.wrong("cursor", error) from error
    return CallFilter(
        client=query.client,
        number=fields.read_number(query.number),
        trunk=query.trunk,
        outcome=query.outcome,
        subscriber=query.subscriber,
        reference=query.reference,
        after=query.after,
        before=query.before,
        behind=behind,
        with_tests=query.test_numbers,
    )
