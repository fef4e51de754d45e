"""The pages' handlers: each reads a form, asks one use case, and redirects to the page that follows.

A page is `/p/ID` at every stage; its cookie is for that path alone, so that two page sessions in one browser
never mix. What a page shows is read from the store each time; nothing is kept here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never
from urllib.parse import parse_qsl

from aiohttp import web

from voicegate.adapters.web import numbers, refusals
from voicegate.adapters.web.branding import stylesheet
from voicegate.adapters.web.live import GivePlace, tell
from voicegate.adapters.web.pacing import Pace
from voicegate.adapters.web.rendering import STATIC, guarded, plain, see_other, static
from voicegate.adapters.web.showing import Notice, PageWriter, Shown, with_notice
from voicegate.adapters.web.stages import Stage
from voicegate.adapters.web.texts import accepted, texts_for
from voicegate.application.factor_answers import FactorCalled, FactorGuess
from voicegate.application.page_queries import PageQueries, PageVisit
from voicegate.application.page_sessions import LinkUsed, PageDisowned, PageOpened, PageSessions
from voicegate.application.ports import ChallengeRecord, Clock
from voicegate.application.queries import ChallengeQueries
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.challenge import GuessResult
from voicegate.domain.errors import InvalidExtension, InvalidNumber, InvalidPasscode, StoreError
from voicegate.domain.page_session import PageState, is_form_token
from voicegate.domain.passcode import Passcode
from voicegate.domain.policy import Deny

COOKIE: Final = "voicegate_page"
LANGUAGE_COOKIE: Final = "voicegate_language"
"""The language that the client wished for, so that errors too are in it, when the store is out of reach."""
CONSENT_VERSION: Final = "2026-11"
"""The version of the text `consent`, in every language; a changed text needs a new version."""
_BODY_S: Final = 10.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageDependencies:
    """What the pages need of the dependencies."""

    sessions: PageSessions
    """The use cases around page sessions."""
    queries: PageQueries
    """The questions about page sessions."""
    challenges: ChallengeQueries
    """The questions about challenges."""
    writer: PageWriter
    """Writes the pages."""
    clock: Clock
    """The time."""
    request_id: Callable[[web.Request], str]
    """Return a request's id."""
    is_https: bool
    """Do browsers reach the pages by HTTPS?"""
    cookie_lifetime: timedelta
    """How long a browser keeps its cookie."""
    reading: Callable[[web.Request], AbstractContextManager[None]]
    """Around the reading of a body: for so long a browser is waited for."""
    place: GivePlace
    """Where event streams wait."""
    failed: Callable[[web.Request, str], None]
    """Logs why a browser could not be authenticated, in one of few words."""


_WRONG: Final = (GuessResult.DENIED, GuessResult.LOCKED)
"""The results of guesses that were no codes of theirs; the others are of codes that were right once."""


class Instead(Exception):
    """Another answer instead of the requested one."""

    def __init__(self, response: web.Response) -> None:
        super().__init__()
        self.response = response


class Pages:
    """The handlers of the pages."""

    def __init__(self, dependencies: PageDependencies) -> None:
        self._dependencies = dependencies
        self._pace = Pace()

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Return method, path and handler of every page and file."""
        here = "/p/{id}"
        offered: tuple[tuple[str, str, Handler], ...] = (
            ("GET", here + "/start/{secret}", self._start),
            ("GET", here, self._show),
            ("GET", here + "/brand.css", self._brand),
            ("GET", here + "/logo", self._logo),
            ("GET", here + "/events", self._events),
            ("POST", here + "/enroll", self._enroll),
            ("POST", here + "/format", self._format),
            ("POST", here + "/call", self._call),
            ("POST", here + "/verify", self._verify),
            ("POST", here + "/not-me", self._disown),
        )
        return [(method, path, self._answering(handler)) for method, path, handler in offered]

    def files(self) -> Sequence[tuple[str, Handler]]:
        """Return path and handler of the files that are the same for everybody."""
        return [(f"/p/static/{name}", self._static) for name in STATIC]

    def failed(self, request: web.Request, status: int) -> web.Response:
        """Return the page of a request that failed."""
        return self._message(request, "gone" if status == 404 else "trouble", status=status)

    def _answering(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except Instead as instead:
                return instead.response
            except StoreError:
                return self._message(request, "trouble", status=503)

        return handle

    async def _static(self, request: web.Request) -> web.Response:
        return static(request.path.strip("/").rpartition("/")[2])

    async def _start(self, request: web.Request) -> web.Response:
        """Give the page session to the browser that opens its URL first."""
        if request.method == "HEAD" or "prefetch" in request.headers.get("Sec-Purpose", ""):
            # A look ahead is no visit: it must not use the URL up.
            raise Instead(self._message(request, "trouble", status=503))
        secret = request.match_info["secret"]
        self._keep_pace(request, secret)
        opened = await self._dependencies.sessions.open(self._visit(request), secret)
        match opened:
            case NotFound():
                self._dependencies.failed(request, "link_wrong")
                raise Instead(self._message(request, "gone", status=410))
            case LinkUsed():
                raise Instead(self._message(request, "gone", status=410))
            case PageOpened():
                return self._opened(request, opened)
            case _:
                assert_never(opened)

    def _opened(self, request: web.Request, opened: PageOpened) -> web.Response:
        here = f"/p/{opened.session.id}"
        response = see_other(here)
        if opened.cookie is not None:
            self._set_cookie(response, COOKIE, opened.cookie, path=here)
        if opened.session.language:
            wanted = (opened.session.language, *_tags(request))
            self._set_cookie(response, LANGUAGE_COOKIE, texts_for(wanted).language, path=here)
        return response

    async def _show(self, request: web.Request) -> web.Response:
        query = request.query
        wait = query.get("wait", "")
        wait_s = int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else 0
        notice = Notice(refusals.told(query.get("error", "")), wait_s)
        return self._dependencies.writer.page(with_notice(await self._shown(request), notice))

    async def _brand(self, request: web.Request) -> web.Response:
        client = (await self._shown(request)).session.client
        return plain(stylesheet(self._dependencies.writer.brand_of(client).accent), "text/css")

    async def _logo(self, request: web.Request) -> web.Response:
        logo = self._dependencies.writer.brand_of((await self._shown(request)).session.client).logo
        if logo is None:
            raise Instead(self._message(request, "gone", status=404))
        return plain(logo.content, logo.media_type)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Send the changes of a call as they happen."""
        shown = await self._shown(request)
        challenge_id = shown.session.challenge_id
        if shown.stage is not Stage.CALL or challenge_id is None:
            return guarded(web.Response(status=204))
        principal = self._visit(request).principal(shown.session)

        def show(record: ChallengeRecord) -> str:
            now = self._dependencies.clock.now()
            return self._dependencies.writer.live(Shown(shown.view, shown.cookie, shown.tags, now), record)

        with (
            self._dependencies.place(request, shown.session) as wait,
            self._dependencies.challenges.watching(principal, challenge_id) as watch,
        ):
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            guarded(response)
            await response.prepare(request)
            await tell(response, look=watch.look, show=show, wait=wait)
        return response

    async def _enroll(self, request: web.Request) -> web.Response:
        shown, form = await self._acted(request)
        typed = {name: form.get(name, "") for name in ("country", "number", "extension")}

        def again(error: str, wait_s: int = 0) -> web.Response:
            field = "extension" if error == "error_extension" else "number"
            notice = Notice(error, wait_s, field, typed, status=422)
            return self._dependencies.writer.page(with_notice(shown, notice))

        try:
            destination = numbers.read(typed["country"], typed["number"], typed["extension"])
        except InvalidNumber:
            return again("error_number")
        except InvalidExtension:
            return again("error_extension")
        answer = await self._dependencies.sessions.enroll(
            self._visit(request),
            destination,
            language=shown.session.language or shown.t.language,
            consent_version=f"{CONSENT_VERSION}/{shown.t.language}",
        )
        match answer:
            case Deny():
                return again(refusals.ERROR_OF_REASON[answer.reason], refusals.seconds_of(answer))
            case FactorCalled() | NotFound():  # what is over says so on the page that follows
                return see_other(_here(shown))
            case _:
                assert_never(answer)

    async def _format(self, request: web.Request) -> web.Response:
        _, form = await self._posted(request)
        written = numbers.as_typed(form.get("country", ""), form.get("number", ""))
        return plain(written, "text/plain")

    async def _call(self, request: web.Request) -> web.Response:
        shown, _ = await self._acted(request)
        answer = await self._dependencies.sessions.call(self._visit(request))
        match answer:
            case Deny():
                return see_other(_here(shown) + refusals.query_of(answer))
            case FactorCalled() | NotFound():
                return see_other(_here(shown))
            case _:
                assert_never(answer)

    async def _verify(self, request: web.Request) -> web.Response:
        shown, form = await self._acted(request)
        try:
            guess = Passcode.parse(form.get("code", ""))
        except InvalidPasscode:
            return see_other(f"{_here(shown)}?error=error_code_shape")
        answer = await self._dependencies.sessions.guess(self._visit(request), guess)
        match answer:
            case Deny():
                query = refusals.query_of(answer)
            case FactorGuess(result=GuessResult.VERIFIED) | NotFound():
                query = ""
            case FactorGuess():
                if answer.result in _WRONG:
                    self._dependencies.failed(request, "passcode_wrong")
                query = f"?error={refusals.OF_GUESS[answer.result]}"
            case _:
                assert_never(answer)
        return see_other(_here(shown) + query)

    async def _disown(self, request: web.Request) -> web.Response:
        shown, _ = await self._acted(request)
        answer = await self._dependencies.sessions.disown(self._visit(request))
        match answer:
            case PageDisowned() | NotFound():
                return see_other(_here(shown))
            case _:
                assert_never(answer)

    async def _acted(self, request: web.Request) -> tuple[Shown, dict[str, str]]:
        """Return the same as `_posted`, for a form that may change something.

        Raises:
            Instead: also if the page session sends too many.
        """
        shown, form = await self._posted(request)
        self._keep_pace(request, shown.session.id)
        return shown, form

    def _keep_pace(self, request: web.Request, sender: str) -> None:
        if wait_s := self._pace.wait_s(sender):
            response = self._message(request, "trouble", status=429)
            response.headers["Retry-After"] = str(wait_s)
            raise Instead(response)

    async def _posted(self, request: web.Request) -> tuple[Shown, dict[str, str]]:
        """Return the page that a form was sent from, and what is in it.

        Raises:
            Instead: the form is not from this page, or the page session is over.
        """
        shown = await self._shown(request)
        with self._dependencies.reading(request):
            form = await _read_form(request)
        is_foreign = request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")
        if is_foreign or not is_form_token(form.get("form", ""), shown.cookie):
            raise Instead(self._message(request, "forbidden", status=403))
        if shown.session.state is not PageState.OPENED:
            raise Instead(see_other(_here(shown)))
        return shown, form

    async def _shown(self, request: web.Request) -> Shown:
        """Return the page of the browser that asks.

        Raises:
            Instead: it has no page.
        """
        visit = self._visit(request)
        view = await self._dependencies.queries.find(visit)
        if view is None:
            raise Instead(self._message(request, "gone", status=410))
        return Shown(
            view,
            visit.cookie,
            _tags(request),
            self._dependencies.clock.now(),
            wants_number=request.query.get("step") == "number",
        )

    def _set_cookie(self, response: web.Response, name: str, value: str, *, path: str) -> None:
        response.set_cookie(
            name,
            value,
            path=path,
            max_age=int(self._dependencies.cookie_lifetime.total_seconds()),
            secure=self._dependencies.is_https,
            httponly=True,
            # Strict would omit the cookie when another site sends the person here.
            samesite="Lax",
        )

    def _visit(self, request: web.Request) -> PageVisit:
        cookie = request.cookies.get(COOKIE, "")
        return PageVisit(request.match_info["id"], cookie, self._dependencies.request_id(request))

    def _message(self, request: web.Request, name: str, *, status: int) -> web.Response:
        tags = (request.cookies.get(LANGUAGE_COOKIE, ""), *_tags(request))
        return self._dependencies.writer.message(name, tags, status=status)


async def _read_form(request: web.Request) -> dict[str, str]:
    """Return the fields of a form; anything else has no fields."""
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    try:
        async with asyncio.timeout(_BODY_S):
            body = await request.read()
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=20))
    except (ValueError, TimeoutError):
        return {}


def _tags(request: web.Request) -> tuple[str, ...]:
    return accepted(request.headers.get("Accept-Language", ""))


def _here(shown: Shown) -> str:
    return f"/p/{shown.session.id}"
