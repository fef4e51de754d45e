"""What surrounds every request: its id, who asks, and an answer whatever happens.

The peer is judged before a byte of the body is read. Whatever a handler raises becomes a problem; what
nobody expected is logged and told to the client as nothing but "something went wrong".
"""

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware

from voicegate.adapters.http import problems
from voicegate.adapters.http.native import CLIENT
from voicegate.adapters.http.problems import Facts, Refused, problem_response
from voicegate.domain.errors import StoreError

log = structlog.get_logger(__name__)

Identify = Callable[[web.BaseRequest], str | None]
"""Tells the name of a request's client; None: it may not ask."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_RETRY_STORE_S: Final = 1.0


def frame(identify: Identify) -> Middleware:
    """Return the middleware that every request goes through."""

    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        request_id = request_id_of(request)
        with structlog.contextvars.bound_contextvars(request=request_id):
            response = await _answer(request, handler, identify=identify, request_id=request_id)
            _note(request, response.status)
        response.headers["X-Request-Id"] = request_id
        return response

    return around


def request_id_of(request: web.BaseRequest) -> str:
    """Return the request's own id when it is a sane one, else a new one."""
    given = request.headers.get("X-Request-Id", "")
    return given if _SANE_ID.fullmatch(given) else f"req_{secrets.token_hex(8)}"


async def _answer(
    request: web.Request, handler: Handler, *, identify: Identify, request_id: str
) -> web.StreamResponse:
    try:
        client = identify(request)
        if client is None:
            raise Refused(problems.PEER_NOT_ALLOWED)
        request[CLIENT] = client
        return await handler(request)
    except ConnectionError:
        raise  # the client is gone: there is nobody to answer
    except Exception as error:  # noqa: BLE001  # a request's root: every failure has an answer
        return problem_response(_explain(error), request_id)


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
    write("request", method=request.method, path=path, status=status, client=request.get(CLIENT))
