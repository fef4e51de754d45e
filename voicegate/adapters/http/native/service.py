"""The native door's handlers for the daemon itself: is it alive, and can calls be placed?"""

from aiohttp import web

from voicegate.adapters.http import problems
from voicegate.adapters.http.native.service_schemas import Health
from voicegate.adapters.http.native.service_schemas import Readiness as ReadinessView
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.problems import Facts, Refused
from voicegate.adapters.http.responses import json_response
from voicegate.application.readiness import Readiness


class ServiceDoor:
    """The handlers for the daemon itself, which anybody may ask."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    @Operation(
        method="GET",
        path="/healthz",
        name="getHealth",
        is_open=True,
        text="Is the process alive? Checks nothing else.",
        success=Success(200, Health, "Alive."),
        refusals=(),
    )
    async def health(self, _request: web.Request) -> web.Response:
        """Say that the process is alive."""
        return json_response(Health(status="ok"))

    @Operation(
        method="GET",
        path="/readyz",
        name="getReadiness",
        is_open=True,
        text="Can calls be placed: can the database be written, and is a PBX connected? "
        "Answered within some three seconds, whatever hangs; `failing` says what is wrong.",
        success=Success(200, ReadinessView, "Ready."),
        refusals=(problems.NOT_READY,),
    )
    async def ready(self, _request: web.Request) -> web.Response:
        """Say whether calls can be placed, and how each part is."""
        ready = await self._readiness.look()
        parts = dict(ready.parts)
        if not ready.is_ready:
            failing = [f"{part}: {state}" for part, state in parts.items() if state != "ok"]
            raise Refused(problems.NOT_READY, "; ".join(failing), Facts(failing=failing))
        return json_response(ReadinessView(status="ok", parts=parts))
