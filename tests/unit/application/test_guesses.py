"""Budgets of wrong guesses: a new verification, another door or another client buys none."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from tests.unit.application.conftest import ADMIN, NUMBER, OTHER, TESTER, Bench
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.proving import Wanted
from voicegate.application.sign_in import Issued, IssueRequest
from voicegate.application.storing import FactorRecord
from voicegate.domain.challenge import Verdict, VerifyResult
from voicegate.domain.client import Asker
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import GuessPolicy

WINDOW = timedelta(seconds=300)


async def issue(bench: Bench, asker: Asker = TESTER, number: str = NUMBER) -> str:
    issued = await bench.sign_in.issue(IssueRequest(asker, Wanted(Destination.parse(number))))
    assert isinstance(issued, Issued)
    return issued.record.challenge.id


async def guess(bench: Bench, challenge_id: str, *, right: bool = False) -> VerifyResult:
    code = bench.code(challenge_id)
    digits = code if right else "000000" if code != "000000" else "111111"
    result = await bench.sign_in.verify(ADMIN, challenge_id, digits)
    assert result is not None
    return result


async def spend(bench: Bench, challenge_id: str, wrong: int) -> None:
    for _ in range(wrong):
        await guess(bench, challenge_id)
        bench.clock.time += timedelta(seconds=1)


async def test_a_new_verification_buys_no_new_guesses(bench: Bench) -> None:
    await spend(bench, await issue(bench), 5)
    another = await issue(bench)
    result = await guess(bench, another, right=True)
    # The oldest of the five was made five seconds ago.
    assert result == VerifyResult(Verdict.TOO_MANY_GUESSES, 5, WINDOW - timedelta(seconds=5))
    bench.clock.time += WINDOW - timedelta(seconds=5)
    assert (await guess(bench, another, right=True)).verdict is Verdict.VERIFIED


async def test_a_guess_that_was_not_judged_costs_nothing(bench: Bench) -> None:
    first, second = await issue(bench), await issue(bench)
    await spend(bench, first, 4)
    await spend(bench, second, 1)
    for _ in range(10):
        assert (await guess(bench, second)).verdict is Verdict.TOO_MANY_GUESSES
    bench.clock.time += WINDOW - timedelta(seconds=5)
    third = await issue(bench)
    assert (await guess(bench, third, right=True)).verdict is Verdict.VERIFIED


async def test_a_number_has_one_budget_whoever_asks(bench: Bench) -> None:
    await spend(bench, await issue(bench, TESTER), 5)
    theirs = await issue(bench, OTHER)
    assert (await guess(bench, theirs, right=True)).verdict is Verdict.TOO_MANY_GUESSES
    elsewhere = await issue(bench, OTHER, "+12125550101")
    assert (await guess(bench, elsewhere, right=True)).verdict is Verdict.VERIFIED


async def test_a_client_has_one_budget_whatever_it_calls(bench: Bench) -> None:
    bench.proving.policy = replace(bench.proving.policy, guesses=GuessPolicy(per_client=8))
    await spend(bench, await issue(bench), 5)
    await spend(bench, await issue(bench, number="+12125550101"), 3)
    third = await issue(bench, number="+13125550101")
    assert (await guess(bench, third, right=True)).verdict is Verdict.TOO_MANY_GUESSES
    theirs = await issue(bench, OTHER, "+13125550101")
    assert (await guess(bench, theirs, right=True)).verdict is Verdict.VERIFIED


async def test_a_subscriber_has_one_budget_over_all_their_telephones(bench: Bench) -> None:
    for number, wrong in ((NUMBER, 3), ("+12125550101", 2)):
        destination = Destination.parse(number)
        bound = await bench.enrollment.enroll(EnrollRequest(TESTER, "alice", destination, replaces=True))
        assert isinstance(bound, FactorRecord)
        assert bound.challenge is not None
        await spend(bench, bound.challenge.challenge.id, wrong)
    (record,) = await bench.enrollment.list(TESTER, "alice")
    assert record.challenge is not None
    code = bench.code(record.challenge.challenge.id)
    result = await bench.enrollment.activate(TESTER, record.factor.id, code)
    assert isinstance(result, VerifyResult)
    assert result.verdict is Verdict.TOO_MANY_GUESSES
    assert record.factor.failures == 2


async def test_guesses_at_once_on_many_verifications_share_the_budget(bench: Bench) -> None:
    ids = [await issue(bench) for _ in range(10)]
    results = await asyncio.gather(*(guess(bench, one) for one in ids * 3))
    counted = Counter(result.verdict for result in results)
    assert counted == {Verdict.DENIED: 5, Verdict.TOO_MANY_GUESSES: 25}


async def test_wrong_guesses_are_forgotten_after_a_day(bench: Bench) -> None:
    store = bench.world.desk.store
    await spend(bench, await issue(bench), 1)
    began = bench.clock.time - timedelta(days=2)
    seen = []
    for later in (timedelta(hours=23), timedelta(hours=25)):
        await store.expire(bench.clock.time + later)
        seen.append(len(await store.transact(lambda tx: tx.wrong_guesses(began, 10, number=NUMBER))))
    assert seen == [1, 0]
