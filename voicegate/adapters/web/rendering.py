"""Renders pages as HTML, and sets the headers of every answer of the pages.

Sources: Content Security Policy Level 3, OWASP's cheat sheets on CSRF, clickjacking and session management.
There is no nonce because there are no inline scripts or styles to allow.
"""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

R = TypeVar("R", bound=web.StreamResponse)

_FOLDER: Final = Path(__file__).parent
_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(_FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    # They do not change while the daemon runs: no look at each file before each use.
    auto_reload=False,
)
STATIC: Final = {"page.css": "text/css", "page.js": "text/javascript"}
"""Files that are the same for everybody, with what they are."""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)


def render(template: str, context: dict[str, object]) -> str:
    """Return a filled-in template; all values are escaped."""
    return _ENVIRONMENT.get_template(template).render(version=version(), **context)


def html(body: str, *, status: int = 200, return_url: str | None = None) -> web.Response:
    """Return a page. A form may lead on to `return_url`, where the browser is sent at the end."""
    response = web.Response(text=body, content_type="text/html", status=status)
    # Chromium holds the redirects that follow a form against `form-action` too.
    origin = f" {urlsplit(return_url).scheme}://{urlsplit(return_url).netloc}" if return_url else ""
    return guarded(response, f"{_POLICY}{origin}")


def see_other(url: str) -> web.Response:
    """Return the redirect after a form, so that the back button and refreshing repeat nothing."""
    return guarded(web.Response(status=303, headers={"Location": url}))


def plain(body: str | bytes, media_type: str) -> web.Response:
    """Return an answer that is not a page."""
    content = body.encode() if isinstance(body, str) else body
    # An SVG is a document of its own, when somebody opens it: it may load and run nothing.
    return guarded(web.Response(body=content, content_type=media_type), f"{_POLICY}; sandbox")


def guarded(response: R, policy: str = _POLICY) -> R:
    """Return an answer with the headers that keep it from being framed, cached, or leaked."""
    response.headers.update(_HEADERS)
    response.headers["Content-Security-Policy"] = policy
    return response


def static(name: str) -> web.Response:
    """Return a static file by its name."""
    response = plain(_content(name), STATIC[name])
    # Its address changes with it.
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


@cache
def version() -> str:
    """Return the version in the URLs of static files, which changes with the files."""
    return sha256(b"".join(_content(name) for name in sorted(STATIC))).hexdigest()[:12]


@cache
def _content(name: str) -> bytes:
    return (_FOLDER / "static" / name).read_bytes()
