"""HTTP on one connection: adds the limits that aiohttp lacks, and answers its errors as problems.

aiohttp 3.14 waits for ever for a request's head, keeps an idle connection for an hour, and answers a request
that it cannot parse in plain text.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

import structlog
from aiohttp import web

from voicegate.adapters.http import problems
from voicegate.adapters.http.connections import Connection, Connections
from voicegate.adapters.http.doors import request_id_of
from voicegate.adapters.http.overload import Load
from voicegate.adapters.http.problems import Refused, problem_response
from voicegate.application.throttled_log import ThrottledLog

log = structlog.get_logger(__name__)

MAX_LINE_BYTES: Final = 8190
MAX_HEADERS: Final = 64
HEAD_WITHIN_S: Final = 5.0
IDLE_S: Final = 75.0
SERVER: Final = "Voicegate"
"""The `Server` header; without versions, which would help an attacker to find a known vulnerability."""
# Long enough to swallow a body of a megabyte that was refused unread, so that the refusal is seen.
_LINGER_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a connection gets from its server."""

    manager: web.Server
    """Finds the handler of each request."""
    connections: Connections
    """All connections of the listener."""
    warnings: ThrottledLog
    """The log for what unidentified senders cause."""
    load: Load
    """Measures how late the event loop is."""


class HttpProtocol(web.RequestHandler):
    """A connection with a time limit for each request's head."""

    def __init__(self, connection: Connection, surroundings: Surroundings) -> None:
        super().__init__(
            surroundings.manager,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # None is its word for no access log
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_HEADERS,
            keepalive_timeout=IDLE_S,
            lingering_time=_LINGER_S,
            auto_decompress=False,
        )
        self.connection = connection
        self.connections = surroundings.connections
        self.departures: set[Callable[[], None]] = set()
        """Called when the connection is gone."""
        self.began: float | None = None
        """When the first byte of the request came, by the loop's clock; None: no request has begun."""
        self._came = self._loop.time()
        self._load = surroundings.load
        self._warnings = surroundings.warnings
        self._deadline: asyncio.TimerHandle | None = None
        connection.is_busy = self._is_busy

    @property
    def began_at(self) -> float:
        """When the first byte of the request in progress came, by the loop's clock, as far as known; includes
        the time in which the loop was late."""
        # What comes while another is being answered begins no request of its own.
        return self._came if self.began is None else self.began

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Receive bytes; a request's head must be complete in time."""
        self.connections.touch(self.connection)
        self._came = self._load.came_at() - self.connection.late_s
        self.connection.late_s = 0.0
        if self.began is None:
            self.began = self._came
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self.connections.discard(self.connection)
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)
        for told in list(self.departures):
            told()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; the connection is idle from then on."""
        finished = await super().finish_response(request, resp, start_time)
        self.began = None
        self.connections.touch(self.connection)
        return finished

    def handle_error(self, request: web.BaseRequest, status: int = 500, *rest: object) -> web.StreamResponse:
        """Answer a request that is not valid HTTP or failed outside every handler, and close the
        connection."""
        # The rest, by position: the exception, and a text that may repeat what was sent.
        error = next((cause for cause in rest if isinstance(cause, BaseException)), None)
        if isinstance(error, ConnectionError):
            raise error  # the client is gone: there is nobody to answer, and nothing of ours went wrong
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        if status >= problems.INTERNAL.status:
            log.error("request failed", exc_info=error)
            refused = Refused(problems.INTERNAL, "the log has the details under this request's id")
        else:
            self._warnings.warn("not HTTP", self.connection.address, error=type(error).__name__)
            refused = Refused(problems.BAD_REQUEST, "the request is not valid HTTP, or its headers too long")
        response = problem_response(refused, request_id_of(request))
        response.headers["Server"] = SERVER
        response.force_close()
        return response

    def _is_busy(self) -> bool:
        return self._current_request is not None or bool(self._messages)

    def _watch_head(self) -> None:
        is_waiting = not self._is_busy()
        if not is_waiting and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        elif is_waiting and self._deadline is None:
            self._deadline = self._loop.call_later(HEAD_WITHIN_S, self._give_up_on_head)

    def _give_up_on_head(self) -> None:
        self._deadline = None
        if not self._is_busy():
            self.force_close()


def protocol_of(request: web.BaseRequest) -> HttpProtocol:
    """Return the connection that a request came on."""
    return cast(HttpProtocol, request.protocol)
