"""The native door's handlers for trunks: how they are, and drained or resumed by an admin."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final, assert_never

from aiohttp import web
from msgspec import Meta, Struct

from voicegate.adapters.http import problems, request_parsing
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.responses import json_response, unknown
from voicegate.application.ports import Pbx
from voicegate.application.route_choice import Standings
from voicegate.application.trunk_health import trunk_states
from voicegate.application.trunks import TrunkDrained, TrunkResumed, Trunks
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.client import Scope
from voicegate.domain.routing import Trunk, TrunkState

_PBX_TIMEOUT: Final = timedelta(seconds=3)

Reason = Annotated[
    str, Meta(min_length=1, max_length=200, description="Why; kept in the audit.", examples=["carrier works"])
]


class Draining(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Why a trunk is drained."""

    reason: Reason


class Resuming(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Why a trunk is resumed."""

    reason: Reason | None = None


class DrainView(Struct, kw_only=True, frozen=True):
    """Since when a trunk gets no new calls."""

    at: datetime
    client: Annotated[str, Meta(description="Who drained it.")]
    reason: str


class TrunkView(Struct, kw_only=True, frozen=True):
    """A trunk as its PBX sees it."""

    name: str
    pbx: str
    endpoint: str
    state: TrunkState
    pbx_connected: bool
    set_aside_until: Annotated[
        datetime | None,
        Meta(description="Until when it is tried last, for its calls failed; null: it is not set aside."),
    ]
    drained: Annotated[
        DrainView | None, Meta(description="An admin lets it get no new calls; null: it gets calls.")
    ]


class TrunkList(Struct, kw_only=True, frozen=True):
    """Trunks in the order they are tried."""

    trunks: list[TrunkView]


class TrunksDoor:
    """The handlers for trunks."""

    def __init__(
        self,
        trunks: Trunks,
        *,
        pbxs: Mapping[str, Pbx],
        configured: Sequence[Trunk],
        standings: Standings,
        body_timeout: timedelta,
    ) -> None:
        self._trunks = trunks
        self._pbxs = pbxs
        self._configured = configured
        self._standings = standings
        self._body_timeout = body_timeout

    @Operation(
        method="GET",
        path="/v1/trunks",
        name="listTrunks",
        text="Show the trunks as their PBXs see them.",
        success=Success(200, TrunkList, "The trunks, in the order they are tried."),
        refusals=(problems.INTERNAL,),
    )
    async def list_trunks(self, _request: web.Request) -> web.Response:
        """Show the trunks as their PBXs see them."""
        return json_response(TrunkList(trunks=await self._views()))

    @Operation(
        method="POST",
        path="/v1/trunks/{name}/drain",
        name="drainTrunk",
        scope=Scope.ADMIN,
        text="Let a trunk get no new calls, also after a restart, until it is resumed. Calls in progress go "
        "on; those that wait for a line go by another one.",
        body=Draining,
        success=Success(200, TrunkList, "The trunks, in the order they are tried."),
        refusals=(*request_parsing.REFUSALS, problems.NOT_FOUND, *problems.STORED),
    )
    async def drain(self, request: web.Request) -> web.Response:
        """Let a trunk get no new calls."""
        body = await request_parsing.read_body(request, Draining, self._body_timeout)
        name = request.match_info["name"]
        return await self._changed(name, await self._trunks.drain(request[PRINCIPAL], name, body.reason))

    @Operation(
        method="POST",
        path="/v1/trunks/{name}/resume",
        name="resumeTrunk",
        scope=Scope.ADMIN,
        text="Let a drained trunk get calls again.",
        body=Resuming,
        success=Success(200, TrunkList, "The trunks, in the order they are tried."),
        refusals=(*request_parsing.REFUSALS, problems.NOT_FOUND, *problems.STORED),
    )
    async def resume(self, request: web.Request) -> web.Response:
        """Let a trunk get calls again."""
        body = await request_parsing.read_body(request, Resuming, self._body_timeout)
        name = request.match_info["name"]
        return await self._changed(name, await self._trunks.resume(request[PRINCIPAL], name, body.reason))

    async def _changed(self, name: str, answer: TrunkDrained | TrunkResumed | NotFound) -> web.Response:
        match answer:
            case NotFound():
                raise unknown("trunk", name)
            case TrunkDrained() | TrunkResumed():
                return json_response(TrunkList(trunks=await self._views()))
            case _:
                assert_never(answer)

    async def _views(self) -> list[TrunkView]:
        # A PBX that does not say is an answer too: its trunks are "unknown".
        states = {name: await trunk_states(pbx, _PBX_TIMEOUT) for name, pbx in self._pbxs.items()}
        return [self._view(trunk, states) for trunk in self._configured]

    def _view(self, trunk: Trunk, states: Mapping[str, Mapping[str, TrunkState]]) -> TrunkView:
        pbx, drain = self._pbxs.get(trunk.pbx), self._trunks.drains.of(trunk.name)
        return TrunkView(
            name=trunk.name,
            pbx=trunk.pbx,
            endpoint=trunk.endpoint,
            state=states.get(trunk.pbx, {}).get(trunk.endpoint, TrunkState.UNKNOWN),
            pbx_connected=pbx is not None and pbx.is_connected,
            set_aside_until=self._standings.set_aside_until(trunk.name),
            drained=DrainView(at=drain.at, client=drain.client, reason=drain.reason) if drain else None,
        )
