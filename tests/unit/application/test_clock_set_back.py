"""A clock that was wrong is set back: nothing waits, and nothing lives, longer for it."""

from datetime import timedelta

import pytest

from tests.unit.application.conftest import ADMIN, NUMBER, SPACED, TESTER, Bench
from tests.unit.application.test_guesses import ask, exhaust, issue
from voicegate.application.clients import NewKey
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.sign_in import Issued
from voicegate.application.store_port import FactorRecord
from voicegate.domain.challenge import GuessResult, VerifyResult
from voicegate.domain.client import Scope
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def set_back(bench: Bench) -> None:
    bench.clock.time -= HOUR


async def test_a_resend_waits_no_longer_than_its_wait(bench: Bench) -> None:
    bench.challenge_service.policy = SPACED
    enrolled = await bench.enrollment.enroll(EnrollRequest(TESTER, "alice", Destination.parse(NUMBER)))
    assert isinstance(enrolled, FactorRecord)
    assert enrolled.challenge is not None
    await bench.settled(enrolled.challenge.challenge.id)
    set_back(bench)
    for _ in range(2):
        refused = await bench.enrollment.resend(TESTER, enrolled.factor.id)
        assert refused == Deny(DenyReason.TOO_SOON, 30 * SECOND)
    bench.clock.time += 30 * SECOND
    again = await bench.enrollment.resend(TESTER, enrolled.factor.id)
    assert isinstance(again, FactorRecord)
    assert again.challenge is not None
    await bench.settled(again.challenge.challenge.id)
    # Both count: the second wait is the longer one.
    bench.clock.time += 59 * SECOND
    assert await bench.enrollment.resend(TESTER, enrolled.factor.id) == Deny(DenyReason.TOO_SOON, SECOND)


async def test_a_record_of_a_call_stays_as_it_was(bench: Bench) -> None:
    challenge_id = await issue(bench)
    before = await bench.challenges.look(ADMIN, challenge_id)
    set_back(bench)
    await ask(bench)
    after = await bench.challenges.look(ADMIN, challenge_id)
    assert before is not None
    assert after is not None
    assert after.calls == before.calls


async def test_a_number_gets_a_new_code_after_one_window(bench: Bench) -> None:
    await exhaust(bench)
    set_back(bench)
    refused = await ask(bench)
    assert refused == Deny(DenyReason.TOO_MANY_GUESSES, HOUR)
    bench.clock.time += HOUR
    assert isinstance(await ask(bench), Issued)


@pytest.mark.parametrize("grace", [timedelta(), timedelta(minutes=10)])
async def test_a_rotated_key_does_not_live_on(bench: Bench, grace: timedelta) -> None:
    old = await bench.clients.add(ADMIN, "backend", frozenset({Scope.HOOKS}))
    assert isinstance(old, NewKey)
    await bench.clients.rotate(ADMIN, "backend", grace)
    set_back(bench)
    await bench.store.expire(bench.clock.time)
    is_alive = [await bench.clients.authenticate(old.key, "req_1") is not None]
    bench.clock.time += grace
    is_alive.append(await bench.clients.authenticate(old.key, "req_1") is not None)
    assert is_alive == [bool(grace), False]


async def test_a_key_whose_grace_was_over_stays_dead(bench: Bench) -> None:
    old = await bench.clients.add(ADMIN, "backend", frozenset({Scope.HOOKS}))
    assert isinstance(old, NewKey)
    await bench.clients.rotate(ADMIN, "backend", 60 * SECOND)
    bench.clock.time += 60 * SECOND
    await bench.store.expire(bench.clock.time)
    set_back(bench)
    assert await bench.clients.authenticate(old.key, "req_1") is None


async def test_a_code_lives_no_longer_than_its_life(bench: Bench) -> None:
    first = await issue(bench)
    bench.clock.time += SECOND
    second = await issue(bench)
    set_back(bench)
    await bench.store.expire(bench.clock.time)
    newest = await bench.challenges.newest(TESTER, NUMBER)
    assert newest is not None
    assert newest.challenge.id == second
    bench.clock.time += 298 * SECOND
    for challenge_id in (first, second):
        result = await bench.sign_in.verify(TESTER, challenge_id, Passcode("0000"))
        assert isinstance(result, VerifyResult)
        assert result.result is GuessResult.DENIED
    bench.clock.time += 2 * SECOND
    for challenge_id in (first, second):
        result = await bench.sign_in.verify(TESTER, challenge_id, Passcode(bench.code(challenge_id)))
        assert isinstance(result, VerifyResult)
        assert result.result is GuessResult.EXPIRED
