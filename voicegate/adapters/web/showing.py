"""Makes a page from what is stored: its texts, its parts, and the time of its refresh without JavaScript."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as hidden
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from voicegate.adapters.web import stages
from voicegate.adapters.web.branding import Brand
from voicegate.adapters.web.numbers import Picker
from voicegate.adapters.web.rendering import html, render, see_other
from voicegate.adapters.web.stages import Stage
from voicegate.adapters.web.texts import Texts, texts_for
from voicegate.application.page_queries import PageView
from voicegate.application.ports import ChallengeRecord
from voicegate.domain.factor import FactorState
from voicegate.domain.page_session import (
    PagePurpose,
    PageResult,
    PageSession,
    PageState,
    form_token,
    result_code,
)

_REFRESH_S: Final = 3
_TITLES: Final[Mapping[Stage, str]] = {
    Stage.SETUP: "setup_title",
    Stage.NUMBER: "number_title",
    Stage.READY: "sign_in_title",
    Stage.SETTINGS: "settings_title",
    Stage.ACTIVE: "active_title",
    Stage.LOCKED: "locked_title",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """A page's notice about the last action."""

    error: str = ""
    """The name of its text; empty: nothing."""
    wait_s: int = 0
    """The seconds in the text; 0: the text has none."""
    field: str = ""
    """The field that caused it."""
    typed: Mapping[str, str] = hidden(default_factory=dict)
    """What was entered, to be shown again."""
    status: int = 200
    """The page's HTTP status."""

    @property
    def call_wait_s(self) -> int:
        """For how many seconds no call was granted; 0: that is not what is told."""
        return self.wait_s if self.error == "error_wait" else 0


@dataclass(frozen=True, slots=True)
class Shown:
    """One page, for one browser at one moment."""

    view: PageView
    """What is stored about it."""
    cookie: str = hidden(repr=False)
    """The browser's."""
    tags: Sequence[str]
    """Languages that the browser asks for, best first."""
    now: datetime
    """When."""
    wants_number: bool = False
    """Did the person choose to enter a new number?"""
    notice: Notice = Notice()
    """The notice about the last action."""

    @property
    def session(self) -> PageSession:
        """The page session."""
        return self.view.session

    @property
    def t(self) -> Texts:
        """The page's texts."""
        own = (self.session.language,) if self.session.language else ()
        return texts_for((*own, *self.tags))

    @property
    def stage(self) -> Stage:
        """The page's stage."""
        return stages.stage_of(self.view, wants_number=self.wants_number)


class PageWriter:
    """Writes pages."""

    def __init__(
        self,
        brands: Mapping[str, Brand],
        brand: Brand,
        picker: Picker,
        *,
        call_spacing: timedelta = timedelta(),
        shows_risks: bool = False,
    ) -> None:
        """`shows_risks`: are people told what is less safe about calls, and that there are other ways?"""
        self._brands = brands
        self._brand = brand
        self._picker = picker
        self._call_spacing = call_spacing
        self._shows_risks = shows_risks

    def brand_of(self, client: str) -> Brand:
        """Return the branding of a client's pages."""
        return self._brands.get(client, self._brand)

    def page(self, shown: Shown) -> web.Response:
        """Return the page of a person's present stage."""
        stage, context = shown.stage, self._context(shown)
        match stage:
            case Stage.DONE:
                return self._done(shown)
            case Stage.CALL:
                context |= self._call(shown, stages.challenge_of(shown.view))
            case Stage.NUMBER:
                context |= self._number(shown)
            case Stage.SETTINGS:
                context |= _settings(shown)
            case Stage.ACTIVE | Stage.LOCKED:
                text = "active_text" if stage is Stage.ACTIVE else "locked_text"
                app = context["brand"]
                context |= {"text": shown.t(text, app=app.name, number=context["masked"]), "link": None}  # type: ignore[attr-defined]
            case Stage.READY:
                context |= {"wait_s": shown.notice.call_wait_s, "refresh": shown.notice.call_wait_s}
            case Stage.SETUP:
                pass
        template = "message" if stage in (Stage.ACTIVE, Stage.LOCKED) else stage
        body = render(f"{template}.html.j2", context)
        return html(body, status=shown.notice.status, return_url=shown.session.return_url)

    def live(self, shown: Shown, record: ChallengeRecord) -> str:
        """Return the part of a call's page that changes."""
        return render("event.html.j2", self._context(shown) | self._call(shown, record))

    def message(self, name: str, tags: Sequence[str], *, status: int) -> web.Response:
        """Return a page with a message only."""
        t = texts_for(tags)
        context: dict[str, object] = {
            **{"t": t, "brand": self._brand, "here": "", "session": None, "stage": "", "refresh": 0},
            **{"title": t(f"{name}_title"), "link": None},
            "text": t("error_form") if name == "forbidden" else t(f"{name}_text"),
        }
        return html(render("message.html.j2", context), status=status)

    def _context(self, shown: Shown) -> dict[str, object]:
        record, session, t = shown.view.record, shown.session, shown.t
        factor = record.factor if record else None
        destination = factor.destination if factor else None
        stage = shown.stage
        return {
            "t": t,
            "brand": self.brand_of(session.client),
            "session": session,
            "stage": stage,
            "title": t(_TITLES[stage]) if stage in _TITLES else "",
            "here": f"/p/{session.id}",
            "token": form_token(shown.cookie),
            "refresh": 0,
            "shows_risks": self._shows_risks,
            "error": _told(shown),
            "factor": factor,
            "masked": destination.masked if destination else "",
            "has_extension": bool(destination and destination.extension),
        }

    def _number(self, shown: Shown) -> dict[str, object]:
        typed, replaces = shown.notice.typed, shown.session.purpose is PagePurpose.MANAGE
        return {
            "title": shown.t("number_title_again" if replaces else "number_title"),
            "replaces": replaces,
            "countries": self._picker.options(shown.t),
            "country": typed.get("country") or self._picker.guess(shown.tags),
            "number": typed.get("number", ""),
            "extension": typed.get("extension", ""),
            "field": shown.notice.field,
        }

    def _call(self, shown: Shown, record: ChallengeRecord | None) -> dict[str, object]:
        progress = stages.progress_of(record) if record and record.calls else None
        is_live = progress is not None and progress.is_live
        closed = stages.challenge_text(record)
        is_sign_in = shown.view.record is not None and shown.view.record.factor.state is FactorState.ACTIVE
        asks = "sign_in_title" if is_sign_in else "code_title"
        has_code = not closed and (is_live or stages.was_spoken(record))
        is_early = progress is not None and is_live and not progress.is_speaking
        again_at = stages.call_again_at(shown.session, record, self._call_spacing)
        wait_s = shown.notice.call_wait_s or stages.seconds_until(again_at, shown.now)
        title = "call_title" if is_live else asks if has_code else "step_ended"
        return {
            "title": shown.t(title),
            "progress": progress,
            "closed": closed,
            # What is over tells nothing new: a stream would only have the page loaded again, and again.
            "is_open": record is not None and not record.is_settled,
            "error": "" if shown.notice.error == closed else _told(shown),
            "has_code": has_code,
            "wait_s": wait_s,
            "digits": record.challenge.passcode_length if record else 0,
            # Apart, as the call says them.
            "match": " ".join(record.challenge.matching_digits or "") if record else "",
            "may_change": not is_sign_in,
            # A page with a half-entered code is not refreshed.
            "refresh": 0 if has_code and not is_early else _REFRESH_S if is_live else wait_s,
        }

    def _done(self, shown: Shown) -> web.Response:
        session, t = shown.session, shown.t
        link = return_link(session, shown.cookie)
        if session.result is PageResult.SIGNED_IN and session.state is PageState.COMPLETED and link:
            return see_other(link)
        name = f"done_{session.result}"
        context = self._context(shown) | {
            "title": t(f"{name}_title"),
            "text": t(f"{name}_text", app=self.brand_of(session.client).name),
            "link": link,
        }
        return html(render("message.html.j2", context), return_url=session.return_url)


def return_link(session: PageSession, cookie: str) -> str | None:
    """Return the URL to which a person goes at the end, with the result code until it is redeemed; None:
    there is none."""
    if session.return_url is None or session.state is not PageState.COMPLETED:
        return session.return_url
    query = urlencode({"page_session": session.id, "result_code": result_code(cookie)})
    return f"{session.return_url}{'&' if '?' in session.return_url else '?'}{query}"


def _settings(shown: Shown) -> dict[str, object]:
    record = shown.view.record
    calls = record.challenge.calls if record and record.challenge else ()
    return {"last_called": calls[-1].call.created_at if calls else None}


def _told(shown: Shown) -> str:
    """Return the text about the last action; empty: nothing."""
    notice, record = shown.notice, stages.challenge_of(shown.view)
    left = record.challenge.guesses_left if record else 0
    wait_s = notice.wait_s or stages.seconds_until(shown.session.call_again_at, shown.now)
    if not notice.error or (notice.error == "error_wait" and not wait_s):
        return ""
    name = "error_code_last" if notice.error == "error_code" and left == 1 else notice.error
    digits = record.challenge.passcode_length if record else 6
    return shown.t(name, left=left, digits=digits, seconds=wait_s)


def with_notice(shown: Shown, notice: Notice) -> Shown:
    """Return the page with a notice about an action."""
    return replace(shown, notice=notice, wants_number=shown.wants_number or bool(notice.typed))
