"""The native door's part for the lists of numbers, for admins; as `admin` else."""

from datetime import datetime, timedelta
from typing import Annotated, Literal, assert_never

from aiohttp import web
from msgspec import Meta, Struct

from voicegate.adapters.http import fields, problems, request_parsing
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.responses import json_response, unknown
from voicegate.adapters.http.schemas import Discreet
from voicegate.application.number_lists import ListRequest, NumberLists, Removed
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.client import Scope
from voicegate.domain.policy import ListedNumber, NumberList

AdminList = Literal["trusted", "blocked", "do_not_call"]
_Reason = Annotated[str, Meta(min_length=1, max_length=200, description="Why; the audit keeps it.")]
_Number = Annotated[
    str, Meta(max_length=32, description="The number, written in full.", examples=["+12025550143"])
]
_ListName = Annotated[NumberList, Meta(description="Which list.")]


class NewListing(Discreet, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A number to put on a list."""

    list: Annotated[AdminList, Meta(description="Which list.")]
    number: _Number
    reason: _Reason
    expires_at: (
        Annotated[datetime, Meta(tz=True, description="Until when it counts; a trusted number needs it.")]
        | None
    ) = None


class ListingsQuery(Discreet, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Which entries to list."""

    number: _Number | None = None
    list: _ListName | None = None


class RemovalQuery(Discreet, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Which number to take off which list."""

    list: _ListName
    number: _Number
    reason: _Reason
    client: Annotated[str, Meta(max_length=64, description="Of `reported`: the client's name.")] = ""


class ListingView(Struct, kw_only=True, frozen=True):
    """A number on a list."""

    list: NumberList
    number: Annotated[str, Meta(description="The number, masked.")]
    reason: str
    listed_by: Annotated[str, Meta(description="Who put it there.")]
    listed_at: datetime
    expires_at: Annotated[datetime, Meta(description="Until when it counts; null: until removed.")] | None
    client: Annotated[str, Meta(description="The client it counts for; null: all.")] | None


class ListingList(Struct, kw_only=True, frozen=True):
    """Numbers on lists, the newest first."""

    numbers: list[ListingView]


class RemovedListing(Struct, kw_only=True, frozen=True):
    """A number that is on a list no longer."""

    list: NumberList
    number: Annotated[str, Meta(description="The number, masked.")]


class NumbersDoor:
    """The handlers for the lists of numbers."""

    def __init__(self, numbers: NumberLists, body_timeout: timedelta) -> None:
        self._numbers = numbers
        self._body_timeout = body_timeout

    @Operation(
        method="GET",
        path="/v1/numbers",
        name="listNumbers",
        scope=Scope.ADMIN,
        text="List the numbers that are trusted, blocked, not to be called, or reported, newest first, at "
        "most a thousand; with `number`, what the lists say about that one.",
        query=ListingsQuery,
        success=Success(200, ListingList, "The entries that count now."),
        refusals=(problems.INVALID, *problems.STORED),
    )
    async def list(self, request: web.Request) -> web.Response:
        """List the numbers on lists."""
        query = request_parsing.read_query(request, ListingsQuery)
        number = fields.read_number(query.number)
        if number is None:
            found = await self._numbers.all(query.list)
        else:
            found = await self._numbers.find(number)
            found = [one for one in found if query.list in (None, one.list)]
        return json_response(ListingList(numbers=[_view(one) for one in found]))

    @Operation(
        method="POST",
        path="/v1/numbers",
        name="addNumber",
        scope=Scope.ADMIN,
        text="Put a number on a list, in the place of an older entry. A trusted number has higher limits on "
        "calls and guesses to one number, and passes no other rule; it needs an expiry.",
        body=NewListing,
        success=Success(201, ListingView, "The entry."),
        refusals=(*request_parsing.REFUSALS, *problems.STORED),
    )
    async def add(self, request: web.Request) -> web.Response:
        """Put a number on a list."""
        body = await request_parsing.read_body(request, NewListing, self._body_timeout)
        kind = NumberList(body.list)
        if kind is NumberList.TRUSTED and body.expires_at is None:
            raise request_parsing.wrong("expires_at", ValueError("a trusted number needs it"))
        if request_parsing.has_controls(body.reason):
            raise request_parsing.wrong("reason", ValueError("has control characters"))
        destination = fields.read_destination(body.number)
        listed = await self._numbers.add(
            request[PRINCIPAL], ListRequest(kind, destination, body.reason, body.expires_at)
        )
        return json_response(_view(listed.entry), status=201)

    @Operation(
        method="DELETE",
        path="/v1/numbers",
        name="removeNumber",
        scope=Scope.ADMIN,
        text="Take a number off a list.",
        query=RemovalQuery,
        success=Success(200, RemovedListing, "It is on the list no longer."),
        refusals=(problems.INVALID, problems.NOT_FOUND, *problems.STORED),
    )
    async def remove(self, request: web.Request) -> web.Response:
        """Take a number off a list."""
        query = request_parsing.read_query(request, RemovalQuery)
        destination = fields.read_destination(query.number)
        answer = await self._numbers.remove(
            request[PRINCIPAL], ListRequest(query.list, destination, query.reason, client=query.client)
        )
        match answer:
            case NotFound():
                raise unknown("number", destination.masked)
            case Removed():
                return json_response(RemovedListing(list=query.list, number=destination.masked))
            case _:
                assert_never(answer)


def _view(entry: ListedNumber) -> ListingView:
    return ListingView(
        list=entry.list,
        number=entry.number,
        reason=entry.reason,
        listed_by=entry.listed_by,
        listed_at=entry.listed_at,
        expires_at=entry.expires_at,
        client=entry.client or None,
    )
