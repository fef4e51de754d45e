"""What one request allows its call: a price, a time in the queue; and what a dry run decides."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.application.conftest import TESTER, UNHURRIED, Bench
from tests.unit.application.scripted import answers
from tests.unit.application.test_spending import RATES, cap, rings, spent, worst
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.pending_call import CallTerms
from voicegate.application.queueing import CallLimits
from voicegate.application.sign_in import Issued, IssueRequest, WouldCall
from voicegate.domain.call_outcome import GaveUp
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
