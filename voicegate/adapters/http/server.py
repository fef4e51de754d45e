"""The HTTP server: listeners, the doors as one application, and an orderly end.

The doors define the operations, `identity` finds out who asks, and `connections` limits the connections.
"""

import resource
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Final

from aiohttp import web

from voicegate.adapters.http import problems
from voicegate.adapters.http.acceptor import Acceptor, Listener
from voicegate.adapters.http.connections import ConnectionLimits, Connections, affordable
from voicegate.adapters.http.doors import PRINCIPAL, PUBLIC_URL, Door
from voicegate.adapters.http.forwarding import Proxies
from voicegate.adapters.http.middleware import Frame, Identify
from voicegate.adapters.http.operations import Handler, Route
from voicegate.adapters.http.overload import Delay, Load
from voicegate.adapters.http.problems import Refused
from voicegate.adapters.http.protocol import SERVER, HttpProtocol, Surroundings
from voicegate.adapters.http.request_parsing import MAX_BODY_BYTES
from voicegate.application.throttled_log import ThrottledLog

__all__ = ["Listener", "ServerSettings", "build_app", "serve_on"]

_SHUTDOWN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The server's settings."""

    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    """The limits of each listener's connections."""
    proxies: Proxies = field(default_factory=Proxies)
    """The proxies whose forwarded addresses are trusted."""
    public_url: str = ""
    """The start of links; empty: where the server listens."""
    store_delay: Delay = lambda _ahead: 0.0
    """How long a write would wait for the store."""
    on_failure: Callable[[str], None] = lambda _why: None
    """Is told why a sender could not be authenticated, each time."""


@asynccontextmanager
async def serve_on(
    listeners: Sequence[Listener],
    doors: Sequence[Door],
    identify: Identify,
    *,
    settings: ServerSettings | None = None,
) -> AsyncIterator[None]:
    """Serve the doors on every listener while the context lasts; the first door that has a path answers it.

    At the end no new request is accepted, waiting requests are answered at once, and the others have five
    seconds.
    """
    settings = settings or ServerSettings()
    warnings = ThrottledLog(settings.on_failure)
    load = Load(settings.store_delay)
    app = build_app(doors, Frame(doors, identify, settings.proxies, warnings, load))
    app[PUBLIC_URL] = settings.public_url
    runner = web.AppRunner(app, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    if runner.server is None:
        raise RuntimeError("the runner is not set up")
    crowds = []
    limits = affordable(
        settings.limits,
        listeners=len(listeners),
        descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    )
    try:
        async with AsyncExitStack() as stack:
            load.start()
            stack.callback(load.stop)
            for listener in listeners:
                connections = Connections(limits)
                crowds.append(connections)
                acceptor = Acceptor(
                    listener,
                    connections,
                    make=partial(
                        HttpProtocol, surroundings=Surroundings(runner.server, connections, warnings, load)
                    ),
                    proxies=settings.proxies,
                    warnings=warnings,
                )
                acceptor.start()
                stack.callback(acceptor.stop)
            yield
    finally:
        await runner.cleanup()
        for connections in crowds:
            connections.close()
        warnings.close()


def build_app(doors: Sequence[Door], frame: Frame) -> web.Application:
    """Return the doors as one application, with the middleware."""
    app = web.Application(middlewares=[frame.middleware()], client_max_size=MAX_BODY_BYTES)
    for route in (route for door in doors for route in door.routes):
        operation = route.operation
        # RFC 9110 9.1: what can be got can be asked for its head.
        methods = ("GET", "HEAD") if operation.method == "GET" else (operation.method,)
        # Clients write a slash behind a path, Okta's 2.x SDK before each query.
        for method, path in product(methods, (operation.path, f"{operation.path}/")):
            app.router.add_route(method, path, _guarded(route), expect_handler=_expect_body)

    async def close(_app: web.Application) -> None:
        for door in doors:
            door.close()

    app.on_shutdown.append(close)
    app.on_response_prepare.append(_name_server)
    return app


def _guarded(route: Route) -> Handler:
    """Return a route's handler; it refuses clients without the route's scope."""
    asked = (route.operation.scope, route.operation.other_scope)
    scopes = [scope for scope in asked if scope is not None]

    async def handle(request: web.Request) -> web.StreamResponse:
        if scopes and not any(request[PRINCIPAL].may(scope) for scope in scopes):
            raise Refused(problems.SCOPE_MISSING, f"it needs the scope {' or '.join(scopes)}")
        return await route.handler(request)

    return handle


async def _name_server(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER


async def _expect_body(request: web.Request) -> None:
    # RFC 9110 10.1.1: an expectation other than this one may be ignored.
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
