"""What people and backends do with a page session: create it, open it, call, enter the code, fetch the
result.

Only the browser that opened the URL first may use the pages; its cookie proves it. Changes of a factor are
made by `enrollment`, in the same transaction as the change of the page session. How pages look is the web
adapter's part.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import ClassVar, Concatenate, Final, ParamSpec, TypeVar

from voicegate.application.enrollment import Enrollment, EnrollRequest, FactorKey
from voicegate.application.factor_answers import FactorCalled, FactorGuess
from voicegate.application.page_queries import PageQueries, PageVisit
from voicegate.application.pending_call import CodeRequest
from voicegate.application.ports import Entropy
from voicegate.application.store_port import FactorRecord
from voicegate.application.unit_of_work import ALLOWED, Answer, NotFound, UnitOfWork, UnitsOfWork
from voicegate.domain import page_session as pages
from voicegate.domain.challenge import GuessResult, Purpose
from voicegate.domain.client import Principal
from voicegate.domain.factor import LIVING_STATES, Factor, FactorState
from voicegate.domain.page_session import PagePurpose, PageResult, PageSession, PageState
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason

P = ParamSpec("P")
A = TypeVar("A", bound=Answer)

_PENDING: Final = frozenset({FactorState.PENDING_ACTIVATION})
_RESULTS: Final[Mapping[tuple[PagePurpose, Purpose], PageResult]] = {
    (PagePurpose.SIGN_IN, Purpose.SIGN_IN): PageResult.SIGNED_IN,
    (PagePurpose.MANAGE, Purpose.ACTIVATION): PageResult.REPLACED,
}
"""The result of a right guess; for any other pair it is that the telephone is enrolled."""


@dataclass(frozen=True, slots=True)
class PageRules:
    """What the admin allows for page sessions."""

    return_urls: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The URLs to which each client may send people at the end; they must match in every character."""
    link_lifetime: timedelta = pages.LINK_LIFETIME
    """How long a URL can be opened after it was created."""
    session_lifetime: timedelta = pages.SESSION_LIFETIME
    """How long the pages can be used after the URL was opened."""
    matching_digits: bool = False
    """Do pages show two digits that the call speaks before the code?"""

    @property
    def wanted(self) -> CodeRequest:
        """What pages ask for a code."""
        return CodeRequest(matching_digits=self.matching_digits)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """A backend's request for a page session; only its shape was checked."""

    subscriber: str
    """The person."""
    purpose: PagePurpose
    """What the page is for."""
    return_url: str | None = None
    """Where the person goes at the end; None: nowhere."""
    language: str | None = None
    """Language tag of pages and calls; None: the browser's language."""
    reference: str | None = None
    """The caller's own note."""
    alternative_url: str | None = None
    """The URL of another way to sign in, without the telephone; None: there is none."""


@dataclass(frozen=True, slots=True)
class PageCreated:
    """A page session whose URL was not opened yet; its secrets are told only this once."""

    session: PageSession
    """The page session."""
    secret: str = field(repr=False)
    """The last part of the URL."""
    state: str = field(repr=False)
    """What the backend must keep with the browser's own session; it needs it to fetch the result."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class UnknownReturnUrl:
    """The client has not registered this return URL."""

    decision: ClassVar[str] = "unknown_return_url"
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class PageOpened:
    """The browser has the page session now, or had it already."""

    session: PageSession
    """The page session."""
    cookie: str | None = field(repr=False)
    """The cookie that the browser must keep; None: it has it already."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class LinkUsed:
    """Another browser opened the URL before."""

    decision: ClassVar[str] = "link_used"
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class PageResultTold:
    """The result of a page session, told to its backend."""

    session: PageSession
    """The page session."""
    record: FactorRecord | None
    """The subscriber's factor as it is now; None: it was reset."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class PageDisowned:
    """The person said that they had not asked for this."""

    decision: ClassVar[str] = "not_me"
    """The decision in the audit."""


class PageSessions:
    """Creates page sessions and changes them."""

    def __init__(
        self,
        *,
        units: UnitsOfWork,
        queries: PageQueries,
        entropy: Entropy,
        enrollment: Enrollment,
        rules: PageRules,
    ) -> None:
        self._units = units
        self._queries = queries
        self._entropy = entropy
        self._enrollment = enrollment
        self._rules = rules

    async def create(self, principal: Principal, asked: PageRequest) -> PageCreated | UnknownReturnUrl | Deny:
        """Create a page session; purpose `enroll` is refused if the subscriber's factor is active."""
        return await self._units.do(principal, "page.create", self._create, asked)

    async def redeem(self, principal: Principal, code: str, state: str) -> PageResultTold | NotFound:
        """Return the result of a page session, only once.

        The backend sends the result code that the browser brought, and the `state` that it kept itself.
        """
        return await self._units.do(principal, "page.redeem", self._redeem, code, state)

    async def open(self, visit: PageVisit, secret: str) -> PageOpened | LinkUsed | NotFound:
        """Give a page session to the first browser that opens its URL."""
        session = await self._queries.linked(visit.page_id, secret)
        # What strangers try is not written down: it would be a way to fill the disk.
        if session is None:
            return NotFound()
        return await self._units.do(visit.principal(session), "page.open", self._open, visit)

    async def enroll(
        self, visit: PageVisit, destination: Destination, *, language: str, consent_version: str
    ) -> FactorCalled | Deny | NotFound:
        """Bind a telephone and call it with the activation's code.

        A factor that waits for its activation is replaced, because people mistype numbers. An active one is
        replaced only if the page's purpose is to manage it.
        """
        return await self._do(
            visit,
            "page.enroll",
            self._enroll,
            destination,
            language=language,
            consent_version=consent_version,
        )

    async def call(self, visit: PageVisit) -> FactorCalled | Deny | NotFound:
        """Call the subscriber's telephone: to activate it, or for a sign-in."""
        return await self._do(visit, "page.call", self._call)

    async def guess(self, visit: PageVisit, guess: Passcode) -> FactorGuess | Deny | NotFound:
        """Judge a guess at the code that was called from this page session; a right guess completes the
        session."""
        return await self._do(visit, "page.verify", self._guess, cookie=visit.cookie, guess=guess)

    async def disown(self, visit: PageVisit) -> PageDisowned | NotFound:
        """Record that the person had not asked for this: hang up the call, and tell the backend."""
        return await self._do(visit, "page.not_me", self._disown, visit)

    async def _do(
        self,
        visit: PageVisit,
        action: str,
        work: Callable[Concatenate[UnitOfWork, PageSession, P], A],
        *args: P.args,
        **more: P.kwargs,
    ) -> A | NotFound:
        """Run `work` on the page session of a visit, in one unit of work, and return its answer."""
        session = await self._queries.owned(visit)
        if session is None:
            return NotFound()

        def within(unit: UnitOfWork) -> A | NotFound:
            current = _find_open(unit, visit)
            if current is None:
                return NotFound()
            unit.subscriber, unit.reference = current.subscriber, current.reference
            return work(unit, current, *args, **more)

        return await self._units.do(visit.principal(session), action, within)

    def _create(self, unit: UnitOfWork, asked: PageRequest) -> PageCreated | UnknownReturnUrl | Deny:
        unit.subject = unit.subscriber = asked.subscriber
        unit.reference = asked.reference
        client = unit.principal.name
        registered = self._rules.return_urls.get(client, frozenset())
        if asked.return_url is not None and asked.return_url not in registered:
            return UnknownReturnUrl()
        factor = _living(unit, asked.subscriber, client)
        if asked.purpose is PagePurpose.ENROLL and factor and factor.state is FactorState.ACTIVE:
            return Deny(DenyReason.ALREADY_ENROLLED)
        secret, state = self._entropy.secret(), self._entropy.secret()
        session = PageSession(
            id=self._entropy.new_id("pgs"),
            client=client,
            subscriber=asked.subscriber,
            purpose=asked.purpose,
            created_at=unit.now,
            expires_at=unit.now + self._rules.link_lifetime,
            url_digest=pages.digest(secret),
            state_digest=pages.digest(state),
            return_url=asked.return_url,
            alternative_url=asked.alternative_url,
            language=asked.language,
            reference=asked.reference,
        )
        unit.subject = session.id
        unit.tx.save_page_session(session)
        return PageCreated(session, secret, state)

    def _redeem(self, unit: UnitOfWork, code: str, state: str) -> PageResultTold | NotFound:
        found = unit.tx.page_session_of(pages.digest(code))
        if found is None or not unit.principal.owns(found.client):
            return NotFound()
        unit.subject, unit.subscriber, unit.reference = found.id, found.subscriber, found.reference
        redeemed = pages.redeem(found, state, unit.now)
        if redeemed is None:
            return NotFound()
        unit.tx.save_page_session(redeemed)
        factor = _living(unit, found.subscriber, found.client)
        record = FactorRecord(factor, unit.tx.newest_challenge(factor.id)) if factor else None
        return PageResultTold(redeemed, record)

    def _open(self, unit: UnitOfWork, visit: PageVisit) -> PageOpened | LinkUsed | NotFound:
        unit.subject = visit.page_id
        session = unit.tx.page_session(visit.page_id)
        if session is None or session.is_expired(unit.now) or _is_revoked(unit, session):
            return NotFound()
        unit.subscriber, unit.reference = session.subscriber, session.reference
        if session.is_for(visit.cookie):
            return PageOpened(session, None)
        if session.state is not PageState.CREATED:
            return LinkUsed()
        # Never a cookie that the browser came with: somebody else may have put it there.
        cookie = self._entropy.secret()
        opened = pages.open_with(session, cookie, unit.now, lifetime=self._rules.session_lifetime)
        unit.tx.save_page_session(opened)
        return PageOpened(opened, cookie)

    def _enroll(
        self,
        unit: UnitOfWork,
        session: PageSession,
        destination: Destination,
        *,
        language: str,
        consent_version: str,
    ) -> FactorCalled | Deny:
        living = _living(unit, session.subscriber, session.client)
        is_same = living is not None and living.destination == destination
        is_pending = living is not None and living.state is FactorState.PENDING_ACTIVATION
        may_replace = LIVING_STATES if session.purpose is PagePurpose.MANAGE else _PENDING
        request = EnrollRequest(
            unit.principal,
            session.subscriber,
            destination,
            languages=(language,),
            replaces=frozenset() if is_same and is_pending else may_replace,
            wanted=self._rules.wanted,
        )
        called = self._enrollment.enroll_within(unit, request)
        agreed = replace(session, consent_version=consent_version, consent_at=unit.now)
        return _note_call(unit, agreed, called)

    def _call(self, unit: UnitOfWork, session: PageSession) -> FactorCalled | Deny:
        factor = _living(unit, session.subscriber, session.client)
        if factor is None:
            return Deny(DenyReason.NO_CHALLENGE)
        unit.subject, unit.destination = factor.id, factor.destination
        is_pending = factor.state is FactorState.PENDING_ACTIVATION
        is_sign_in = session.purpose is PagePurpose.SIGN_IN
        if not is_pending and not is_sign_in and factor.state is FactorState.ACTIVE:
            return Deny(DenyReason.ALREADY_ENROLLED)
        purpose = Purpose.ACTIVATION if is_pending else Purpose.SIGN_IN
        called = self._enrollment.call_within(unit, factor, purpose, wanted=self._rules.wanted)
        return _note_call(unit, session, called)

    def _guess(
        self, unit: UnitOfWork, session: PageSession, *, cookie: str, guess: Passcode
    ) -> FactorGuess | Deny | NotFound:
        newest = unit.tx.newest_challenge(session.factor_id) if session.factor_id else None
        if session.factor_id is None or newest is None or newest.challenge.id != session.challenge_id:
            return Deny(DenyReason.NO_CHALLENGE)
        purpose, key = newest.challenge.purpose, FactorKey(session.factor_id, session.subscriber)
        judged = self._enrollment.judge_within(unit, key, guess, purpose=purpose)
        if isinstance(judged, FactorGuess) and judged.result is GuessResult.VERIFIED:
            result = _RESULTS.get((session.purpose, purpose), PageResult.ENROLLED)
            unit.tx.save_page_session(pages.complete(session, result, unit.now, cookie=cookie))
        return judged

    def _disown(self, unit: UnitOfWork, session: PageSession, visit: PageVisit) -> PageDisowned:
        unit.subject = session.id
        factor = _living(unit, session.subscriber, session.client)
        if factor is not None:
            unit.destination = factor.destination
            self._enrollment.end_codes_within(unit, factor)
        unit.tx.save_page_session(pages.complete(session, PageResult.NOT_ME, unit.now, cookie=visit.cookie))
        return PageDisowned()


def _note_call(unit: UnitOfWork, session: PageSession, called: FactorCalled | Deny) -> FactorCalled | Deny:
    """Store in a page session what was called from it."""
    if isinstance(called, FactorCalled):
        newest = called.challenge
        unit.tx.save_page_session(
            replace(
                session,
                factor_id=called.factor.id,
                challenge_id=newest.challenge.id if newest else None,
                call_again_at=called.next_call_at,
            )
        )
    return called


def _find_open(unit: UnitOfWork, visit: PageVisit) -> PageSession | None:
    """Return the page session that a browser may use now; None: there is none."""
    session = unit.tx.page_session(visit.page_id)
    if session is None or not session.is_for(visit.cookie) or _is_revoked(unit, session):
        return None
    return session if session.state is PageState.OPENED and not session.is_expired(unit.now) else None


def _is_revoked(unit: UnitOfWork, session: PageSession) -> bool:
    client = unit.tx.client(session.client)  # None: a Unix user
    return client is not None and client.revoked_at is not None


def _living(unit: UnitOfWork, subscriber: str, client: str) -> Factor | None:
    found = unit.tx.living_factors(subscriber, client)
    return found[0] if found else None
