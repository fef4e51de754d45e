"""Wraps every request: gives it an id, finds out who asks, and makes sure that it is answered.

The peer is identified before the body is read. Whatever a handler raises becomes a problem; an unexpected
exception is logged, and the client learns only that an internal error occurred. A connection on which nobody
was identified ends with its first answer.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware

from voicegate.adapters.http import problems
from voicegate.adapters.http.doors import (
    ADDRESS,
    CREDENTIALS,
    END_USER_IP,
    PRINCIPAL,
    REQUEST_ID,
    Door,
    request_id_of,
)
from voicegate.adapters.http.forwarding import HEADER, Proxies
from voicegate.adapters.http.operations import Handler
from voicegate.adapters.http.overload import TURN, Load, Turn
from voicegate.adapters.http.problems import Facts, Refused
from voicegate.adapters.http.protocol import HttpProtocol, protocol_of
from voicegate.application.throttled_log import ThrottledLog
from voicegate.domain.client import Principal
from voicegate.domain.errors import StoreError

log = structlog.get_logger(__name__)

Identify = Callable[[web.Request, Door, str], Awaitable[Principal]]
"""Return who sent a request to a door, given the request's id; raises `Refused` if they are not allowed."""

WARNINGS: Final = web.RequestKey("warnings", ThrottledLog)
"""The log for what unidentified senders cause; set in every handler."""

_RETRY_STORE_S: Final = 1.0
_RETRY_CROWD_S: Final = 1.0
_UNAUTHENTICATED: Final = (
    problems.KEY_MISSING,
    problems.KEY_WRONG,
    problems.SIGNATURE_WRONG,
    problems.PEER_NOT_ALLOWED,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """The middleware's parts."""

    doors: Sequence[Door]
    """The first door that has a path answers it."""
    identify: Identify
    """Finds out who asks."""
    proxies: Proxies
    """The proxies whose forwarded addresses are trusted."""
    warnings: ThrottledLog
    """The log for what unidentified senders cause."""
    load: Load
    """Counts the requests in progress."""

    def middleware(self) -> Middleware:
        """Return the middleware for aiohttp."""

        @web.middleware
        async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
            request[REQUEST_ID] = request_id_of(request)
            request[WARNINGS] = self.warnings
            with structlog.contextvars.bound_contextvars(request=request[REQUEST_ID]):
                return await self._answer(request, handler)

        return around

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        door = next(door for door in self.doors if door.has(request.path))
        try:
            response = await self._ask(request, handler, door)
        except ConnectionError:
            raise  # the client is gone: there is nobody to answer
        except Exception as error:  # noqa: BLE001  # a request's root: every failure has an answer
            refused = _explain(error)
            response = door.answer(refused, request)
            is_noted = refused.kind is not problems.OVERLOADED
            if not is_noted:
                self.warnings.warn("overloaded", request[ADDRESS])
            elif refused.kind in _UNAUTHENTICATED:
                authentication_failed(request, refused.kind.name)
        else:
            is_noted = True
        if PRINCIPAL not in request:
            response.force_close()
        elif is_noted:
            _note(request, response.status)
        response.headers["X-Request-Id"] = request[REQUEST_ID]
        return response

    async def _ask(self, request: web.Request, handler: Handler, door: Door) -> web.StreamResponse:
        protocol = protocol_of(request)
        self._locate(request, protocol)
        if request.path in door.open_paths:
            return await handler(request)
        if protocol.connection.is_refused:
            raise Refused(problems.OVERLOADED, facts=Facts(retry_after_s=_RETRY_CROWD_S))
        if door.is_open:
            # Who asks is only known behind the store, so what is under way counts for the address.
            return await self._take_turn(request, handler, door, client=f"address {request[ADDRESS]}")
        principal = await self.identify(request, door, request[REQUEST_ID])
        # Who signed is known once the door's handler has read the body and verified its signature.
        credentials = request.get(CREDENTIALS)
        is_shown = credentials is None or not credentials.is_signed
        if is_shown and not protocol.connections.know(protocol.connection, principal.name):
            raise Refused(problems.OVERLOADED, facts=Facts(retry_after_s=_RETRY_CROWD_S))
        request[PRINCIPAL] = principal
        return await self._take_turn(request, handler, door, client=principal.name)

    async def _take_turn(
        self, request: web.Request, handler: Handler, door: Door, *, client: str
    ) -> web.StreamResponse:
        """Handle a request, which counts as under way for its client.

        Raises:
            Refused: there is too much under way.
        """
        writes = request.method not in ("GET", "HEAD")
        turn = request[TURN] = Turn(self.load, client, writes=writes, wait_s=door.store_wait_s)
        turn.begin()
        try:
            return await handler(request)
        finally:
            turn.end()

    def _locate(self, request: web.Request, protocol: HttpProtocol) -> None:
        """Note the address that a request comes from.

        Raises:
            Refused: too many connections come from there through a proxy.
        """
        connection = protocol.connection
        request[ADDRESS] = connection.address
        written = request.headers.getall(HEADER, ())
        end_user = self.proxies.end_user_of(written, is_proxied=connection.is_proxied)
        request[END_USER_IP] = end_user or ""
        if not connection.is_proxied:
            return
        forwarded = self.proxies.client_of(written)
        if forwarded is None:
            return
        request[ADDRESS] = forwarded
        if not protocol.connections.forward(connection, forwarded):
            raise Refused(problems.OVERLOADED, facts=Facts(retry_after_s=_RETRY_CROWD_S))


def authentication_failed(request: web.Request, why: str) -> None:
    """Log that a door that identifies its users itself could not; `why` is one of few words."""
    address, connection = request[ADDRESS], protocol_of(request).connection
    if connection.is_proxied and address == connection.address:
        # The proxy did not name the sender: whoever reads the log must not take it for the one to blame.
        address = f"proxy:{address}"
    request[WARNINGS].authentication_failed(address, why)


def _explain(error: Exception) -> Refused:
    match error:
        case Refused():
            return error
        case web.HTTPNotFound():
            return Refused(problems.NOT_FOUND, "no such path")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return Refused(
                problems.METHOD_NOT_ALLOWED, f"allowed here: {allowed}", Facts(headers={"Allow": allowed})
            )
        case web.HTTPRequestEntityTooLarge():
            return Refused(problems.TOO_LARGE, "a body has at most 64 KiB")
        case web.RequestPayloadError() | ClientPayloadError() | HttpProcessingError() | web.HTTPClientError():
            return Refused(problems.BAD_REQUEST, "the request is not valid HTTP")
        case StoreError():
            log.error("store unavailable", error=str(error))
            return Refused(problems.STORE_UNAVAILABLE, facts=Facts(retry_after_s=_RETRY_STORE_S))
        case _:
            log.error("request failed", exc_info=error)
            return Refused(problems.INTERNAL, "the log has the details under this request's id")


def _note(request: web.Request, status: int) -> None:
    resource = request.match_info.route.resource
    # Never the raw path: a path that nobody offers may hold anything.
    path = resource.canonical if resource is not None else "unknown"
    is_dull = request.method in ("GET", "HEAD") and status < 400
    write = log.debug if is_dull else log.info
    write("request", method=request.method, path=path, status=status, client=request[PRINCIPAL].name)
