"""What every `Store` promises of page sessions, on every database in `conftest`."""

from dataclasses import replace
from datetime import timedelta

from tests.contract.making import NOW
from voicegate.application.retention import Kept
from voicegate.application.store_port import Store, Transaction
from voicegate.domain import page_session as pages
from voicegate.domain.page_session import PagePurpose, PageResult, PageSession

MINUTE = timedelta(minutes=1)


def made(name: str = "1") -> PageSession:
    return PageSession(
        id=f"pgs_{name}",
        client="web",
        subscriber="alice",
        purpose=PagePurpose.MANAGE,
        created_at=NOW,
        expires_at=NOW + MINUTE,
        url_digest=pages.digest("url"),
        state_digest=pages.digest("state"),
    )


def whole() -> PageSession:
    opened = pages.open_with(made(), "cookie", NOW, lifetime=MINUTE)
    noted = replace(
        opened,
        return_url="https://app.example/?a=b",
        alternative_url="https://app.example/other",
        language="de",
        reference="order № 7",
        factor_id="fac_1",
        challenge_id="ver_1",
        call_again_at=NOW + MINUTE,
        consent_version="1",
        consent_at=NOW,
    )
    return pages.complete(noted, PageResult.REPLACED, NOW, cookie="cookie")


async def save(store: Store, *sessions: PageSession) -> None:
    def work(tx: Transaction) -> None:
        for session in sessions:
            tx.save_page_session(session)

    await store.transact(work)


async def test_a_page_session_comes_back_as_it_was(store: Store) -> None:
    await save(store, made())
    assert await store.page_session("pgs_1") == made()
    await save(store, whole(), made("2"))
    assert await store.page_session("pgs_1") == whole()
    assert await store.transact(lambda tx: tx.page_session("pgs_1")) == whole()
    assert await store.page_session("pgs_3") is None


async def test_a_page_session_is_found_by_its_result_code(store: Store) -> None:
    await save(store, whole(), made("2"))
    digest = pages.digest(pages.result_code("cookie"))
    assert await store.transact(lambda tx: tx.page_session_of(digest)) == whole()
    assert await store.transact(lambda tx: tx.page_session_of(pages.digest("other"))) is None


async def test_a_page_session_is_kept_for_a_time_of_its_own(store: Store) -> None:
    await save(store, whole())
    moments = dict.fromkeys(("calls", "timelines", "audit", "webhooks", "recent"), NOW + MINUTE)
    assert await store.purge(Kept(page_sessions=NOW, **moments), 100) == 0
    assert await store.purge(Kept(page_sessions=NOW + MINUTE, **moments), 100) == 1
    assert await store.page_session("pgs_1") is None
