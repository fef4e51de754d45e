"""The native door's handlers for the daemon itself: is it alive, can calls be placed, and a reload."""

from collections.abc import Awaitable, Callable
from typing import assert_never

from aiohttp import web

from voicegate.adapters.http import problems
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.native.service_schemas import Health, NotTakenView, ReloadView
from voicegate.adapters.http.native.service_schemas import Readiness as ReadinessView
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.problems import Facts, Refused
from voicegate.adapters.http.responses import json_response
from voicegate.application.readiness import Readiness
from voicegate.application.reloading import NotReloaded, Reloaded
from voicegate.domain.client import Principal, Scope


class ServiceDoor:
    """The handlers for the daemon itself."""

    def __init__(
        self, readiness: Readiness, reload: Callable[[Principal], Awaitable[Reloaded | NotReloaded]]
    ) -> None:
        self._readiness = readiness
        self._reload = reload

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

    @Operation(
        method="POST",
        path="/v1/settings/reload",
        name="reloadSettings",
        scope=Scope.ADMIN,
        text="Read the configuration file again, and take what can be taken while calls go on. A file that "
        "cannot be used changes nothing: `error` then says what is wrong with it.",
        success=Success(200, ReloadView, "What was taken, and what was not."),
        refusals=problems.STORED,
    )
    async def reload(self, request: web.Request) -> web.Response:
        """Read the settings again."""
        done = await self._reload(request[PRINCIPAL])
        match done:
            case NotReloaded(error):
                return json_response(ReloadView(error=error, taken=[], read_again=[], not_taken=[]))
            case Reloaded():
                return json_response(
                    ReloadView(
                        error=None,
                        taken=list(done.taken),
                        read_again=list(done.read_again),
                        not_taken=[NotTakenView(one.setting, one.why) for one in done.not_taken],
                    )
                )
            case _:
                assert_never(done)
