"""The native door's handlers for trunks: how they are, and drained or resumed by an admin."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, assert_never

from aiohttp import web

from voicegate.adapters.http import problems, request_parsing
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.native.trunk_schemas import (
    Draining,
    DrainView,
    FiguresQuery,
    FiguresView,
    Resuming,
    TrunkFiguresView,
    TrunkList,
    TrunkView,
)
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.responses import json_response, unknown
from voicegate.application.ports import Pbx
from voicegate.application.route_choice import Standings
from voicegate.application.trunk_health import trunk_states
from voicegate.application.trunks import TrunkDrained, TrunkResumed, Trunks
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.client import Principal, Scope
from voicegate.domain.routing import Trunk, TrunkState
from voicegate.domain.trunk_figures import TrunkFigures, total

_PBX_TIMEOUT: Final = timedelta(seconds=3)
_WINDOW: Final = timedelta(seconds=FiguresQuery().window_s)


class TrunksDoor:
    """The handlers for trunks."""

    def __init__(
        self,
        trunks: Trunks,
        *,
        pbxs: Mapping[str, Pbx],
        standings: Standings,
        body_timeout: timedelta,
    ) -> None:
        self._trunks = trunks
        self._pbxs = pbxs
        self._figures = trunks.figures
        self._standings = standings
        self._body_timeout = body_timeout

    @Operation(
        method="GET",
        path="/v1/trunks",
        name="listTrunks",
        text="Show the trunks as their PBXs see them, to admins with how their calls went lately.",
        query=FiguresQuery,
        success=Success(200, TrunkList, "The trunks, in the order they are tried."),
        refusals=(problems.INVALID, *problems.STORED),
    )
    async def list_trunks(self, request: web.Request) -> web.Response:
        """Show the trunks as their PBXs see them."""
        query = request_parsing.read_query(request, FiguresQuery)
        return json_response(await self._list(request[PRINCIPAL], timedelta(seconds=query.window_s)))

    @Operation(
        method="GET",
        path="/v1/trunks/{name}/figures",
        name="trunkFigures",
        scope=Scope.ADMIN,
        text="Show how a trunk's calls went lately, by country and by SIP status.",
        query=FiguresQuery,
        success=Success(200, TrunkFiguresView, "The figures."),
        refusals=(problems.INVALID, problems.NOT_FOUND, *problems.STORED),
    )
    async def figures(self, request: web.Request) -> web.Response:
        """Show how a trunk's calls went."""
        query, name = request_parsing.read_query(request, FiguresQuery), request.match_info["name"]
        if all(trunk.name != name for trunk in self._trunks.routes.trunks):
            raise unknown("trunk", name)
        window = timedelta(seconds=query.window_s)
        parts = [one for one in await self._figures.by_country(window) if one.trunk == name]
        failures = await self._figures.sip_failures(name, window)
        return json_response(
            TrunkFiguresView(
                name=name,
                window_s=query.window_s,
                total=_figures(total(name, parts)),
                countries=[_figures(part) for part in parts],
                sip_failures={str(status): count for status, count in failures.items()},
            )
        )

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
        answer = await self._trunks.drain(request[PRINCIPAL], name, body.reason)
        return await self._changed(request[PRINCIPAL], name, answer)

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
        answer = await self._trunks.resume(request[PRINCIPAL], name, body.reason)
        return await self._changed(request[PRINCIPAL], name, answer)

    async def _changed(
        self, principal: Principal, name: str, answer: TrunkDrained | TrunkResumed | NotFound
    ) -> web.Response:
        match answer:
            case NotFound():
                raise unknown("trunk", name)
            case TrunkDrained() | TrunkResumed():
                return json_response(await self._list(principal, _WINDOW))
            case _:
                assert_never(answer)

    async def _list(self, principal: Principal, window: timedelta) -> TrunkList:
        # A PBX that does not say is an answer too: its trunks are "unknown".
        states = {name: await trunk_states(pbx, _PBX_TIMEOUT) for name, pbx in self._pbxs.items()}
        # Of all clients' calls, which are no other client's business.
        parts = await self._figures.by_country(window) if principal.is_admin else None
        return TrunkList(trunks=[self._view(trunk, states, parts) for trunk in self._trunks.routes.trunks])

    def _view(
        self,
        trunk: Trunk,
        states: Mapping[str, Mapping[str, TrunkState]],
        parts: Sequence[TrunkFigures] | None,
    ) -> TrunkView:
        pbx, drain = self._pbxs.get(trunk.pbx), self._trunks.drains.of(trunk.name)
        return TrunkView(
            name=trunk.name,
            pbx=trunk.pbx,
            endpoint=trunk.endpoint,
            state=states.get(trunk.pbx, {}).get(trunk.endpoint, TrunkState.UNKNOWN),
            pbx_connected=pbx is not None and pbx.is_connected,
            set_aside_until=self._standings.set_aside_until(trunk.name),
            drained=DrainView(at=drain.at, client=drain.client, reason=drain.reason) if drain else None,
            figures=None if parts is None else _figures(total(trunk.name, parts)),
        )


def _figures(sums: TrunkFigures) -> FiguresView:
    return FiguresView(
        country=sums.country,
        calls=sums.placed,
        answer_seizure_ratio=_rounded(sums.answer_seizure_ratio),
        post_dial_delay_s=_seconds(sums.post_dial_delay),
        call_duration_s=_seconds(sums.call_duration),
        verified_ratio=_rounded(sums.verified_ratio),
        failures=sums.failed,
        keys_asked=sums.keys_asked,
        key_press_share=_rounded(sums.key_press_share),
    )


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else round(length.total_seconds(), 3)
