"""The native door's part for pages: a backend creates a page session and redeems its result.

The pages themselves are in `adapters/web`; this is the API for programs.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final, assert_never
from urllib.parse import urlsplit

from aiohttp import web
from msgspec import Meta, Struct

from voicegate.adapters.http import problems, request_parsing
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.policy_errors import refusal
from voicegate.adapters.http.problems import Facts, Refused
from voicegate.adapters.http.responses import json_response
from voicegate.adapters.http.schemas import Discreet, LanguageTag, Reference
from voicegate.application.page_sessions import (
    PageCreated,
    PageRequest,
    PageResultTold,
    PageSessions,
    UnknownReturnUrl,
)
from voicegate.application.store_port import FactorRecord
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.client import Scope
from voicegate.domain.factor import FactorState
from voicegate.domain.page_session import PagePurpose, PageResult
from voicegate.domain.policy import Deny

Url = Annotated[str, Meta(min_length=1, max_length=2000)]
Secret = Annotated[str, Meta(min_length=1, max_length=200)]


class _Answer(Struct, kw_only=True, frozen=True):
    """What we answer."""


class NewPageSession(Discreet, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A person to be sent to the pages."""

    subscriber: Annotated[
        str, Meta(min_length=1, max_length=200, description="The person, by the client's own name for them.")
    ]
    purpose: Annotated[
        PagePurpose,
        Meta(
            description="`sign_in` leads a person who has no active telephone into setting one up; `manage` "
            "is for the settings of somebody who signed in just now."
        ),
    ]
    return_url: (
        Annotated[
            Url,
            Meta(description="Where the person goes at the end, as registered; null: they close the page."),
        ]
        | None
    ) = None
    language: LanguageTag | None = None
    reference: Reference | None = None
    alternative_url: (
        Annotated[
            Url, Meta(description="A link to another way than the telephone network, offered beside it.")
        ]
        | None
    ) = None


class CreatedPageSession(Discreet, kw_only=True, frozen=True):
    """A page session whose URL waits for its browser."""

    id: str
    url: Annotated[
        str, Meta(description="Where to send the person, at once: it works for one browser, once.")
    ]
    state: Annotated[
        str,
        Meta(
            description="Keep it in that browser's own session with you, and show it to nobody: the result "
            "is told for it alone."
        ),
    ]
    expires_at: Annotated[datetime, Meta(description="Until when the URL must be opened.")]


class ResultCode(Discreet, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a person's browser brought back."""

    result_code: Annotated[
        Secret, Meta(description="`result_code` in the query that the person came back with.")
    ]
    state: Annotated[Secret, Meta(description="`state` as it was kept in that browser's session.")]


class PageFactor(_Answer, kw_only=True, frozen=True):
    """A subscriber's telephone."""

    id: str
    status: FactorState
    destination: Annotated[str, Meta(description="The number, masked.")]
    has_extension: bool
    created_at: datetime


class PageOutcome(_Answer, kw_only=True, frozen=True):
    """What came of a page session; told once."""

    id: str
    subscriber: str
    purpose: PagePurpose
    result: Annotated[
        PageResult,
        Meta(
            description="`enrolled`, `signed_in` and `replaced` prove that the person holds the telephone; "
            "`not_me` says that somebody else seems to act in their name."
        ),
    ]
    verified_at: Annotated[datetime, Meta(description="When the code was entered.")] | None
    factor: PageFactor | None
    consent_version: Annotated[str, Meta(description="Which text they agreed to, if they enrolled.")] | None
    reference: str | None


class PageSessionsDoor:
    """The handlers around page sessions."""

    def __init__(self, pages: PageSessions, url: str, body_timeout: timedelta) -> None:
        self._pages = pages
        self._url = url
        self._body_timeout = body_timeout

    @Operation(
        method="POST",
        path="/v1/page-sessions",
        name="createPageSession",
        scope=Scope.FACTORS,
        text="Make a page session: send the person's browser to its `url`, where they set up their "
        "telephone, sign in with it, or manage it. At the end they come back to `return_url` with the "
        "query parameters `page_session` and `result_code`.",
        body=NewPageSession,
        success=Success(201, CreatedPageSession, "The page session; its secrets are told this once."),
        refusals=(
            *request_parsing.REFUSALS,
            problems.ALREADY_ENROLLED,
            problems.PAGES_OFF,
            *problems.STORED,
        ),
    )
    async def create(self, request: web.Request) -> web.Response:
        """Make a page session."""
        body = await request_parsing.read_body(request, NewPageSession, self._body_timeout)
        for field in ("subscriber", "reference", "return_url", "alternative_url"):
            if request_parsing.has_controls(getattr(body, field) or ""):
                raise Refused(problems.INVALID, f"{field}: has control characters", Facts(field=field))
        if body.alternative_url is not None and not _is_web_page(body.alternative_url):
            field = "alternative_url"
            raise Refused(problems.INVALID, f"{field}: begins with https:// or http://", Facts(field=field))
        if not self._url:
            raise Refused(problems.PAGES_OFF)
        asked = PageRequest(
            subscriber=body.subscriber,
            purpose=body.purpose,
            return_url=body.return_url,
            language=body.language,
            reference=body.reference,
            alternative_url=body.alternative_url,
        )
        answer = await self._pages.create(request[PRINCIPAL], asked)
        match answer:
            case UnknownReturnUrl():
                raise Refused(problems.INVALID, _UNREGISTERED, Facts(field="return_url"))
            case Deny():
                raise refusal(answer, field="subscriber")
            case PageCreated():
                return json_response(self._created(answer), status=201)
            case _:
                assert_never(answer)

    @Operation(
        method="POST",
        path="/v1/page-sessions/redeem",
        name="redeemPageSession",
        scope=Scope.FACTORS,
        text="Ask once what came of a page session, by the result code that the person's browser "
        "brought and the `state` that was kept in that browser's session.",
        body=ResultCode,
        success=Success(200, PageOutcome, "What came of it."),
        refusals=(*request_parsing.REFUSALS, problems.NOT_FOUND, *problems.STORED),
    )
    async def redeem(self, request: web.Request) -> web.Response:
        """Return the result of a page session."""
        body = await request_parsing.read_body(request, ResultCode, self._body_timeout)
        answer = await self._pages.redeem(request[PRINCIPAL], body.result_code, body.state)
        match answer:
            case NotFound():
                raise Refused(problems.NOT_FOUND, _NO_RESULT)
            case PageResultTold():
                return json_response(_outcome(answer))
            case _:
                assert_never(answer)

    def _created(self, created: PageCreated) -> CreatedPageSession:
        session = created.session
        return CreatedPageSession(
            id=session.id,
            url=f"{self._url}/p/{session.id}/start/{created.secret}",
            state=created.state,
            expires_at=session.expires_at,
        )


def _is_web_page(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and bool(parts.hostname)


_UNREGISTERED: Final = (
    "return_url: is not registered, character for character, in `return_urls` of the "
    "setting [page_clients.NAME]"
)
_NO_RESULT: Final = (
    "there is no such result for that state, or it was told before, or its five minutes have passed"
)


def _outcome(told: PageResultTold) -> PageOutcome:
    session = told.session
    if session.result is None:
        raise ValueError("not the result of a page session")
    return PageOutcome(
        id=session.id,
        subscriber=session.subscriber,
        purpose=session.purpose,
        result=session.result,
        verified_at=None if session.result is PageResult.NOT_ME else session.completed_at,
        factor=_factor(told.record) if told.record else None,
        consent_version=session.consent_version,
        reference=session.reference,
    )


def _factor(record: FactorRecord) -> PageFactor:
    factor = record.factor
    return PageFactor(
        id=factor.id,
        status=factor.state,
        destination=factor.destination.masked,
        has_extension=factor.destination.extension is not None,
        created_at=factor.created_at,
    )
