"""One visit of a person to our pages: what they came for, how far they are, and the result.

A backend creates it and sends the person to its one-time URL; only the browser that opens the URL first can
use it. At the end that browser brings a one-time result code to the backend, which exchanges it for the
result together with the `state` that it kept with that browser's own session. So a stolen URL or code alone
is worth nothing. Only digests of these secrets are stored; the browser's other secrets are derived from its
cookie. Source: RFC 6749 section 10.12 and RFC 9700 (state, one-time codes).
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from voicegate.domain.errors import InvalidTransition

LINK_LIFETIME: Final = timedelta(minutes=5)
"""How long the URL can be opened."""
SESSION_LIFETIME: Final = timedelta(minutes=30)
"""How long the pages can be used after that."""
RESULT_LIFETIME: Final = timedelta(minutes=5)
"""How long the result code can be used."""


class PagePurpose(StrEnum):
    """Why a person is sent to the pages."""

    ENROLL = "enroll"
    """To set up their telephone."""
    SIGN_IN = "sign_in"
    """To prove that they hold their telephone; if none is active, to set it up."""
    MANAGE = "manage"
    """To see their telephone, and to replace it."""


class PageState(StrEnum):
    """The state of a page session."""

    CREATED = "created"
    """No browser has opened its URL yet."""
    OPENED = "opened"
    """A browser has it."""
    COMPLETED = "completed"
    """There is a result, which the backend has not fetched yet."""
    REDEEMED = "redeemed"
    """The backend has the result."""


class PageEvent(StrEnum):
    """What can happen to a page session."""

    OPENED = "opened"
    COMPLETED = "completed"
    REDEEMED = "redeemed"


class PageResult(StrEnum):
    """The result of a page session."""

    ENROLLED = "enrolled"
    """The person set their telephone up, which also proves it."""
    SIGNED_IN = "signed_in"
    """They proved that they hold their telephone."""
    REPLACED = "replaced"
    """They set up another telephone instead of the old one."""
    NOT_ME = "not_me"
    """They said that they had not asked for this."""


_S = PageState
_E = PageEvent
TRANSITIONS: Final[Mapping[tuple[PageState, PageEvent], PageState]] = {
    (_S.CREATED, _E.OPENED): _S.OPENED,
    (_S.OPENED, _E.COMPLETED): _S.COMPLETED,
    (_S.COMPLETED, _E.REDEEMED): _S.REDEEMED,
}
"""Every pair that can happen, and the state that follows it."""


@dataclass(frozen=True, slots=True)
class PageSession:
    """One visit of a person to our pages."""

    id: str
    """Public id, part of every page's path."""
    client: str
    """The client that sent the person."""
    subscriber: str
    """The person, by the client's own name for them."""
    purpose: PagePurpose
    """Why the person is here."""
    created_at: datetime
    """When it was made."""
    expires_at: datetime
    """When its URL, its pages or its result code stop working; changes with its state."""
    url_digest: bytes = field(repr=False)
    """Digest of the URL's secret."""
    state_digest: bytes = field(repr=False)
    """Digest of the `state` that the backend keeps with the browser's session."""
    state: PageState = PageState.CREATED
    """Its state."""
    return_url: str | None = None
    """Where the person goes at the end; None: nowhere, they close the page."""
    alternative_url: str | None = None
    """The URL of another way to sign in, without the telephone; None: there is none."""
    language: str | None = None
    """Language tag of pages and calls; None: the browser's language."""
    reference: str | None = None
    """The client's own note, returned unchanged."""
    cookie_digest: bytes | None = field(default=None, repr=False)
    """Digest of the browser's cookie; None: no browser has opened it yet."""
    result_digest: bytes | None = field(default=None, repr=False)
    """Digest of the result code; None: there is no result yet."""
    factor_id: str | None = None
    """The factor that was called from it; None: none yet."""
    challenge_id: str | None = None
    """The challenge whose code was called from it; None: none yet."""
    call_again_at: datetime | None = None
    """When it may call again; None: at any time."""
    consent_version: str | None = None
    """The version of the text that the person agreed to before their number was enrolled; None: none."""
    consent_at: datetime | None = None
    """When they agreed."""
    result: PageResult | None = None
    """The result; None: there is none yet."""
    completed_at: datetime | None = None
    """When there was a result."""

    def is_expired(self, now: datetime) -> bool:
        """Return whether its time is over."""
        return now >= self.expires_at

    def is_for(self, cookie: str) -> bool:
        """Return whether `cookie` is the cookie of the browser that opened it, in constant time."""
        return self.cookie_digest is not None and hmac.compare_digest(digest(cookie), self.cookie_digest)


def step(session: PageSession, event: PageEvent) -> PageSession:
    """Return a page session after an event.

    Raises:
        InvalidTransition: the pair is not in `TRANSITIONS`.
    """
    state = TRANSITIONS.get((session.state, event))
    if state is None:
        raise InvalidTransition(f"{event} cannot happen to a page session that is {session.state}")
    return replace(session, state=state)


def open_with(session: PageSession, cookie: str, now: datetime, *, lifetime: timedelta) -> PageSession:
    """Return a page session that the browser with that cookie may use from `now` on, for `lifetime`."""
    opened = step(session, PageEvent.OPENED)
    return replace(opened, cookie_digest=digest(cookie), expires_at=now + lifetime)


def complete(session: PageSession, result: PageResult, now: datetime, *, cookie: str) -> PageSession:
    """Return a page session with a result; its result code is derived from the browser's cookie."""
    completed = step(session, PageEvent.COMPLETED)
    return replace(
        completed,
        result=result,
        completed_at=now,
        expires_at=now + RESULT_LIFETIME,
        result_digest=digest(result_code(cookie)),
    )


def redeem(session: PageSession, state: str, now: datetime) -> PageSession | None:
    """Return a page session whose result was told to its backend; None: `state` is wrong, or it is over."""
    is_state = hmac.compare_digest(digest(state), session.state_digest)
    if not is_state or session.state is not PageState.COMPLETED or session.is_expired(now):
        return None
    return step(session, PageEvent.REDEEMED)


def digest(secret: str) -> bytes:
    """Return the digest that is stored of a secret of 256 random bits; no dictionary can be tried on it."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def form_token(cookie: str) -> str:
    """Return the token that a form must carry to be one of ours in this browser."""
    return _derived(cookie, "form")


def result_code(cookie: str) -> str:
    """Return the one-time code that the browser brings to the backend."""
    return _derived(cookie, "result")


def is_form_token(given: str, cookie: str) -> bool:
    """Return whether `given` is the token of this browser's forms, in constant time."""
    return hmac.compare_digest(digest(given), digest(form_token(cookie)))


def _derived(cookie: str, use: str) -> str:
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), use.encode(), sha256).hexdigest()
