"""Issue, verify, redial, cancel, look: each one transaction, whatever happens at the same time."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.contract.making import open_challenge
from tests.unit.application.conftest import NUMBER, OTHER, TESTER, Bench
from tests.unit.application.scripted import ScriptedLeg, answers
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.housekeeping import settle_orphans
from voicegate.application.pending_call import PendingCall
from voicegate.application.ports import CallRecord, ChallengeRecord, IdempotencyKey
from voicegate.application.sign_in import CalledAgain, Issued, IssueRequest
from voicegate.application.store_port import FactorRecord
from voicegate.application.unit_of_work import KeyReused, NotFound
from voicegate.domain.announcement import Digit
from voicegate.domain.call import Answered, Invited, KeyPressed, Originated, Rang
from voicegate.domain.call_outcome import Blame, CallOutcome, GaveUp, Hangup, Outcome
from voicegate.domain.challenge import GuessResult, VerifyResult
from voicegate.domain.client import Principal
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason
from voicegate.lab.deadlines import within


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


async def busy(leg: ScriptedLeg) -> None:
    leg.tell(Hangup(17, 486))


def request(number: str = NUMBER, key: tuple[str, bytes] | None = None) -> IssueRequest:
    idempotency = IdempotencyKey("tester", *key) if key else None
    return IssueRequest(TESTER, ChallengeSpec(Destination.parse(number)), idempotency)


async def test_the_right_code_verifies_once(bench: Bench) -> None:
    challenge_id = await bench.issue()
    results = [
        (await bench.sign_in.verify(TESTER, challenge_id, Passcode(bench.code(challenge_id)))).result  # type: ignore[union-attr]
        for _ in range(2)
    ]
    assert results == [GuessResult.VERIFIED, GuessResult.ALREADY_USED]


async def test_fifty_right_guesses_at_once_give_one_success(bench: Bench) -> None:
    challenge_id = await bench.issue()
    guess = Passcode(bench.code(challenge_id))
    results = await asyncio.gather(*(bench.sign_in.verify(TESTER, challenge_id, guess) for _ in range(50)))
    counted = Counter(result.result for result in results if isinstance(result, VerifyResult))
    assert counted == {GuessResult.VERIFIED: 1, GuessResult.ALREADY_USED: 49}


async def test_twenty_wrong_guesses_at_once_cost_five_attempts(bench: Bench) -> None:
    challenge_id = await bench.issue()
    wrong = Passcode("000000" if bench.code(challenge_id) != "000000" else "111111")
    results = await asyncio.gather(*(bench.sign_in.verify(TESTER, challenge_id, wrong) for _ in range(20)))
    counted = Counter(result.result for result in results if isinstance(result, VerifyResult))
    assert counted == {GuessResult.DENIED: 4, GuessResult.LOCKED: 16}


async def test_after_its_life_the_code_is_worth_nothing(bench: Bench) -> None:
    challenge_id = await bench.issue(lifetime=timedelta(seconds=20))
    bench.clock.time += timedelta(seconds=20)
    result = await bench.sign_in.verify(TESTER, challenge_id, Passcode(bench.code(challenge_id)))
    assert isinstance(result, VerifyResult)
    assert result.result is GuessResult.EXPIRED


async def test_a_challenge_nobody_made_is_unknown(bench: Bench) -> None:
    assert await bench.sign_in.verify(TESTER, "ver_none", Passcode("123456")) == NotFound()
    assert await bench.sign_in.redial(TESTER, "ver_none") == NotFound()
    assert await bench.sign_in.cancel(TESTER, "ver_none") == NotFound()
    assert await bench.challenges.look(TESTER, "ver_none", wait=timedelta(seconds=5)) is None


async def test_a_redial_says_the_same_code(bench: Bench) -> None:
    bench.pbx.plots = [busy, answers]
    challenge_id = await bench.issue()
    await bench.settled(challenge_id)
    assert isinstance(await bench.sign_in.redial(TESTER, challenge_id), CalledAgain)
    record = await bench.settled(challenge_id)
    assert record.challenge.state == "delivered"
    spoken = {
        "".join(part.value for part in reading if isinstance(part, Digit)) for _, reading in bench.speech.said
    }
    assert spoken == {bench.code(challenge_id)}


@pytest.mark.parametrize("principal", [TESTER, OTHER], ids=["the same", "another"])
async def test_nobody_calls_a_telephone_again_that_a_silent_trunk_may_still_ring(
    bench: Bench, principal: Principal
) -> None:
    """Whoever asks, until no INVITE can arrive any more; then it is called."""

    async def silent(leg: ScriptedLeg) -> None:
        leg.tell(Hangup(gave_up=GaveUp.RING_TIMEOUT))

    bench.pbx.plots = [silent, answers]
    record = await bench.settled(await bench.issue())
    assert record.calls[0].outcome == CallOutcome(Outcome.TRUNK_SILENT, Blame.TRUNK, retry_safe=False)
    bench.clock.time += timedelta(seconds=2)
    wanted = IssueRequest(principal, ChallengeSpec(Destination(NUMBER)))
    refused = await bench.sign_in.issue(wanted)
    assert isinstance(refused, Deny)
    assert (refused.reason, refused.retry_after) == (DenyReason.CALL_IN_PROGRESS, timedelta(seconds=30))
    bench.clock.time += timedelta(seconds=30)
    assert isinstance(await bench.sign_in.issue(wanted), Issued)


async def test_a_redial_waits_for_the_call_in_progress(bench: Bench) -> None:
    bench.pbx.plots = [rings]
    challenge_id = await bench.issue()
    answers_at_once = await asyncio.gather(*(bench.sign_in.redial(TESTER, challenge_id) for _ in range(5)))
    assert answers_at_once == [Deny(DenyReason.CALL_IN_PROGRESS, timedelta(seconds=30))] * 5


async def test_of_many_redials_at_once_one_rings(bench: Bench) -> None:
    bench.pbx.plots = [busy, rings]
    challenge_id = await bench.issue()
    await bench.settled(challenge_id)
    given = await asyncio.gather(*(bench.sign_in.redial(TESTER, challenge_id) for _ in range(10)))
    assert sum(isinstance(answer, CalledAgain) for answer in given) == 1


async def test_the_sixth_call_for_one_code_is_refused(bench: Bench) -> None:
    bench.pbx.plots = [busy]
    challenge_id = await bench.issue()
    for _ in range(4):
        await bench.settled(challenge_id)
        assert isinstance(await bench.sign_in.redial(TESTER, challenge_id), CalledAgain)
    await bench.settled(challenge_id)
    assert await bench.sign_in.redial(TESTER, challenge_id) == Deny(DenyReason.TOO_MANY_CALLS)


async def test_only_who_gets_another_code_is_told_when_to_ask_for_a_call_again(bench: Bench) -> None:
    bench.challenge_service.policy = replace(bench.challenge_service.policy, max_calls=1)
    bound = await bench.enrollment.enroll(EnrollRequest(TESTER, "alice", Destination.parse(NUMBER)))
    assert isinstance(bound, FactorRecord)
    assert bound.challenge is not None
    await bench.settled(bound.challenge.challenge.id)
    bench.clock.time += timedelta(seconds=60)
    redialed = await bench.sign_in.redial(TESTER, bound.challenge.challenge.id)
    assert redialed == Deny(DenyReason.TOO_MANY_CALLS)
    resent = await bench.enrollment.resend(TESTER, bound.factor.id)
    assert resent == Deny(DenyReason.TOO_MANY_CALLS, timedelta(seconds=240))


async def test_a_destination_that_is_not_allowed_any_more_is_not_called_again(bench: Bench) -> None:
    challenge_id = await bench.issue()
    await bench.settled(challenge_id)
    bench.challenge_service.policy = replace(
        bench.challenge_service.policy, allowed_countries=frozenset({"GB"})
    )
    refused = await bench.sign_in.redial(TESTER, challenge_id)
    assert refused == Deny(DenyReason.COUNTRY_NOT_ALLOWED)
    assert len(bench.pbx.legs) == 1


async def test_a_closed_challenge_is_not_called_again(bench: Bench) -> None:
    challenge_id = await bench.issue()
    await bench.settled(challenge_id)
    await bench.sign_in.verify(TESTER, challenge_id, Passcode(bench.code(challenge_id)))
    assert await bench.sign_in.redial(TESTER, challenge_id) == Deny(DenyReason.NOT_OPEN)


async def test_a_callers_own_code_is_sealed_spoken_and_erased(bench: Bench) -> None:
    challenge_id = await bench.issue(passcode=Passcode("90210"))
    record = await bench.settled(challenge_id)
    assert record.challenge.sealed is not None
    assert b"90210" not in record.challenge.sealed
    ((_, reading),) = bench.speech.said
    assert "".join(part.value for part in reading if isinstance(part, Digit)) == "90210"
    result = await bench.sign_in.verify(TESTER, challenge_id, Passcode("90210"))
    assert isinstance(result, VerifyResult)
    assert result.result is GuessResult.VERIFIED
    after = await bench.challenges.look(TESTER, challenge_id)
    assert after is not None
    assert after.challenge.sealed is None


async def test_the_same_key_and_request_give_the_same_challenge_and_one_call(bench: Bench) -> None:
    given = await asyncio.gather(*(bench.sign_in.issue(request(key=("k", b"1"))) for _ in range(10)))
    issued = [answer for answer in given if isinstance(answer, Issued)]
    assert len({answer.record.challenge.id for answer in issued}) == 1
    assert Counter(answer.is_replay for answer in issued) == {False: 1, True: 9}
    await bench.settled(issued[0].record.challenge.id)
    assert len(bench.pbx.legs) == 1


async def test_the_same_key_for_another_request_is_refused(bench: Bench) -> None:
    await bench.sign_in.issue(request(key=("k", b"1")))
    assert await bench.sign_in.issue(request("+12125550101", key=("k", b"2"))) == KeyReused()


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("+442079460101", DenyReason.COUNTRY_NOT_ALLOWED),
        ("+19002345678", DenyReason.NUMBER_TYPE_NOT_ALLOWED),
        ("4021", DenyReason.NO_ROUTE),
    ],
)
async def test_a_destination_that_is_not_allowed_rings_nowhere(
    bench: Bench, number: str, reason: DenyReason
) -> None:
    assert await bench.sign_in.issue(request(number)) == Deny(reason)
    assert bench.pbx.legs == []


async def test_a_look_returns_when_something_changes(bench: Bench) -> None:
    bench.pbx.plots = [rings]
    challenge_id = await bench.issue()
    record = await bench.challenges.look(TESTER, challenge_id)
    while record and record.calls[0].call.state != "ringing":
        record = await bench.challenges.look(
            TESTER, challenge_id, since=record.revision, wait=timedelta(seconds=10)
        )
    assert record is not None
    waiting = asyncio.create_task(
        bench.challenges.look(TESTER, challenge_id, since=record.revision, wait=timedelta(seconds=10))
    )
    await bench.sign_in.verify(
        TESTER, challenge_id, Passcode("000000" if bench.code(challenge_id) != "000000" else "1111")
    )
    news = await waiting
    assert news is not None
    assert news.revision > record.revision
    assert news.challenge.guesses_left == 4


async def test_a_look_that_sees_no_change_returns_in_time(bench: Bench) -> None:
    bench.pbx.plots = [rings]
    challenge_id = await bench.issue()
    record = await bench.challenges.look(TESTER, challenge_id, since=10_000, wait=timedelta(milliseconds=20))
    assert record is not None


async def test_a_look_returns_when_the_challenges_time_is_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, is_read = bench.store, asyncio.Event()
    find = store.challenge

    async def noting(challenge_id: str) -> ChallengeRecord | None:
        found = await find(challenge_id)
        is_read.set()
        return found

    bench.pbx.plots = [busy]
    challenge_id = await bench.issue(lifetime=timedelta(milliseconds=50))
    seen = await bench.settled(challenge_id)
    monkeypatch.setattr(store, "challenge", noting)
    waiting = asyncio.create_task(
        bench.challenges.look(TESTER, challenge_id, since=seen.revision, wait=timedelta(seconds=60))
    )
    await is_read.wait()
    bench.clock.time += timedelta(milliseconds=50)
    async with within(10):
        record = await waiting
    assert record is not None
    assert record.challenge.state == "expired"


async def test_a_restart_settles_what_was_in_progress_and_calls_nobody(bench: Bench) -> None:
    store, now = bench.store, bench.clock.now()
    live = []
    for area, steps in (
        (202, (Originated(),)),
        (212, (Originated(), Rang(), Answered(), Invited(), KeyPressed())),
        (312, ()),
    ):
        pending = bench.challenge_service.prepare(
            ChallengeSpec(Destination.parse(f"+1{area}5550101")), "tester"
        )
        assert isinstance(pending, PendingCall)
        challenge, call = pending.challenge, pending.call
        await open_challenge(store, challenge, call)
        call_log = bench.app.calls.open(CallRecord(call), challenge)
        for step in steps:
            await call_log.write(step)
        live.append((challenge.id, call.id))
    settled = await settle_orphans(store=store, calls=bench.app.calls, pbxs=[bench.pbx], speech=bench.speech)
    assert settled == 3
    assert bench.pbx.legs == []
    assert set(bench.pbx.orphans) == {call_id for _, call_id in live}
    for challenge_id, _ in live:
        record = await store.challenge(challenge_id)
        assert record is not None
        assert record.calls[0].outcome.outcome == "interrupted"  # type: ignore[union-attr]
        assert record.calls[0].call.ended_at == now
        assert record.challenge.state == "undeliverable"
    assert bench.speech.swept == 1
