"""A factor's hundred failures in a row: they stop new codes, never the right one of a code that is out."""

from dataclasses import replace

from tests.unit.application.conftest import TESTER, Bench
from tests.unit.application.test_enrollment import (
    LIFE,
    challenge,
    code,
    enroll_and_activate,
    factor,
    guess_result,
    request,
    settled,
    wrong,
)
from voicegate.application.store_port import FactorRecord, Transaction
from voicegate.domain.challenge import GuessResult
from voicegate.domain.factor import FactorState
from voicegate.domain.passcode import Passcode
from voicegate.domain.policy import Deny, DenyReason


async def fail(bench: Bench, factor_id: str, failures: int) -> None:
    """Let a factor have that many failures in a row."""

    def work(tx: Transaction) -> None:
        factor = tx.factor(factor_id)
        assert factor is not None
        tx.save_factor(replace(factor, failures=failures))

    await bench.store.transact(work)


async def test_the_hundredth_failure_in_a_row_locks_until_a_reset(bench: Bench) -> None:
    record = await enroll_and_activate(bench)
    signing_in = await challenge(bench, record.factor.id)
    await settled(bench, signing_in)
    await fail(bench, record.factor.id, 99)
    factor_id, guess = record.factor.id, wrong(bench, signing_in)
    assert await guess_result(bench, factor_id, guess) is GuessResult.DENIED
    assert (await factor(bench, factor_id)).state is FactorState.LOCKED
    bench.clock.time += LIFE
    locked = Deny(DenyReason.FACTOR_LOCKED)
    assert await bench.enrollment.verify(TESTER, factor_id, Passcode(code(bench, signing_in))) == locked
    assert await bench.enrollment.challenge(TESTER, factor_id) == locked
    assert await bench.enrollment.enroll(request()) == locked
    assert await bench.enrollment.reset(TESTER, factor_id) is not None
    assert isinstance(await bench.enrollment.enroll(request()), FactorRecord)


async def test_a_code_that_is_out_when_its_factor_locks_still_signs_in_and_unlocks_it(bench: Bench) -> None:
    record = await enroll_and_activate(bench)
    signing_in = await challenge(bench, record.factor.id)
    await fail(bench, record.factor.id, 99)
    factor_id = record.factor.id
    assert await guess_result(bench, factor_id, wrong(bench, signing_in)) is GuessResult.DENIED
    assert (await factor(bench, factor_id)).state is FactorState.LOCKED
    assert await guess_result(bench, factor_id, code(bench, signing_in)) is GuessResult.VERIFIED
    found = await factor(bench, factor_id)
    assert (found.state, found.failures) == (FactorState.ACTIVE, 0)


async def test_no_code_is_said_whose_guesses_would_be_more_than_a_hundred_in_a_row(bench: Bench) -> None:
    record = await enroll_and_activate(bench)
    await fail(bench, record.factor.id, 96)
    refused = await bench.enrollment.challenge(TESTER, record.factor.id)
    assert refused == Deny(DenyReason.FACTOR_LOCKED)
    assert (await factor(bench, record.factor.id)).state is FactorState.LOCKED
