"""The HTTP server on its Unix socket: bounds, peers, errors of the protocol itself, and an orderly end.

Which user asks is the kernel's word (SO_PEERCRED, unix(7)), not the request's. What is offered is the
door's affair. aiohttp answers a request it cannot parse in plain text; `_Connection` makes it a problem.
"""

import asyncio
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

from voicegate.adapters.http import problems
from voicegate.adapters.http.frame import Identify, frame, request_id_of
from voicegate.adapters.http.native import Door, NativeDoor
from voicegate.adapters.http.openapi import Description
from voicegate.adapters.http.problems import Refused, problem_response
from voicegate.adapters.http.reading import BODY_TIMEOUT, MAX_BODY_BYTES
from voicegate.adapters.http.routes import operations
from voicegate.adapters.http.socket_file import SocketFile
from voicegate.application.delivery import World
from voicegate.application.sign_in import SignIn

log = structlog.get_logger(__name__)

MAX_LINE_BYTES: Final = 8190
MAX_HEADERS: Final = 64
# Long enough to swallow a body of a megabyte that was refused unread, so that the refusal is seen.
MAX_CONNECTIONS: Final = 200
HEAD_WITHIN_S: Final = 5.0
_LINGER_S: Final = 2.0
_SHUTDOWN_S: Final = 5.0
_CREDENTIALS: Final = struct.Struct("3i")


def _own_uids() -> frozenset[int]:
    return frozenset({os.getuid(), 0})


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How the socket is served."""

    path: Path
    """The socket's file; a folder that is missing is made."""
    mode: int = 0o660
    """The file's permissions."""
    group: int | None = None
    """The file's group id; None: the daemon's own."""
    allowed_uids: frozenset[int] = field(default_factory=_own_uids)
    """Users who may ask; the daemon's own and root at first."""
    body_timeout: timedelta = BODY_TIMEOUT
    """How long a request's body may take to arrive."""

    @property
    def file(self) -> SocketFile:
        """The socket's file."""
        return SocketFile(self.path, self.mode, self.group)


@asynccontextmanager
async def serve_on(
    listener: socket.socket, sign_in: SignIn, *, world: World, settings: HttpSettings
) -> AsyncIterator[None]:
    """Serve the native door on a listening Unix socket while the context lasts.

    Leaving it takes no new request, answers those who wait for news at once, and gives the others five
    seconds.
    """
    door = NativeDoor(Door(sign_in, world.desk.store, world.pbxs, world.routes, settings.body_timeout))
    identify = peers_of(settings.allowed_uids)
    runner = web.AppRunner(build_app(door, identify), shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        server = await asyncio.get_running_loop().create_unix_server(
            partial(_connection, runner), sock=listener
        )
        try:
            yield
        finally:
            server.close()
    finally:
        await runner.cleanup()


def build_app(door: NativeDoor, identify: Identify) -> web.Application:
    """Return the native door as an application; `identify` says who asks."""
    app = web.Application(middlewares=[frame(identify)], client_max_size=MAX_BODY_BYTES)
    description = Description()
    offered = (*operations(door), description.operation())
    description.write(offered, version("voicegate"))
    for operation in offered:
        # RFC 9110 9.1: what can be got can be asked for its head.
        for method in ("GET", "HEAD") if operation.method == "GET" else (operation.method,):
            app.router.add_route(method, operation.path, operation.handler, expect_handler=_expect_body)

    async def end_long_polls(_app: web.Application) -> None:
        door.long_polls.close()

    app.on_shutdown.append(end_long_polls)
    return app


def peers_of(allowed_uids: frozenset[int]) -> Identify:
    """Return what tells a request's Unix user by name, when it is allowed. Looks names up once, now."""
    names = {uid: _user_name(uid) for uid in allowed_uids}

    def identify(request: web.BaseRequest) -> str | None:
        return _client(request, names)

    return identify


class _Connection(web.RequestHandler):
    """A connection whose protocol errors are problems too, and that must come to the point.

    aiohttp 3.14 waits for ever for a request's head; each that waits holds a descriptor, which calls need.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; past the cap, end at once."""
        super().connection_made(transport)
        if self._manager is not None and len(self._manager.connections) > MAX_CONNECTIONS:
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


def _connection(runner: web.AppRunner) -> _Connection:
    if runner.server is None:
        raise RuntimeError("the runner is not set up")
    return _Connection(
        runner.server,
        loop=asyncio.get_running_loop(),
        access_log=None,  # type: ignore[arg-type]  # None is its word for no access log
        max_line_size=MAX_LINE_BYTES,
        max_field_size=MAX_LINE_BYTES,
        max_headers=MAX_HEADERS,
        lingering_time=_LINGER_S,
        auto_decompress=False,
    )


async def _expect_body(request: web.Request) -> None:
    # RFC 9110 10.1.1: an expectation other than this one may be ignored.
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _client(request: web.BaseRequest, names: Mapping[int, str]) -> str | None:
    transport = request.transport
    connection: socket.socket | None = transport.get_extra_info("socket") if transport else None
    if connection is None:
        return None
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, _gid = _CREDENTIALS.unpack(raw)
    if uid not in names:
        log.warning("peer not allowed", uid=uid)
    return names.get(uid)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user need not have a name
        return f"uid:{uid}"
