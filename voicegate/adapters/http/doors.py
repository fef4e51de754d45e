"""What a door is to the server: the paths that are its own, how keys are written there, how refusals read.

All doors are one application, on the Unix socket and on TCP alike. Who asks is `identity`'s question.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from voicegate.adapters.http.operations import Route
from voicegate.adapters.http.overload import STORE_WAIT_S
from voicegate.adapters.http.problems import Refused, problem_response
from voicegate.domain.client import Principal

PRINCIPAL: Final = web.RequestKey("principal", Principal)
"""Who asks, as the server found out; there in every handler."""
REQUEST_ID: Final = web.RequestKey("request id", str)
"""What the answer is known by; there in every handler."""
PUBLIC_URL: Final = web.AppKey("public url", str)
"""Scheme and host that links begin with; empty: where the server listens."""
ADDRESS: Final = web.RequestKey("address", str)
"""Where it comes from: an IP address, by a trusted proxy's word if there is one, or a Unix user."""
END_USER_IP: Final = web.RequestKey("end_user_ip", str)
"""The address of the person for whom a client asks, as it wrote `X-Forwarded-For`; empty: it did not."""

_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def request_id_of(request: web.BaseRequest) -> str:
    """Return the request's own id when it is a sane one, else a new one."""
    given = request.headers.get("X-Request-Id", "")
    return given if _SANE_ID.fullmatch(given) else f"req_{secrets.token_hex(8)}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request has to say for itself."""

    key: str
    """A client's key, as it was sent."""
    client: str | None = None
    """The name sent beside it, which must be the client's; None: none was, or it means something else."""
    is_signed: bool = False
    """Is there no key, but a signature over the body, which the door's handler judges before all else?"""

    def __repr__(self) -> str:
        return f"Credentials({self.client})"


CREDENTIALS: Final = web.RequestKey("credentials", Credentials)
"""What it was asked with; there only where that was a key."""

ReadKey = Callable[[web.BaseRequest], Credentials | None]
"""Finds the key in a request; None: there is none. A key that is malformed is given as it is: it is wrong."""


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Door:
    """A way to ask, for clients that speak it already."""

    routes: Sequence[Route]
    """What can be asked, and who does it; of two that fit a path, the first is taken."""
    prefixes: tuple[str, ...] = ()
    """Beginnings of the paths that are its own, where even a refusal speaks its language; one that ends in no
    slash stands for that path and what lies under it. None: all paths that are no other door's."""
    read_key: ReadKey = lambda request: bearer(request, "Bearer")
    """How a key is written in this door."""
    scheme: str = "Bearer"
    """What `WWW-Authenticate` asks for where a key is missing."""
    answer: Callable[[Refused, str], web.Response] = problem_response
    """Tells of a refusal, given the request's id."""
    is_open: bool = False
    """May anybody ask anything, without a key? Then it finds out by itself who asks."""
    store_wait_s: float = STORE_WAIT_S
    """For how long what it writes may have to wait, in seconds; past that it is refused at once."""
    close: Callable[[], None] = _nothing
    """Answers those who wait for news, for the server stops."""

    @property
    def open_paths(self) -> frozenset[str]:
        """What anybody may ask, without a key; with a slash behind it, which clients write, too."""
        paths = [route.operation.path for route in self.routes if route.operation.is_open]
        return frozenset([*paths, *(f"{path}/" for path in paths)])

    def has(self, path: str) -> bool:
        """Is that path one of its own?"""
        return not self.prefixes or any(
            path.startswith(prefix if prefix.endswith("/") else f"{prefix}/") or path == prefix
            for prefix in self.prefixes
        )


def bearer(request: web.BaseRequest, scheme: str) -> Credentials | None:
    """Return the key after a scheme's name (RFC 6750), with or without a blank between; None: none."""
    given = request.headers.get("Authorization", "")
    if given[: len(scheme)].lower() != scheme.lower():
        return None
    return Credentials(given[len(scheme) :].strip())


def basic(request: web.BaseRequest) -> Credentials | None:
    """Return the user and password of HTTP Basic (RFC 7617) as client and key; None: none."""
    encoded = bearer(request, "Basic")
    if encoded is None:
        return None
    try:
        user, _, password = base64.b64decode(encoded.key, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return Credentials("")
    return Credentials(password, user)


def any_form(request: web.BaseRequest) -> Credentials | None:
    """Return the key in an Authorization header, as Basic, as Bearer or bare; None: none. Products ask for a
    user's name beside a password, whatever it is: it is not looked at."""
    given = request.headers.get("Authorization")
    if given is None:
        return None
    if (pair := basic(request)) is not None:
        return Credentials(pair.key or pair.client or "")
    return bearer(request, "Bearer") or Credentials(given.strip())
