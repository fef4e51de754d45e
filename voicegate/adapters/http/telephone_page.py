"""The page with a telephone, `/lab`: a browser that answers Voicegate's calls, for testers.

The page itself is public and holds no secret. The account of its telephone is given only to clients with the
scope `verifications`, who send the API key that the page was opened with; the key is in the URL's fragment,
which browsers send to no server. Sources: RFC 7118 (SIP over WebSocket), Content Security Policy Level 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from aiohttp import web
from msgspec import Meta, Struct

from voicegate.adapters.http import problems
from voicegate.adapters.http.doors import Door
from voicegate.adapters.http.operations import Handler, Operation, Route, Success
from voicegate.adapters.http.responses import json_response
from voicegate.domain.client import Scope

PATH: Final = "/lab"
_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_PAGE: Final = "page.html"


class TelephoneAccount(Struct, kw_only=True, frozen=True):
    """What a telephone in the browser registers with at the PBX."""

    websocket_url: Annotated[str, Meta(description="Where the PBX takes SIP over WebSocket.")]
    uri: Annotated[str, Meta(description="The account's SIP address.")]
    password: Annotated[str, Meta(description="The account's password.")]
    destination: Annotated[str, Meta(description="How a verification names this telephone.")]

    def __repr__(self) -> str:
        return f"TelephoneAccount({self.uri})"


@dataclass(frozen=True, slots=True)
class TelephonePage:
    """The page's files, and the account of its telephone."""

    files: Mapping[str, bytes]
    """By name, such as `page.js`."""
    account: TelephoneAccount
    """The account; given only with an API key."""

    @classmethod
    def read(cls, folder: Path, account: TelephoneAccount) -> "TelephonePage":
        """Return the page in a folder; blocks."""
        files = {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix in _TYPES}
        return cls(files, account)


def telephone_door(page: TelephonePage) -> Door:
    """Return the door of the page, its files and its account."""
    headers = _headers(page.account.websocket_url)
    files = [
        _open(PATH if name == _PAGE else f"{PATH}/{name}", name, _serve(body, name=name, headers=headers))
        for name, body in page.files.items()
    ]
    return Door((*files, _account(page.account)), prefixes=(PATH,))


def _open(path: str, name: str, handler: Handler) -> Route:
    operation = Operation(
        method="GET",
        path=path,
        name=name,
        text="A file of the page with a telephone.",
        success=Success(200, None, "The file."),
        refusals=(),
        is_open=True,
    )
    return Route(operation, handler)


def _account(account: TelephoneAccount) -> Route:
    async def tell(_request: web.Request) -> web.Response:
        return json_response(account, headers={"Cache-Control": "no-store"})

    operation = Operation(
        method="GET",
        path=f"{PATH}/account",
        name="getTelephoneAccount",
        text="What the page's telephone registers with.",
        success=Success(200, TelephoneAccount, "The account."),
        refusals=(problems.SCOPE_MISSING,),
        scope=Scope.VERIFICATIONS,
    )
    return Route(operation, tell)


def _serve(body: bytes, *, name: str, headers: Mapping[str, str]) -> Handler:
    async def serve(_request: web.Request) -> web.Response:
        return web.Response(
            body=body, content_type=_TYPES[Path(name).suffix], charset="utf-8", headers=headers
        )

    return serve


def _headers(websocket_url: str) -> Mapping[str, str]:
    parts = urlsplit(websocket_url)
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "data:",
        "connect-src": f"'self' {parts.scheme}://{parts.netloc}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Permissions-Policy": "microphone=(self)",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        # With a new daemon comes a new page.
        "Cache-Control": "no-cache",
    }
