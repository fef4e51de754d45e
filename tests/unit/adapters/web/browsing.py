"""A browser without JavaScript, as far as the pages need one: cookies, forms, redirects within one site."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx

from tests.unit.adapters.http.serving import Served, serving
from tests.unit.application.conftest import ADMIN, NUMBER, TESTER, Bench
from voicegate.adapters.http.doors import REQUEST_ID
from voicegate.adapters.http.middleware import authentication_failed
from voicegate.adapters.http.native.door import waiters_of
from voicegate.adapters.http.overload import waiting_for_client
from voicegate.adapters.http.waiting import Waiters, WaitingLimits
from voicegate.adapters.web.branding import Brand, Logo
from voicegate.adapters.web.numbers import Picker
from voicegate.adapters.web.pages import PageDependencies
from voicegate.adapters.web.showing import PageWriter
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.page_sessions import PageCreated, PageRequest, PageRules
from voicegate.bootstrap.pages import give_place, pages_door
from voicegate.domain.client import Principal
from voicegate.domain.page_session import PagePurpose
from voicegate.domain.phone_number import Destination

BACK = "https://app.example/signed-in"
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect width="40" height="40" rx="11" '
    b'fill="#2457c5"/><path d="M11 27V13l18 14V13" fill="none" stroke="#fff" stroke-width="4"/></svg>'
)


@dataclass
class Form:
    """A form of a page."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.scripts = 0
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given["action"]))
        elif tag == "input" and self.forms:
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "select" and self.forms:
            self.forms[-1].fields[given["name"]] = ""
        elif tag == "option" and "selected" in given:
            self.forms[-1].fields["country"] = given["value"]
        elif tag == "a":
            self.links.append(given["href"])
        elif tag == "script":
            self.scripts += 1

    def handle_data(self, data: str) -> None:
        self.words.append(data)


class Browser:
    """One person's browser."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.answer = httpx.Response(500)

    @property
    def read(self) -> _Reader:
        reader = _Reader()
        reader.feed(self.answer.text)
        return reader

    @property
    def words(self) -> str:
        """What is written on the page."""
        return re.sub(r"\s+", " ", " ".join(self.read.words)).replace("\u2060", "")

    @property
    def title(self) -> str:
        found = re.search(r"<h1>(.*?)</h1>", self.answer.text, re.DOTALL)
        return html.unescape(found[1]) if found else ""

    async def get(self, url: str) -> httpx.Response:
        return await self._follow(await self.http.get(url))

    async def submit(self, action: str, **typed: str) -> httpx.Response:
        """Send the page's form of that name, with what is typed into it."""
        form = next(form for form in self.read.forms if form.action.endswith(f"/{action}"))
        sent = await self.http.post(form.action, data=form.fields | typed)
        return await self._follow(sent)

    async def _follow(self, answer: httpx.Response) -> httpx.Response:
        self.answer = answer
        while answer.status_code == 303 and answer.headers["Location"].startswith("/"):
            answer = self.answer = await self.http.get(answer.headers["Location"])
        return answer


@dataclass
class Site:
    """The pages as they are served, and the bench behind them."""

    bench: Bench
    served: Served

    @asynccontextmanager
    async def browser(self, language: str = "en-US,en;q=0.8") -> AsyncIterator[Browser]:
        headers = {"Accept-Language": language}
        async with httpx.AsyncClient(base_url=self.served.remote.base_url, headers=headers) as http:
            yield Browser(http)

    async def link(
        self,
        purpose: PagePurpose = PagePurpose.ENROLL,
        *,
        by: Principal = TESTER,
        subscriber: str = "alice",
        **more: object,
    ) -> tuple[str, PageCreated]:
        """A new page session's URL, without the host."""
        request = PageRequest(subscriber=subscriber, purpose=purpose, **more)  # type: ignore[arg-type]
        made = await self.bench.app.pages.create(by, request)
        assert isinstance(made, PageCreated)
        return f"/p/{made.session.id}/start/{made.secret}", made

    async def enrolled(self, subscriber: str = "alice", number: str = NUMBER) -> None:
        """Give a subscriber an active telephone, without a call."""
        admin = replace(ADMIN, name=TESTER.name)
        await self.bench.enrollment.enroll(
            EnrollRequest(admin, subscriber, Destination(number), is_proven=True)
        )

    async def code(self, made: PageCreated) -> str:
        """The code that was called from a page session."""
        session = await self.bench.store.page_session(made.session.id)
        assert session is not None
        assert session.challenge_id is not None
        await self.bench.settled(session.challenge_id)
        return self.bench.code(session.challenge_id)

    async def enroll(self, browser: Browser, number: str = NUMBER, **typed: str) -> None:
        """From the first page to a call."""
        await browser.get(browser.read.links[0])
        await browser.submit("enroll", number=number, **typed)


def dependencies(
    bench: Bench, waiters: Waiters, *, call_spacing: timedelta = timedelta(), **but: object
) -> PageDependencies:
    """What the pages need, of the bench."""
    brands = {TESTER.name: Brand("Example & Söhne", "#2457c5", Logo(SVG, "image/svg+xml"))}
    given: dict[str, object] = {
        "sessions": bench.app.pages,
        "queries": bench.app.page_queries,
        "challenges": bench.app.challenges,
        "writer": PageWriter(
            brands,
            Brand("Voicegate"),
            Picker(("US", "DE"), has_internal=True),
            call_spacing=call_spacing,
        ),
        "clock": bench.clock,
        "request_id": lambda request: request[REQUEST_ID],
        "is_https": False,
        "cookie_lifetime": timedelta(minutes=30),
        "reading": waiting_for_client,
        "place": give_place(waiters),
        "failed": authentication_failed,
    }
    return PageDependencies(**(given | but))  # type: ignore[arg-type]


@asynccontextmanager
async def site_of(
    bench: Bench,
    folder: Path,
    limits: WaitingLimits | None = None,
    *,
    matching_digits: bool = False,
    **but: Any,
) -> AsyncIterator[Site]:
    rules = PageRules({TESTER.name: frozenset({BACK})}, matching_digits=matching_digits)
    rebuilt = bench.rebuilt(pages=rules)
    waiters = waiters_of(rebuilt.clients, limits)
    door = pages_door(dependencies(rebuilt, waiters, **but))
    async with rebuilt.delivery, serving(rebuilt, folder, doors=[door], waiting=waiters) as served:
        yield Site(rebuilt, served)
