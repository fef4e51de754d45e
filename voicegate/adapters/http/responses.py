"""Answers of the doors: JSON of a msgspec type, and the refusal of what does not exist."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from voicegate.adapters.http import problems
from voicegate.adapters.http.doors import PUBLIC_URL
from voicegate.adapters.http.problems import Refused

T = TypeVar("T")

_SHOWN_CHARACTERS: Final = 80


def json_response(
    body: Struct | Sequence[Struct] | Mapping[str, object],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return an answer with a JSON body."""
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers=headers,
    )


def base_url(request: web.Request) -> str:
    """Return the start of links: never the request's `Host`, which its sender can choose."""
    configured = request.app[PUBLIC_URL]
    if configured:
        return configured.rstrip("/")
    listens_at = request.transport.get_extra_info("sockname") if request.transport else None
    if not isinstance(listens_at, tuple):  # a Unix socket
        return "http://voicegate"
    host, port = listens_at[:2]
    return f"{request.scheme}://[{host}]:{port}" if ":" in host else f"{request.scheme}://{host}:{port}"


def unknown(kind: str, thing_id: str) -> Refused:
    """Return the refusal of what does not exist, or belongs to another client."""
    # As `repr`, for a path may hold what neither JSON nor a terminal should.
    return Refused(problems.NOT_FOUND, f"there is no {kind} {thing_id[:_SHOWN_CHARACTERS]!r}")


def found(thing: T | None, kind: str, thing_id: str) -> T:
    """Return what was found.

    Raises:
        Refused: nothing was found.
    """
    if thing is None:
        raise unknown(kind, thing_id)
    return thing
