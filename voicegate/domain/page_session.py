"""One visit of a person to our pages: what they came for, how far they are, and what came of it.

A backend makes it and sends the person to its one-time URL; the browser that opens the URL first is the only
one that it is for. At the end that browser carries a one-time result code back to the backend, which redeems
it together with the `state` that it kept beside that browser's own session: so neither a URL nor a code that
somebody else got hold of is worth anything. Of all these secrets only digests are kept; what a browser needs
again and again follows from its cookie. Source: RFC 6749 section 10.12 and RFC 9700 (state, one-time codes).
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
"""How long the URL may wait for its browser."""
SESSION_LIFETIME: Final = timedelta(minutes=30)
"""How long the pages may be used from then on."""
RESULT_LIFETIME: Final = timedelta(minutes=5)
"""How long the result code counts."""


class PagePurpose(StrEnum):
    """What a person is sent to the pages for."""

    ENROLL = "enroll"
    """To set up their telephone."""
    SIGN_IN = "sign_in"
    """To prove that they hold it; without one that is active, to set it up."""
    MANAGE = "manage"
    """To look at it, and to replace it."""


class PageState(StrEnum):
    """How far a page session is."""

    CREATED = "created"
    """Its URL waits for a browser."""
    OPENED = "opened"
    """A browser has it."""
    COMPLETED = "completed"
    """Something came of it, which the backend has not asked for yet."""
    REDEEMED = "redeemed"
    """The backend knows."""


class PageEvent(StrEnum):
    """What can happen to a page session."""

    OPENED = "opened"
    COMPLETED = "completed"
    REDEEMED = "redeemed"


class PageResult(StrEnum):
    """What came of a page session."""

    ENROLLED = "enrolled"
    """The person set their telephone up, which proves it too."""
    SIGNED_IN = "signed_in"
    """They proved that they hold it."""
    REPLACED = "replaced"
    """They set up another one in place of it."""
    NOT_ME = "not_me"
    """They say that what they see was not their doing."""


_S = PageState
_E = PageEvent
TRANSITIONS: Final[Mapping[tuple[PageState, PageEvent], PageState]] = {
    (_S.CREATED, _E.OPENED): _S.OPENED,
    (_S.OPENED, _E.COMPLETED): _S.COMPLETED,
    (_S.COMPLETED, _E.REDEEMED): _S.REDEEMED,
}
"""Every pair that may occur, and the state that follows."""


@dataclass(frozen=True, slots=True)
class PageSession:
    """One visit of a person to our pages."""

    id: str
    """Public id, part of every page's path."""
    client: str
    """Who sent the person."""
    subscriber: str
    """The person, by the client's own name for them."""
    purpose: PagePurpose
    """What for."""
    created_at: datetime
    """When it was made."""
    expires_at: datetime
    """From then on its URL, its pages or its result code count no more; moves with its state."""
    url_digest: bytes = field(repr=False)
    """Digest of the URL's secret."""
    state_digest: bytes = field(repr=False)
    """Digest of the `state` that the backend keeps beside the browser."""
    state: PageState = PageState.CREATED
    """How far it is."""
    return_url: str | None = None
    """Where the person goes at the end; None: nowhere, they close the page."""
    alternative_url: str | None = None
    """Where the backend offers another way than the telephone; None: nowhere."""
    language: str | None = None
    """Language tag of pages and calls; None: as the browser asks."""
    reference: str | None = None
    """The client's own note, given back as it came."""
    cookie_digest: bytes | None = field(default=None, repr=False)
    """Digest of the browser's cookie; None: no browser has it yet."""
    result_digest: bytes | None = field(default=None, repr=False)
    """Digest of the result code; None: nothing came of it yet."""
    factor_id: str | None = None
    """The factor that was called from it; None: none yet."""
    challenge_id: str | None = None
    """The challenge whose code was called from it; None: none yet."""
    call_again_at: datetime | None = None
    """From when on it may call again; None: at any time."""
    consent_version: str | None = None
    """Which text the person agreed to before a number was enrolled; None: none."""
    consent_at: datetime | None = None
    """When they did."""
    result: PageResult | None = None
    """What came of it; None: nothing yet."""
    completed_at: datetime | None = None
    """When that was."""

    def is_expired(self, now: datetime) -> bool:
        """Is its time over?"""
        return now >= self.expires_at

    def is_for(self, cookie: str) -> bool:
        """Is that the cookie of the browser that opened it? Takes the same time whatever the cookie."""
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
    """Return a page session that the browser with that cookie has from `now` on, for `lifetime`."""
    opened = step(session, PageEvent.OPENED)
    return replace(opened, cookie_digest=digest(cookie), expires_at=now + lifetime)


def complete(session: PageSession, result: PageResult, now: datetime, *, cookie: str) -> PageSession:
    """Return a page session of which something came; its result code follows from the browser's cookie."""
    completed = step(session, PageEvent.COMPLETED)
    return replace(
        completed,
        result=result,
        completed_at=now,
        expires_at=now + RESULT_LIFETIME,
        result_digest=digest(result_code(cookie)),
    )


def redeem(session: PageSession, state: str, now: datetime) -> PageSession | None:
    """Return a page session whose result was told to its backend; None: it is not to be told."""
    is_state = hmac.compare_digest(digest(state), session.state_digest)
    if not is_state or session.state is not PageState.COMPLETED or session.is_expired(now):
        return None
    return step(session, PageEvent.REDEEMED)


def digest(secret: str) -> bytes:
    """Return what is kept of a secret of 256 random bits: no dictionary can be tried on it."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def form_token(cookie: str) -> str:
    """Return what a form must carry to be one of ours in this browser."""
    return _derived(cookie, "form")


def result_code(cookie: str) -> str:
    """Return the one-time code that the browser takes back to the backend."""
    return _derived(cookie, "result")


def is_form_token(given: str, cookie: str) -> bool:
    """Is that the token of this browser's forms? Takes the same time whatever is given."""
    return hmac.compare_digest(digest(given), digest(form_token(cookie)))


def _derived(cookie: str, use: str) -> str:
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), use.encode(), sha256).hexdigest()
