"""A service's code is sent: one challenge a telephone, called again while it is open."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.application.conftest import ADMIN, NUMBER, OTHER, TESTER, Bench, trunk
from tests.unit.application.scripted import ScriptedLeg
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.listing import ServiceCallFilter, Summary
from voicegate.application.service_calls import ServiceCalls
from voicegate.application.sign_in import Ended, Issued, OtherCode
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.call import Rang
from voicegate.domain.challenge import ChallengeState, GuessResult, VerifyResult
from voicegate.domain.client import Principal
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason
from voicegate.domain.routing import Routes


def wanted(service: str | None = "bank", own: Passcode | None = None) -> ChallengeSpec:
    return ChallengeSpec(Destination(NUMBER), passcode=own, service=service)


async def send(bench: Bench, principal: Principal = TESTER, service: str = "bank") -> str:
    sent = await bench.sign_in.send(principal, wanted(service))
    assert isinstance(sent, Issued)
    await bench.settled(sent.record.challenge.id)
    return sent.record.challenge.id


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


async def test_asked_at_once_one_call_is_placed(bench: Bench) -> None:
    bench.pbx.plots = [rings]
    answers = await asyncio.gather(*(bench.sign_in.send(TESTER, wanted()) for _ in range(20)))
    assert sum(isinstance(answer, Issued) for answer in answers) == 1
    assert answers.count(Deny(DenyReason.CALL_IN_PROGRESS, timedelta(seconds=30))) == 19
    await asyncio.sleep(0)
    assert len(bench.pbx.legs) <= 1


async def test_clients_and_services_have_challenges_of_their_own(bench: Bench) -> None:
    made = [await send(bench), await send(bench, OTHER), await send(bench, service="shop")]
    made.append(await bench.issue())
    await bench.settled(made[-1])
    assert len(set(made)) == 4
    assert [await send(bench), await send(bench, OTHER), await send(bench, service="shop")] == made[:3]


@pytest.mark.parametrize("ending", ["verified", "canceled", "approved", "expired"])
async def test_after_its_end_another_one_is_issued(bench: Bench, ending: str) -> None:
    first = await send(bench)
    if ending == "verified":
        await bench.sign_in.verify(TESTER, first, Passcode(bench.code(first)))
    elif ending == "canceled":
        await bench.sign_in.cancel(TESTER, first)
    elif ending == "approved":
        await bench.sign_in.approve(TESTER, first)
    else:
        bench.clock.time += timedelta(seconds=300)
    assert await send(bench) != first


async def test_a_locked_one_stands_in_the_way_until_its_time_is_over(bench: Bench) -> None:
    first = await send(bench)
    for _ in range(5):
        await bench.sign_in.verify(TESTER, first, Passcode("0000"))
    bench.clock.time += timedelta(seconds=100)
    refused = await bench.sign_in.send(TESTER, wanted())
    assert refused == Deny(DenyReason.TOO_MANY_GUESSES, timedelta(seconds=200))
    bench.clock.time += timedelta(seconds=200)
    assert await send(bench) != first


async def test_the_last_call_tells_when_it_ends(bench: Bench) -> None:
    for _ in range(5):
        await send(bench)
    bench.clock.time += timedelta(seconds=60)
    refused = await bench.sign_in.send(TESTER, wanted())
    assert refused == Deny(DenyReason.TOO_MANY_CALLS, timedelta(seconds=240))


async def test_approving_is_the_owners_and_not_for_what_is_over(bench: Bench) -> None:
    challenge_id = await send(bench)
    assert await bench.sign_in.approve(OTHER, challenge_id) == NotFound()
    approved = await bench.sign_in.approve(TESTER, challenge_id)
    assert isinstance(approved, Ended)
    assert approved.challenge.state is ChallengeState.VERIFIED
    result = await bench.sign_in.verify(TESTER, challenge_id, Passcode(bench.code(challenge_id)))
    assert isinstance(result, VerifyResult)
    assert result.result is GuessResult.ALREADY_USED
    canceled = await send(bench)
    await bench.sign_in.cancel(TESTER, canceled)
    still = await bench.sign_in.approve(TESTER, canceled)
    assert isinstance(still, Ended)
    assert still.challenge.state is ChallengeState.CANCELED


async def test_a_client_counts_its_own_calls_and_an_admin_all(bench: Bench) -> None:
    service_calls = ServiceCalls(bench.store)
    await send(bench)
    await send(bench, OTHER)
    for principal, count in ((TESTER, 1), (OTHER, 1), (ADMIN, 2)):
        assert await service_calls.summarise(principal, ServiceCallFilter()) == Summary(count, 0)
        found = await service_calls.list(principal, ServiceCallFilter(), 10)
        assert len(found) == count
        assert await service_calls.find(principal, found[0].record.call.id) is not None
    assert await service_calls.summarise(ADMIN, ServiceCallFilter(country="US")) == Summary(2, 0)
    assert await service_calls.summarise(ADMIN, ServiceCallFilter(country="CA")) == Summary(0, 0)


async def test_a_code_of_ours_cannot_be_guessed_by_sending_it_as_ones_own(bench: Bench) -> None:
    code = Passcode(bench.code(await send(bench)))
    wrong = Passcode("000000" if code.digits != "000000" else "111111")
    for own in (code, wrong):
        assert await bench.sign_in.send(TESTER, wanted(own=own)) == OtherCode()


async def test_that_a_call_is_a_test_is_its_trunks_fact_not_its_name(bench: Bench) -> None:
    named = replace(trunk("test numbers"), pbx=bench.rules.routes.trunks[0].pbx)
    for own, is_test in ((named, False), (replace(named, name="other", is_test=True), True)):
        calling = bench.rebuilt(routes=Routes((own,)))
        async with calling.app.delivery:
            (call,) = (await calling.settled(await calling.issue(NUMBER))).calls
        assert (call.call.trunk, call.call.is_test) == (own.name, is_test)
        found = await bench.store.challenge(call.call.challenge_id)
        assert found is not None
        assert found.calls[0].call.is_test == is_test
        bench.clock.time += timedelta(hours=2)
