"""What one request allows its call: a price, a time in the queue; and what a dry run decides."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.application.conftest import OTHER, TESTER, UNHURRIED, Bench
from tests.unit.application.scripted import answers
from tests.unit.application.test_spending import RATES, cap, rings, spent, worst
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.enrollment import EnrollRequest, FactorKey
from voicegate.application.pending_call import ANY_CODE, NO_TERMS, CallTerms, CodeRequest
from voicegate.application.queueing import CallLimits
from voicegate.application.sign_in import CalledAgain, Issued, IssueRequest, WouldCall
from voicegate.application.store_port import FactorRecord, Transaction
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.call_outcome import GaveUp
from voicegate.domain.factor import Factor, FactorState
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason
from voicegate.domain.policy.spend import Cap, Cost


def request(number: str = "+12025550101", **terms: object) -> IssueRequest:
    spec = ChallengeSpec(Destination(number), terms=CallTerms(**terms))  # type: ignore[arg-type]
    return IssueRequest(TESTER, spec)


async def test_a_call_that_could_cost_more_than_its_request_allows_is_not_placed(bench: Bench) -> None:
    cap(bench)
    refused = await bench.sign_in.issue(request(max_price=worst(bench).micros - 1))
    assert isinstance(refused, Deny)
    assert (refused.reason, refused.rule) == (DenyReason.PRICE_TOO_HIGH, "max_price")
    assert isinstance(await bench.sign_in.issue(request(max_price=worst(bench).micros)), Issued)


async def test_a_price_that_nobody_knows_is_too_high(bench: Bench) -> None:
    refused = await bench.sign_in.issue(request(max_price=10**9))
    assert isinstance(refused, Deny)
    assert refused.reason is DenyReason.PRICE_UNKNOWN


class TestOneLine:
    @pytest.fixture
    def limits(self) -> CallLimits:
        return CallLimits(in_progress=1)

    async def test_a_call_that_waited_longer_than_it_may_is_not_placed(self, bench: Bench) -> None:
        bench.pbx.plots = [rings]
        await bench.issue()
        issued = await bench.sign_in.issue(request("+12025550111", ttl=timedelta(milliseconds=50)))
        assert isinstance(issued, Issued)
        record = await asyncio.wait_for(bench.settled(issued.record.challenge.id), 20)
        hangup = record.calls[0].hangup
        assert hangup is not None
        assert hangup.gave_up is GaveUp.QUEUE_TIMEOUT
        assert len(bench.pbx.legs) == 1


async def test_a_call_that_has_a_line_in_time_is_placed(bench: Bench) -> None:
    bench.pbx.plots = [answers]
    issued = await bench.sign_in.issue(request(ttl=timedelta(minutes=10)))
    assert isinstance(issued, Issued)
    assert str((await bench.settled(issued.record.challenge.id)).calls[0].outcome).find("DELIVERED") > 0


async def test_a_dry_run_decides_all_and_leaves_nothing_but_its_audit_entry(bench: Bench) -> None:
    cap(bench, client=Cap(micros=worst(bench).micros))
    assert isinstance(await bench.sign_in.dry_run(request()), WouldCall)
    found = await bench.sign_in.dry_run(request())
    assert isinstance(found, WouldCall)
    assert found.pending.reservation is not None
    assert found.pending.reservation.quotes[0].worst == worst(bench)
    assert await spent(bench) == Cost()
    assert not await bench.store.recent_calls(1)
    assert not bench.pbx.legs
    entry = (await bench.audit.entries(1))[0]
    assert (entry.action, entry.decision, entry.subject) == ("verification.dry_run", "allowed", None)


async def test_a_dry_run_is_refused_as_the_call_would_be(bench: Bench) -> None:
    cap(bench, client=Cap(micros=worst(bench).micros))
    bench.pbx.plots = [rings]
    await bench.issue()
    refused = await bench.sign_in.dry_run(request("+12025550111"))
    assert isinstance(refused, Deny)
    assert (refused.reason, refused.rule) == (DenyReason.SPEND_LIMITED, "spend.money_per_client")
    bench.challenge_service.policy = replace(UNHURRIED, spend=replace(UNHURRIED.spend, rates=RATES))
    barred = await bench.sign_in.dry_run(request("+442079460123"))
    assert isinstance(barred, Deny)
    assert barred.reason is DenyReason.COUNTRY_NOT_ALLOWED


async def enrolled(bench: Bench) -> FactorRecord:
    """Alice's active factor."""
    enrolling = EnrollRequest(TESTER, "alice", Destination("+12025550101"))
    record = await bench.enrollment.enroll(enrolling)
    assert isinstance(record, FactorRecord)
    assert record.challenge is not None
    await bench.settled(record.challenge.challenge.id)
    code = Passcode(bench.code(record.challenge.challenge.id))
    await bench.enrollment.activate(TESTER, record.factor.id, code)
    bench.clock.time += timedelta(seconds=1)
    return record


async def test_every_call_of_a_factor_keeps_the_price_of_its_request(bench: Bench) -> None:
    cap(bench)
    dear, fair = (CallTerms(max_price=worst(bench).micros + more) for more in (-1, 0))
    enrolling = EnrollRequest(TESTER, "alice", Destination("+12025550101"), wanted=CodeRequest(terms=dear))
    too_high = Deny(DenyReason.PRICE_TOO_HIGH)
    assert await bench.enrollment.enroll(enrolling) == too_high
    pending = await bench.enrollment.enroll(replace(enrolling, wanted=CodeRequest(terms=fair)))
    assert isinstance(pending, FactorRecord)
    assert pending.challenge is not None
    await bench.settled(pending.challenge.challenge.id)
    factor_id = pending.factor.id
    assert await bench.enrollment.resend(TESTER, factor_id, wanted=CodeRequest(terms=dear)) == too_high
    resent = await bench.enrollment.resend(TESTER, factor_id, wanted=CodeRequest(terms=fair))
    assert isinstance(resent, FactorRecord)
    await bench.settled(pending.challenge.challenge.id)
    code = Passcode(bench.code(pending.challenge.challenge.id))
    await bench.enrollment.activate(TESTER, factor_id, code)
    bench.clock.time += timedelta(seconds=1)
    assert await bench.enrollment.challenge(TESTER, factor_id, CodeRequest(terms=dear)) == too_high
    called = await bench.enrollment.challenge(TESTER, factor_id, CodeRequest(terms=fair))
    assert isinstance(called, FactorRecord)


async def test_another_call_keeps_the_price_of_its_own_request(bench: Bench) -> None:
    cap(bench)
    challenge_id = await bench.issue()
    await bench.settled(challenge_id)
    dear = CallTerms(max_price=worst(bench).micros - 1)
    for refused in (
        await bench.app.dry_runs.redial(TESTER, challenge_id, dear),
        await bench.sign_in.redial(TESTER, challenge_id, dear),
    ):
        assert refused == Deny(DenyReason.PRICE_TOO_HIGH)
    assert isinstance(await bench.app.dry_runs.redial(TESTER, challenge_id, NO_TERMS), WouldCall)
    assert isinstance(await bench.app.dry_runs.redial(OTHER, challenge_id, NO_TERMS), NotFound)
    assert isinstance(await bench.sign_in.redial(TESTER, challenge_id), CalledAgain)


async def test_a_dry_run_of_a_factor_changes_nothing_and_leaves_its_audit_entry(bench: Bench) -> None:
    cap(bench)
    record = await enrolled(bench)
    calls, before = await bench.store.recent_calls(9), await spent(bench)
    found = await bench.app.dry_runs.challenge(TESTER, FactorKey(record.factor.id), ANY_CODE)
    assert isinstance(found, WouldCall)
    assert found.pending.reservation is not None
    assert await bench.store.recent_calls(9) == calls
    assert await spent(bench) == before
    entry = (await bench.audit.entries(1))[0]
    assert (entry.action, entry.decision, entry.subject) == ("factor.dry_run", "allowed", record.factor.id)
    assert (entry.subscriber, entry.trunk) == ("alice", "carrier")
    assert isinstance(await bench.app.dry_runs.challenge(TESTER, FactorKey("fac_none"), ANY_CODE), NotFound)
    bench.challenge_service.policy = replace(UNHURRIED, allowed_countries=frozenset())
    refused = await bench.app.dry_runs.challenge(TESTER, FactorKey(record.factor.id), ANY_CODE)
    assert isinstance(refused, Deny)
    assert refused.reason is DenyReason.COUNTRY_NOT_ALLOWED


async def test_a_factor_that_a_dry_run_finds_spent_is_not_locked_by_it(bench: Bench) -> None:
    record = await enrolled(bench)
    await bench.store.transact(lambda tx: tx.save_factor(replace(activated(tx, record), failures=99)))
    refused = await bench.app.dry_runs.challenge(TESTER, FactorKey(record.factor.id), ANY_CODE)
    assert refused == Deny(DenyReason.FACTOR_LOCKED)
    after = await bench.factors.get(TESTER, record.factor.id)
    assert after is not None
    assert after.factor.state is FactorState.ACTIVE


def activated(tx: Transaction, record: FactorRecord) -> Factor:
    factor = tx.factor(record.factor.id)
    assert factor is not None
    return factor
