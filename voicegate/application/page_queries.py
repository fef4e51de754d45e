"""Questions about a page session that change nothing: which browser has it, and what its pages show."""

import hmac
from dataclasses import dataclass, field

from voicegate.application.ports import Clock
from voicegate.application.queries import FactorQueries
from voicegate.application.store_port import FactorRecord, Store
from voicegate.domain.client import Principal, Scope
from voicegate.domain.page_session import PageSession, digest


@dataclass(frozen=True, slots=True)
class PageView:
    """What a page shows."""

    session: PageSession
    """The page session."""
    record: FactorRecord | None
    """The subscriber's factor with its newest challenge; None: there is none, or it was reset."""


@dataclass(frozen=True, slots=True)
class PageVisit:
    """Which browser asks for which page session, in one request."""

    page_id: str
    """The page session's id."""
    cookie: str = field(repr=False)
    """The browser's cookie; empty: it has none."""
    request_id: str = ""
    """The request's id, for the audit."""

    def principal(self, session: PageSession) -> Principal:
        """Return as whom the browser asks: the client that sent the person, for factors only."""
        return Principal(session.client, frozenset({Scope.FACTORS}), self.request_id)


class PageQueries:
    """Answers questions about page sessions."""

    def __init__(self, *, store: Store, clock: Clock, factors: FactorQueries) -> None:
        self._store = store
        self._clock = clock
        self._factors = factors

    async def linked(self, page_id: str, secret: str) -> PageSession | None:
        """Return the page session of a URL, for any browser; None: there is no such URL."""
        session = await self._store.page_session(page_id)
        is_url = session is not None and hmac.compare_digest(digest(secret), session.url_digest)
        return session if is_url else None

    async def owned(self, visit: PageVisit) -> PageSession | None:
        """Return a page session for the browser that opened it; None: this browser did not."""
        session = await self._store.page_session(visit.page_id)
        return session if session is not None and session.is_for(visit.cookie) else None

    async def find(self, visit: PageVisit) -> PageView | None:
        """Return what a page shows to this browser; None: this browser did not open it."""
        session = await self.owned(visit)
        if session is None or session.is_expired(self._clock.now()):
            return None
        records = await self._factors.list(visit.principal(session), session.subscriber)
        return PageView(session, records[0] if records else None)
