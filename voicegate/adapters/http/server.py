"""The HTTP server: listeners, bounds, errors of the protocol itself, and an orderly end.

What is offered is the doors' affair, who asks is `identity`'s. aiohttp answers a request it cannot parse in
plain text; `_Connection` makes it a problem.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Final

import structlog
from aiohttp import web

from voicegate.adapters.http import problems
from voicegate.adapters.http.doors import ASKER, Door
from voicegate.adapters.http.frame import Identify, frame, request_id_of
from voicegate.adapters.http.operations import Handler, Operation
from voicegate.adapters.http.problems import Refused, problem_response
from voicegate.adapters.http.reading import MAX_BODY_BYTES

log = structlog.get_logger(__name__)

MAX_LINE_BYTES: Final = 8190
MAX_HEADERS: Final = 64
MAX_CONNECTIONS: Final = 200
"""On each listener, so that a crowd on TCP shuts nobody out of the Unix socket."""
HEAD_WITHIN_S: Final = 5.0
# aiohttp would let a connection that was served, or refused, stay idle for an hour.
IDLE_S: Final = 75.0
# Long enough to swallow a body of a megabyte that was refused unread, so that the refusal is seen.
_LINGER_S: Final = 2.0
_SHUTDOWN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket."""

    socket: socket.socket
    """A Unix or a TCP socket."""
    tls: ssl.SSLContext | None = None
    """How it is encrypted; None: in the clear."""


@asynccontextmanager
async def serve_on(
    listeners: Sequence[Listener], doors: Sequence[Door], identify: Identify
) -> AsyncIterator[None]:
    """Serve the doors on every listener while the context lasts; the first door that has a path answers it.

    Leaving it takes no new request, answers those who wait for news at once, and gives the others five
    seconds.
    """
    runner = web.AppRunner(build_app(doors, identify), shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    loop = asyncio.get_running_loop()
    try:
        async with AsyncExitStack() as stack:
            for listener in listeners:
                # For a Unix socket too: asyncio asks of a given socket only that it is a stream.
                server = await loop.create_server(
                    partial(_connection, runner, crowd=set()),
                    sock=listener.socket,
                    ssl=listener.tls,
                    ssl_handshake_timeout=HEAD_WITHIN_S if listener.tls else None,
                )
                stack.callback(server.close)
            yield
    finally:
        await runner.cleanup()


def build_app(doors: Sequence[Door], identify: Identify) -> web.Application:
    """Return the doors as one application; `identify` says who asks."""
    app = web.Application(middlewares=[frame(doors, identify)], client_max_size=MAX_BODY_BYTES)
    for operation in (operation for door in doors for operation in door.operations):
        # RFC 9110 9.1: what can be got can be asked for its head.
        methods = ("GET", "HEAD") if operation.method == "GET" else (operation.method,)
        # Clients write a slash behind a path, Okta's 2.x SDK before each query.
        for method, path in product(methods, (operation.path, f"{operation.path}/")):
            app.router.add_route(method, path, _guarded(operation), expect_handler=_expect_body)

    async def close(_app: web.Application) -> None:
        for door in doors:
            door.close()

    app.on_shutdown.append(close)
    return app


def _guarded(operation: Operation) -> Handler:
    """Return an operation's handler, for clients with its scope only."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if operation.scope is not None and not request[ASKER].may(operation.scope):
            raise Refused(problems.SCOPE_MISSING, f"it needs the scope {operation.scope}")
        return await operation.handler(request)

    return handle


class _Connection(web.RequestHandler):
    """A connection whose protocol errors are problems too, and that must come to the point.

    aiohttp 3.14 waits for ever for a request's head; each that waits holds a descriptor, which calls need.
    """

    _deadline: asyncio.TimerHandle | None = None
    crowd: "set[_Connection]"
    """All connections of the same listener."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; past the cap, end at once."""
        super().connection_made(transport)
        self.crowd.add(self)
        if len(self.crowd) > MAX_CONNECTIONS:
            log.warning("too many connections", cap=MAX_CONNECTIONS)
            self.force_close()
            return
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head that is begun must be finished in time."""
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self.crowd.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        is_waiting = self._current_request is None and not self._messages
        if not is_waiting and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        elif is_waiting and self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(HEAD_WITHIN_S, self._give_up_on_head)

    def _give_up_on_head(self) -> None:
        self._deadline = None
        if self._current_request is None and not self._messages:
            self.force_close()

    def handle_error(self, request: web.BaseRequest, status: int = 500, *rest: object) -> web.StreamResponse:
        """Answer what is no HTTP, or what failed outside of every handler, and close the connection."""
        # The rest, by position: the exception, and a text that may repeat what was sent.
        error = next((cause for cause in rest if isinstance(cause, BaseException)), None)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        if status >= problems.INTERNAL.status:
            log.error("request failed", exc_info=error)
            refused = Refused(problems.INTERNAL, "it was logged under this request's id")
        else:
            log.info("not HTTP", error=type(error).__name__)
            refused = Refused(problems.BAD_REQUEST, "the request is not valid HTTP, or its headers too long")
        response = problem_response(refused, request_id_of(request))
        response.force_close()
        return response


def _connection(runner: web.AppRunner, crowd: set[_Connection]) -> _Connection:
    if runner.server is None:
        raise RuntimeError("the runner is not set up")
    connection = _Connection(
        runner.server,
        loop=asyncio.get_running_loop(),
        access_log=None,  # type: ignore[arg-type]  # None is its word for no access log
        max_line_size=MAX_LINE_BYTES,
        max_field_size=MAX_LINE_BYTES,
        max_headers=MAX_HEADERS,
        keepalive_timeout=IDLE_S,
        lingering_time=_LINGER_S,
        auto_decompress=False,
    )
    connection.crowd = crowd
    return connection


async def _expect_body(request: web.Request) -> None:
    # RFC 9110 10.1.1: an expectation other than this one may be ignored.
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
