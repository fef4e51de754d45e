"""The native door's handlers for held ranges and countries: shown, held and lifted by admins."""

from datetime import datetime, timedelta
from typing import Annotated, assert_never

from aiohttp import web
from msgspec import Meta, Struct

from voicegate.adapters.http import problems, request_parsing
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.responses import json_response, unknown
from voicegate.application.prefix_holds import PrefixChanged, PrefixHolds
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.client import Scope
from voicegate.domain.policy import PrefixHold

PrefixText = Annotated[
    str,
    Meta(
        pattern=r"^(\+[1-9][0-9]{0,14}|[A-Z]{2})$",
        description="The beginning of the numbers, with its plus sign; or a country, by its ISO 3166-1 code.",
        examples=["+1202555", "US"],
    ),
]
ClientName = Annotated[str, Meta(max_length=100, description="For which client; empty: for all.")]
Reason = Annotated[str, Meta(min_length=1, max_length=200, description="Why; kept in the audit.")]


class Holding(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What is held, for whom and how long."""

    prefix: PrefixText
    reason: Reason
    client: ClientName = ""
    for_s: Annotated[int, Meta(ge=1, le=31_536_000, description="Seconds that it is held.")] = 3600


class Lifting(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What is not held any more."""

    prefix: PrefixText
    reason: Reason
    client: ClientName = ""


class HoldView(Struct, kw_only=True, frozen=True):
    """A range or a country that is not called for a time."""

    prefix: str
    client: Annotated[str, Meta(description="For which client; empty: for all.")]
    at: datetime
    until: datetime
    held_by: Annotated[str, Meta(description="The admin; empty: what its calls showed.")]
    reason: str


class HoldList(Struct, kw_only=True, frozen=True):
    """What is held now."""

    prefixes: list[HoldView]


class PrefixesDoor:
    """The handlers for held ranges and countries."""

    def __init__(self, holds: PrefixHolds, body_timeout: timedelta) -> None:
        self._holds = holds
        self._body_timeout = body_timeout

    @Operation(
        method="GET",
        path="/v1/prefixes",
        name="listPrefixes",
        scope=Scope.ADMIN,
        text="List the ranges and countries that are held now.",
        success=Success(200, HoldList, "By what is held."),
        refusals=problems.STORED,
    )
    async def list(self, _request: web.Request) -> web.Response:
        """List what is held."""
        return json_response(HoldList(prefixes=[_view(hold) for hold in await self._holds.list()]))

    @Operation(
        method="POST",
        path="/v1/prefixes/hold",
        name="holdPrefix",
        scope=Scope.ADMIN,
        text="Hold a range or a country for a time: no call to it is placed.",
        body=Holding,
        success=Success(200, HoldView, "The hold."),
        refusals=(*request_parsing.REFUSALS, *problems.STORED),
    )
    async def hold(self, request: web.Request) -> web.Response:
        """Hold a range or a country."""
        body = await request_parsing.read_body(request, Holding, self._body_timeout)
        length = timedelta(seconds=body.for_s)
        held = await self._holds.hold(
            request[PRINCIPAL], body.prefix, client=body.client, length=length, reason=body.reason
        )
        return json_response(_view(held.hold))

    @Operation(
        method="POST",
        path="/v1/prefixes/lift",
        name="liftPrefix",
        scope=Scope.ADMIN,
        text="End a hold. What was called before is not judged again.",
        body=Lifting,
        success=Success(200, HoldView, "The hold, which is over."),
        refusals=(*request_parsing.REFUSALS, problems.NOT_FOUND, *problems.STORED),
    )
    async def lift(self, request: web.Request) -> web.Response:
        """End a hold."""
        body = await request_parsing.read_body(request, Lifting, self._body_timeout)
        principal = request[PRINCIPAL]
        answer = await self._holds.lift(principal, body.prefix, client=body.client, reason=body.reason)
        match answer:
            case NotFound():
                raise unknown("hold", body.prefix)
            case PrefixChanged(hold):
                return json_response(_view(hold))
            case _:
                assert_never(answer)


def _view(hold: PrefixHold) -> HoldView:
    return HoldView(
        prefix=hold.key,
        client=hold.client,
        at=hold.at,
        until=hold.until,
        held_by=hold.held_by,
        reason=hold.reason,
    )
