"""The pages for people as one of the server's doors, with their settings."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from msgspec import UnsetType

from voicegate.adapters.http.doors import REQUEST_ID, Door
from voicegate.adapters.http.middleware import authentication_failed
from voicegate.adapters.http.operations import Handler, Operation, Route, Success
from voicegate.adapters.http.overload import waiting_for_client
from voicegate.adapters.http.problems import Refused
from voicegate.adapters.http.waiting import Waiters
from voicegate.adapters.web.branding import Brand, Logo
from voicegate.adapters.web.live import GivePlace, Glance, Wait
from voicegate.adapters.web.numbers import Picker
from voicegate.adapters.web.pages import PageDependencies, Pages
from voicegate.adapters.web.showing import PageWriter
from voicegate.application.page_sessions import PageRules
from voicegate.application.ports import ChallengeRecord
from voicegate.bootstrap.app import App
from voicegate.bootstrap.policies import call_spacing
from voicegate.config import PageClientSettings, Settings
from voicegate.config.profile import NIST
from voicegate.domain.errors import ConfigError
from voicegate.domain.page_session import PageSession

_PAGE: Final = Success(200, None, "A page.")


def pages_door(dependencies: PageDependencies) -> Door:
    """Return the pages as a door that needs no API key: a cookie tells whose page it is."""
    pages = Pages(dependencies)
    routes = [_route(path, handler, is_open=True) for path, handler in pages.files()]
    routes += [_route(path, handler, method=method) for method, path, handler in pages.routes()]

    def answer(refused: Refused, request: web.Request) -> web.Response:
        response, after_s = pages.failed(request, refused.kind.status), refused.facts.retry_after_s
        if not isinstance(after_s, UnsetType):
            response.headers["Retry-After"] = str(math.ceil(after_s))
        return response

    return Door(routes, ("/p/",), answer=answer, is_open=True)


def _route(path: str, handler: Handler, *, method: str = "GET", is_open: bool = False) -> Route:
    # Files are open, so that they are not refused when there is too much to do: a page would be bare.
    operation = Operation(
        method=method, path=path, name=path, text="A page.", success=_PAGE, refusals=(), is_open=is_open
    )
    return Route(operation, handler)


def give_place(waiters: Waiters) -> GivePlace:
    """Return how the streams of pages get their places among all requests that wait."""

    @contextmanager
    def place(request: web.Request, session: PageSession) -> Iterator[Wait]:
        with waiters.page_place(request, client=session.client, page_id=session.id) as slot:

            async def wait(glance: Glance, time: timedelta) -> ChallengeRecord | None:
                record = await waiters.news(slot, glance, time)
                if waiters.is_closed:
                    raise ConnectionResetError("the server stops; browsers come again by themselves")
                return record

            yield wait

    return place


def page_dependencies(app: App, settings: Settings, waiters: Waiters) -> PageDependencies:
    """Return what the pages need, as configured.

    Raises:
        ConfigError: a logo cannot be shown.
    """
    return PageDependencies(
        sessions=app.pages,
        queries=app.page_queries,
        challenges=app.challenges,
        writer=PageWriter(
            brands(settings),
            Brand(settings.service.name),
            Picker(settings.policy.allowed_countries, has_internal=bool(settings.internal)),
            call_spacing=call_spacing(settings)[0],
            shows_risks=settings.policy.profile == NIST,
        ),
        clock=app.clock,
        request_id=lambda request: request[REQUEST_ID],
        is_https=pages_url(settings).startswith("https:"),
        cookie_lifetime=timedelta(seconds=settings.pages.session_lifetime_s),
        reading=waiting_for_client,
        place=give_place(waiters),
        failed=authentication_failed,
    )


def brands(settings: Settings) -> Mapping[str, Brand]:
    """Return the branding of each client's pages, as configured; blocks while it reads logos.

    Raises:
        ConfigError: a logo cannot be shown.
    """
    return {
        name: Brand(entry.name or settings.service.name, entry.accent, _logo(entry, name))
        for name, entry in settings.page_clients.items()
    }


def pages_url(settings: Settings) -> str:
    """Return the start of the pages' URLs, as configured; empty: no browser can reach them."""
    tcp = settings.tcp
    if settings.pages.public_url or not tcp.enabled:
        return settings.pages.public_url.rstrip("/")
    host = f"[{tcp.host}]" if ":" in tcp.host else tcp.host
    return f"{'https' if tcp.certificate else 'http'}://{host}:{tcp.port}"


def page_rules(settings: Settings) -> PageRules:
    """Return where the pages may lead, and how long page sessions live, as configured.

    Raises:
        ConfigError: a URL is not valid; names the client.
    """
    for name, entry in settings.page_clients.items():
        try:
            hosts = [urlsplit(url).hostname for url in entry.return_urls]
        except ValueError as error:
            raise ConfigError(f"page_clients.{name}.return_urls: {error}") from error
        if not all(hosts):
            raise ConfigError(f"page_clients.{name}.return_urls: one has no host")
    return PageRules(
        {name: frozenset(entry.return_urls) for name, entry in settings.page_clients.items()},
        link_lifetime=timedelta(seconds=settings.pages.link_lifetime_s),
        session_lifetime=timedelta(seconds=settings.pages.session_lifetime_s),
        matching_digits=settings.pages.matching_digits,
    )


def _logo(entry: PageClientSettings, name: str) -> Logo | None:
    try:
        return Logo.read(Path(entry.logo)) if entry.logo else None
    except (OSError, ValueError) as error:
        raise ConfigError(f"page_clients.{name}.logo: {error}") from error
