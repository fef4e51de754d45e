"""What surrounds every request: its id, who asks, and an answer whatever happens.

The peer is judged before a byte of the body is read. Whatever a handler raises becomes a problem; what
nobody expected is logged and told to the client as nothing but "something went wrong".
"""

import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware

from voicegate.adapters.http import problems
from voicegate.adapters.http.doors import ASKER, REQUEST_ID, Door
from voicegate.adapters.http.operations import Handler
from voicegate.adapters.http.problems import Facts, Refused
from voicegate.domain.client import Asker
from voicegate.domain.errors import StoreError

log = structlog.get_logger(__name__)

Identify = Callable[[web.BaseRequest, Door, str], Awaitable[Asker]]
"""Tells who sent a request to a door, given the request's id; raises `Refused` for one who may not ask."""

_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_RETRY_STORE_S: Final = 1.0


def frame(doors: Sequence[Door], identify: Identify) -> Middleware:
    """Return the middleware that every request goes through; the first door that has a path answers it."""

    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        request_id = request_id_of(request)
        door = next(door for door in doors if door.has(request.path))
        request[REQUEST_ID] = request_id
        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                request[ASKER] = await identify(request, door, request_id)
                response = await handler(request)
            except ConnectionError:
                raise  # the client is gone: there is nobody to answer
            except Exception as error:  # noqa: BLE001  # a request's root: every failure has an answer
                response = door.answer(_explain(error), request_id)
            _note(request, response.status)
        response.headers["X-Request-Id"] = request_id
        return response

    return around


def request_id_of(request: web.BaseRequest) -> str:
    """Return the request's own id when it is a sane one, else a new one."""
    given = request.headers.get("X-Request-Id", "")
    return given if _SANE_ID.fullmatch(given) else f"req_{secrets.token_hex(8)}"


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
            return Refused(problems.INTERNAL, "it was logged under this request's id")


def _note(request: web.Request, status: int) -> None:
    resource = request.match_info.route.resource
    # Never the raw path: a path that nobody offers may hold anything.
    path = resource.canonical if resource is not None else "unknown"
    is_dull = request.method in ("GET", "HEAD") and status < 400
    write = log.debug if is_dull else log.info
    write("request", method=request.method, path=path, status=status, client=_name(request))


def _name(request: web.Request) -> str | None:
    asker = request.get(ASKER)
    return None if asker is None else asker.name
