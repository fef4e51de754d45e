"""Page sessions: who may open one, what may be done in it, and to whom its result is told."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.application.conftest import ADMIN, NUMBER, OTHER, TESTER, Bench
from voicegate.application.clients import NewKey
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.factor_answers import FactorCalled, FactorGuess
from voicegate.application.listing import AuditFilter
from voicegate.application.page_queries import PageVisit
from voicegate.application.page_sessions import (
    LinkUsed,
    PageCreated,
    PageOpened,
    PageRequest,
    PageResultTold,
    PageRules,
    UnknownReturnUrl,
)
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.challenge import ChallengeState, GuessResult
from voicegate.domain.client import Principal, Scope
from voicegate.domain.factor import FactorState
from voicegate.domain.page_session import PagePurpose, PageResult, result_code
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason

BACK = "https://app.example/back"
RULES = PageRules({TESTER.name: frozenset({BACK})})
PHONE = Destination(NUMBER, "204")


@pytest.fixture
async def pages(bench: Bench) -> AsyncIterator[Bench]:
    rebuilt = bench.rebuilt(pages=RULES)
    async with rebuilt.delivery:
        yield rebuilt


async def created(
    bench: Bench, purpose: PagePurpose = PagePurpose.ENROLL, *, by: Principal = TESTER, **more: object
) -> PageCreated:
    request = PageRequest(subscriber="alice", purpose=purpose, **more)  # type: ignore[arg-type]
    answer = await bench.app.pages.create(by, request)
    assert isinstance(answer, PageCreated)
    return answer


async def opened(bench: Bench, made: PageCreated) -> PageVisit:
    answer = await bench.app.pages.open(PageVisit(made.session.id, ""), made.secret)
    assert isinstance(answer, PageOpened)
    assert answer.cookie
    return PageVisit(made.session.id, answer.cookie)


async def called(bench: Bench, visit: PageVisit, phone: Destination = PHONE) -> FactorCalled:
    answer = await bench.app.pages.enroll(visit, phone, language="en", consent_version="1")
    assert isinstance(answer, FactorCalled)
    return answer


async def guessed(bench: Bench, visit: PageVisit, code: str = "") -> FactorGuess:
    """A guess at the code that was called, the right one unless another is given."""
    view = await bench.app.page_queries.find(visit)
    assert view is not None
    guess = Passcode(code or bench.code(view.session.challenge_id or ""))
    answer = await bench.app.pages.guess(visit, guess)
    assert isinstance(answer, FactorGuess)
    return answer


async def enrolled(bench: Bench) -> str:
    """Alice's factor, which is active."""
    factor = await bench.enrollment.enroll(
        EnrollRequest(replace(ADMIN, name=TESTER.name), "alice", PHONE, is_proven=True)
    )
    assert isinstance(factor, FactorCalled)
    return factor.factor.id


async def test_a_person_enrolls_and_their_backend_is_told_once(pages: Bench) -> None:
    made = await created(pages, return_url=BACK, reference="order 7")
    visit = await opened(pages, made)
    await called(pages, visit)
    assert (await guessed(pages, visit)).result is GuessResult.VERIFIED
    code = result_code(visit.cookie)
    assert await pages.app.pages.redeem(OTHER, code, made.state) == NotFound()
    assert await pages.app.pages.redeem(TESTER, code, "another") == NotFound()
    told = await pages.app.pages.redeem(TESTER, code, made.state)
    assert isinstance(told, PageResultTold)
    assert (told.session.result, told.session.reference) == (PageResult.ENROLLED, "order 7")
    assert (told.session.consent_version, told.session.consent_at) == ("1", pages.clock.now())
    assert told.record is not None
    assert (told.record.factor.state, told.record.factor.destination) == (FactorState.ACTIVE, PHONE)
    assert await pages.app.pages.redeem(TESTER, code, made.state) == NotFound()


async def test_a_url_is_for_the_browser_that_opens_it_first(pages: Bench) -> None:
    made = await created(pages)
    ours = PageVisit(made.session.id, "planted by somebody")
    assert await pages.app.pages.open(ours, "guessed") == NotFound()
    first = await pages.app.pages.open(ours, made.secret)
    assert isinstance(first, PageOpened)
    assert first.cookie not in (None, "planted by somebody")
    assert await pages.app.pages.open(PageVisit(made.session.id, ""), made.secret) == LinkUsed()
    again = await pages.app.pages.open(PageVisit(made.session.id, first.cookie or ""), made.secret)
    assert isinstance(again, PageOpened)
    assert again.cookie is None
    entries = await pages.audit.entries(10, AuditFilter(action="page.open"))
    assert [entry.decision for entry in entries] == ["allowed", "link_used", "allowed"]


async def test_a_url_and_its_pages_have_their_time(pages: Bench) -> None:
    made = await created(pages)
    pages.clock.time += RULES.link_lifetime
    assert await pages.app.pages.open(PageVisit(made.session.id, ""), made.secret) == NotFound()
    visit = await opened(pages, await created(pages))
    pages.clock.time += RULES.session_lifetime
    assert await pages.app.page_queries.find(visit) is None
    answer = await pages.app.pages.enroll(visit, PHONE, language="en", consent_version="1")
    assert answer == NotFound()


async def test_people_are_sent_only_where_their_client_said(pages: Bench) -> None:
    for url in (BACK + "/", "https://evil.example/", BACK.upper()):
        asked = PageRequest(subscriber="alice", purpose=PagePurpose.ENROLL, return_url=url)
        assert await pages.app.pages.create(TESTER, asked) == UnknownReturnUrl()
    asked = PageRequest(subscriber="alice", purpose=PagePurpose.ENROLL, return_url=BACK)
    assert await pages.app.pages.create(OTHER, asked) == UnknownReturnUrl()


async def test_a_sign_in_calls_the_active_telephone(pages: Bench) -> None:
    await enrolled(pages)
    made = await created(pages, PagePurpose.SIGN_IN)
    visit = await opened(pages, made)
    assert isinstance(await pages.app.pages.call(visit), FactorCalled)
    wrong = await guessed(pages, visit, "0000000")
    assert (wrong.result, wrong.guesses_left) == (GuessResult.DENIED, 4)
    assert (await guessed(pages, visit)).result is GuessResult.VERIFIED
    told = await pages.app.pages.redeem(TESTER, result_code(visit.cookie), made.state)
    assert isinstance(told, PageResultTold)
    assert told.session.result is PageResult.SIGNED_IN


async def test_a_sign_in_without_a_telephone_leads_into_enrollment(pages: Bench) -> None:
    visit = await opened(pages, await created(pages, PagePurpose.SIGN_IN))
    await called(pages, visit)
    await guessed(pages, visit)
    view = await pages.app.page_queries.find(visit)
    assert view is not None
    assert view.session.result is PageResult.ENROLLED


async def test_only_who_manages_an_active_telephone_replaces_it(pages: Bench) -> None:
    first = await enrolled(pages)
    sign_in = await opened(pages, await created(pages, PagePurpose.SIGN_IN))
    other = Destination("+12025550102")
    answer = await pages.app.pages.enroll(sign_in, other, language="en", consent_version="1")
    assert answer == Deny(DenyReason.ALREADY_ENROLLED)
    asked = PageRequest(subscriber="alice", purpose=PagePurpose.ENROLL)
    assert await pages.app.pages.create(TESTER, asked) == Deny(DenyReason.ALREADY_ENROLLED)
    manage = await opened(pages, await created(pages, PagePurpose.MANAGE))
    assert (await called(pages, manage, other)).factor.id != first
    await guessed(pages, manage)
    view = await pages.app.page_queries.find(manage)
    assert view is not None
    assert view.session.result is PageResult.REPLACED
    assert view.record is not None
    assert view.record.factor.destination == other


async def test_a_mistyped_number_gives_way_and_its_call_ends(pages: Bench) -> None:
    visit = await opened(pages, await created(pages))
    mistyped = await called(pages, visit)
    assert mistyped.challenge is not None
    second = await called(pages, visit, Destination("+12025550102"))
    assert second.factor.id != mistyped.factor.id
    ended = await pages.settled(mistyped.challenge.challenge.id)
    assert ended.challenge.state is ChallengeState.CANCELED
    assert (await called(pages, visit, Destination("+12025550102"))).factor.id == second.factor.id


async def test_a_code_counts_only_where_it_was_called_from(pages: Bench) -> None:
    await enrolled(pages)
    visit = await opened(pages, await created(pages, PagePurpose.SIGN_IN))
    other = await opened(pages, await created(pages, PagePurpose.SIGN_IN))
    await pages.app.pages.call(visit)
    assert await pages.app.pages.guess(other, Passcode("123456")) == Deny(DenyReason.NO_CHALLENGE)
    assert (await guessed(pages, visit)).result is GuessResult.VERIFIED


async def test_guesses_are_counted_as_through_every_other_door(pages: Bench) -> None:
    await enrolled(pages)
    visit = await opened(pages, await created(pages, PagePurpose.SIGN_IN))
    await pages.app.pages.call(visit)
    for _ in range(4):
        assert (await guessed(pages, visit, "0000000")).result is GuessResult.DENIED
    assert (await guessed(pages, visit, "0000000")).result is GuessResult.LOCKED
    assert (await guessed(pages, visit)).result is GuessResult.LOCKED


async def test_it_was_not_me_ends_the_code_and_is_told(pages: Bench) -> None:
    await enrolled(pages)
    made = await created(pages, PagePurpose.SIGN_IN)
    visit = await opened(pages, made)
    answer = await pages.app.pages.call(visit)
    assert isinstance(answer, FactorCalled)
    assert answer.challenge is not None
    await pages.app.pages.disown(visit)
    record = await pages.settled(answer.challenge.challenge.id)
    assert record.challenge.state is ChallengeState.CANCELED
    told = await pages.app.pages.redeem(TESTER, result_code(visit.cookie), made.state)
    assert isinstance(told, PageResultTold)
    assert told.session.result is PageResult.NOT_ME
    assert await pages.app.pages.call(visit) == NotFound()


async def test_a_revoked_clients_pages_are_over(pages: Bench) -> None:
    added = await pages.clients.add(ADMIN, "backend", frozenset({Scope.FACTORS}))
    assert isinstance(added, NewKey)
    backend = Principal("backend", frozenset({Scope.FACTORS}), "req_9")
    visit = await opened(pages, await created(pages, by=backend))
    waiting = await created(pages, by=backend)
    await pages.clients.revoke(ADMIN, "backend")
    assert await pages.app.pages.call(visit) == NotFound()
    assert await pages.app.pages.open(PageVisit(waiting.session.id, ""), waiting.secret) == NotFound()


async def test_what_strangers_try_is_not_written_down(pages: Bench) -> None:
    made = await created(pages)
    await pages.app.pages.open(PageVisit("pgs_unknown", "x"), "y")
    await pages.app.pages.open(PageVisit(made.session.id, "x"), "y")
    await pages.app.pages.call(PageVisit(made.session.id, "x"))
    entries = await pages.audit.entries(10)
    assert [entry.action for entry in entries] == ["page.create"]


async def test_when_it_may_call_again_is_known(pages: Bench) -> None:
    spaced = pages.rebuilt(
        policy=replace(pages.rules.policy, call_spacing=(timedelta(seconds=30),)), pages=RULES
    )
    async with spaced.delivery:
        visit = await opened(spaced, await created(spaced))
        await called(spaced, visit)
        view = await spaced.app.page_queries.find(visit)
        assert view is not None
        assert view.session.call_again_at == spaced.clock.now() + timedelta(seconds=30)
