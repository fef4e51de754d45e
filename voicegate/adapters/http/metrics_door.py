"""The metrics' door: `GET /metrics`, on a listener of its own, so that it shares no limit with the API."""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from voicegate.adapters.http import problems
from voicegate.adapters.http.connections import ConnectionLimits
from voicegate.adapters.http.doors import Door
from voicegate.adapters.http.middleware import Identify
from voicegate.adapters.http.operations import Operation, Route, Success
from voicegate.adapters.http.problems import Facts, Refused
from voicegate.domain.client import Principal

LIMITS: Final = ConnectionLimits(total=100, per_address=50, per_client=100)
"""Connections of all that read metrics: a Prometheus needs one or two."""
_READER: Final = Principal("metrics", frozenset())


@dataclass(frozen=True, slots=True)
class MetricsPage:
    """What is served."""

    content_type: str
    """Its `Content-Type`, with parameters."""
    write: Callable[[], bytes]
    """Returns the metrics as they are now; is called in a thread."""


def metrics_door(page: MetricsPage) -> Door:
    """Return the door."""

    async def serve(_request: web.Request) -> web.Response:
        # In a thread: with many trunks and countries it takes some milliseconds, which no call is to wait.
        body = await asyncio.to_thread(page.write)
        return web.Response(body=body, headers={"Content-Type": page.content_type})

    operation = Operation(
        method="GET",
        path="/metrics",
        name="getMetrics",
        text="All metrics, in Prometheus' text format.",
        success=Success(200, None, "The metrics."),
        refusals=(),
    )
    return Door((Route(operation, serve),))


def reader_of(read_token: Callable[[], str] | None) -> Identify:
    """Return what lets those read who send a token; None: all who reach the listener.

    The token is read for each request, so that it can be renewed; in a thread.
    """

    async def identify(request: web.Request, door: Door, _request_id: str) -> Principal:
        if read_token is None:
            return _READER
        facts = Facts(headers={"WWW-Authenticate": door.scheme})
        credentials = door.read_key(request)
        if credentials is None:
            raise Refused(problems.KEY_MISSING, facts=facts)
        token = await asyncio.to_thread(read_token)
        if not hmac.compare_digest(credentials.key.encode("utf-8", "surrogateescape"), token.encode()):
            raise Refused(problems.KEY_WRONG, facts=facts)
        return _READER

    return identify
