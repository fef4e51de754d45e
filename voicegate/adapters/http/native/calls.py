"""The native door's handlers for calls and trunks: each reads, asks, and shows the answer."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from aiohttp import web

from voicegate.adapters.http import fields, problems, request_parsing, views
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.positions import read_position, write_position
from voicegate.adapters.http.responses import found, json_response
from voicegate.adapters.http.schemas import CallList, CallsQuery, CallView, TrunkList, TrunkView
from voicegate.application.listing import CallFilter, Position
from voicegate.application.ports import Pbx
from voicegate.application.queries import ChallengeQueries
from voicegate.application.route_choice import Standings
from voicegate.application.trunk_health import trunk_states
from voicegate.domain.client import Scope
from voicegate.domain.routing import Trunk, TrunkState

_PBX_TIMEOUT: Final = timedelta(seconds=3)


class CallsDoor:
    """The handlers for calls, and for the trunks that they go out by."""

    def __init__(
        self,
        challenges: ChallengeQueries,
        *,
        pbxs: Mapping[str, Pbx],
        trunks: Sequence[Trunk],
        standings: Standings,
    ) -> None:
        self._challenges = challenges
        self._pbxs = pbxs
        self._trunks = trunks
        self._standings = standings

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
        # A PBX that does not say is an answer too: its trunks are "unknown".
        states = {name: await trunk_states(pbx, _PBX_TIMEOUT) for name, pbx in self._pbxs.items()}
        return json_response(TrunkList(trunks=[self._trunk(trunk, states) for trunk in self._trunks]))

    def _trunk(self, trunk: Trunk, states: Mapping[str, Mapping[str, TrunkState]]) -> TrunkView:
        pbx = self._pbxs.get(trunk.pbx)
        return TrunkView(
            name=trunk.name,
            pbx=trunk.pbx,
            endpoint=trunk.endpoint,
            state=states.get(trunk.pbx, {}).get(trunk.endpoint, TrunkState.UNKNOWN),
            pbx_connected=pbx is not None and pbx.is_connected,
            set_aside_until=self._standings.set_aside_until(trunk.name),
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
        after=query.after,
        before=query.before,
        behind=behind,
        with_tests=query.test_numbers,
    )
