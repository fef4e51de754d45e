"""What the server knows of a door: its own paths, how API keys are sent, and how refusals are written.

All doors are one application, on the Unix socket and on TCP. `identity` finds out who asks.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from voicegate.adapters.http.operations import Route
from voicegate.adapters.http.overload import STORE_WAIT_S
from voicegate.adapters.http.problems import Refused, problem_response
from voicegate.domain.client import Principal

PRINCIPAL: Final = web.RequestKey("principal", Principal)
"""The principal that the server found; set in every handler."""
REQUEST_ID: Final = web.RequestKey("request id", str)
"""The request's id, which the answer carries; set in every handler."""
PUBLIC_URL: Final = web.AppKey("public url", str)
"""Scheme and host at the start of links; empty: where the server listens."""
ADDRESS: Final = web.RequestKey("address", str)
"""Where the request comes from: an IP address, as a trusted proxy names it if there is one, or a Unix
user."""
END_USER_IP: Final = web.RequestKey("end_user_ip", str)
"""The address of the person for whom a client asks, as it wrote `X-Forwarded-For`; empty: it did not."""

_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def request_id_of(request: web.BaseRequest) -> str:
    """Return the id that the request brought if it is well formed, else a new one."""
    given = request.headers.get("X-Request-Id", "")
    return given if _SANE_ID.fullmatch(given) else f"req_{secrets.token_hex(8)}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of a request."""

    key: str
    """The client's API key, as it was sent."""
    client: str | None = None
    """The name sent with it, which must be the client's; None: no name was sent, or it has another
    meaning."""
    is_signed: bool = False
    """Is there a signature over the body instead of a key? The door's handler verifies it first."""

    def __repr__(self) -> str:
        return f"Credentials({self.client})"


CREDENTIALS: Final = web.RequestKey("credentials", Credentials)
"""The credentials; set only if they were an API key."""

ReadKey = Callable[[web.BaseRequest], Credentials | None]
"""Return the API key in a request; None: there is none. A malformed key is returned as it is and will be
refused."""


Answer = Callable[[Refused, web.Request], web.Response]
"""Return a refusal, written as the answer to a request."""


def with_id(write: Callable[[Refused, str], web.Response]) -> Answer:
    """Return how refusals are written that need only the request's id."""
    return lambda refused, request: write(refused, request[REQUEST_ID])


_answer_problem: Final = with_id(problem_response)


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Door:
    """One of the APIs."""

    routes: Sequence[Route]
    """Operations and their handlers; if two match a path, the first is used."""
    prefixes: tuple[str, ...] = ()
    """Prefixes of its paths; refusals there are written in its format. A prefix without a final slash stands
    for that path and everything below it. None: all paths that belong to no other door."""
    read_key: ReadKey = lambda request: bearer(request, "Bearer")
    """How an API key is sent in this door."""
    scheme: str = "Bearer"
    """The value of `WWW-Authenticate` if a key is missing."""
    answer: Answer = _answer_problem
    """Writes a refusal as an answer to a request."""
    is_open: bool = False
    """May it be used without an API key? Then it identifies its users itself."""
    store_wait_s: float = STORE_WAIT_S
    """The longest time that a write may wait for the store, in seconds; a request that would wait longer is
    refused at once."""
    close: Callable[[], None] = _nothing
    """Answers all waiting requests when the server stops."""

    open_paths: frozenset[str] = field(init=False)
    """The paths that need no API key, also with the trailing slash that some clients add."""
    _below: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Here, because each request asks for them.
        paths = [route.operation.path for route in self.routes if route.operation.is_open]
        object.__setattr__(self, "open_paths", frozenset([*paths, *(f"{path}/" for path in paths)]))
        object.__setattr__(self, "_below", tuple(f"{prefix.removesuffix('/')}/" for prefix in self.prefixes))

    def has(self, path: str) -> bool:
        """Return whether a path belongs to this door."""
        return not self.prefixes or path.startswith(self._below) or path in self.prefixes


def bearer(request: web.BaseRequest, scheme: str) -> Credentials | None:
    """Return the key after a scheme's name (RFC 6750), with or without a space between; None: there is
    none."""
    given = request.headers.get("Authorization", "")
    if given[: len(scheme)].lower() != scheme.lower():
        return None
    return Credentials(given[len(scheme) :].strip())


def basic(request: web.BaseRequest) -> Credentials | None:
    """Return the user and password of HTTP Basic (RFC 7617) as client and key; None: there are none."""
    encoded = bearer(request, "Basic")
    if encoded is None:
        return None
    try:
        user, _, password = base64.b64decode(encoded.key, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return Credentials("")
    return Credentials(password, user)


def any_form(request: web.BaseRequest) -> Credentials | None:
    """Return the key in an Authorization header, as Basic, as Bearer or bare; None: none. Products require a
    user name with a password; it is ignored."""
    given = request.headers.get("Authorization")
    if given is None:
        return None
    if (pair := basic(request)) is not None:
        return Credentials(pair.key or pair.client or "")
    return bearer(request, "Bearer") or Credentials(given.strip())
