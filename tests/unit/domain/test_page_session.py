"""The table of page sessions, and the secrets that browsers and backends hold."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from voicegate.domain import page_session as pages
from voicegate.domain.errors import InvalidTransition
from voicegate.domain.page_session import PageEvent, PagePurpose, PageResult, PageSession, PageState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NEXT = {
    (PageState.CREATED, PageEvent.OPENED): PageState.OPENED,
    (PageState.OPENED, PageEvent.COMPLETED): PageState.COMPLETED,
    (PageState.COMPLETED, PageEvent.REDEEMED): PageState.REDEEMED,
}


def made(**but: object) -> PageSession:
    session = PageSession(
        id="pgs_1",
        client="web",
        subscriber="alice",
        purpose=PagePurpose.SIGN_IN,
        created_at=NOW,
        expires_at=NOW + MINUTE,
        url_digest=pages.digest("url"),
        state_digest=pages.digest("state"),
    )
    return replace(session, **but)  # type: ignore[arg-type]


@pytest.mark.parametrize(("state", "event"), list(product(PageState, PageEvent)))
def test_every_pair_of_state_and_event_is_decided(state: PageState, event: PageEvent) -> None:
    session = made(state=state)
    if (state, event) in NEXT:
        assert pages.step(session, event).state is NEXT[state, event]
    else:
        with pytest.raises(InvalidTransition):
            pages.step(session, event)


def test_a_page_session_is_for_the_browser_that_opened_it() -> None:
    session = made()
    assert not session.is_for("")
    opened = pages.open_with(session, "cookie", NOW, lifetime=10 * MINUTE)
    assert opened.is_for("cookie")
    assert not opened.is_for("another")
    assert not opened.is_expired(NOW + 9 * MINUTE)
    assert opened.is_expired(NOW + 10 * MINUTE)


def test_a_result_is_told_once_for_its_state_and_not_for_long() -> None:
    opened = pages.open_with(made(), "cookie", NOW, lifetime=MINUTE)
    assert pages.redeem(opened, "state", NOW) is None
    done = pages.complete(opened, PageResult.SIGNED_IN, NOW, cookie="cookie")
    assert done.result_digest == pages.digest(pages.result_code("cookie"))
    assert pages.redeem(done, "another", NOW) is None
    assert pages.redeem(done, "state", NOW + pages.RESULT_LIFETIME) is None
    told = pages.redeem(done, "state", NOW + MINUTE)
    assert told is not None
    assert pages.redeem(told, "state", NOW + MINUTE) is None


def test_no_secret_of_a_browser_shows_another() -> None:
    derived = {pages.form_token("cookie"), pages.result_code("cookie"), "cookie"}
    assert len(derived) == 3
    assert pages.is_form_token(pages.form_token("cookie"), "cookie")
    assert not pages.is_form_token(pages.form_token("cookie"), "another")
    assert not pages.is_form_token("\udcff", "cookie")


def test_no_digest_shows_in_a_log() -> None:
    assert "digest" not in repr(pages.open_with(made(), "cookie", NOW, lifetime=MINUTE))
