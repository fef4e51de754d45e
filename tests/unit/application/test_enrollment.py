"""Enroll, activate, sign in, reset: the whole life of a subscriber's telephone."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.application.conftest import ADMIN, NUMBER, OTHER, SPACED, TESTER, Bench
from tests.unit.application.scripted import ScriptedLeg, answers
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.factor_answers import FactorReset
from voicegate.application.store_port import FactorRecord
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.announcement import Digit
from voicegate.domain.call import Rang
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.challenge import ChallengeState, GuessResult, Purpose, VerifyResult
from voicegate.domain.client import Principal
from voicegate.domain.factor import LIVING_STATES, Factor, FactorState
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason

SPACING = timedelta(seconds=30)
LIFE = timedelta(seconds=300)
IN_PROGRESS = Deny(DenyReason.CALL_IN_PROGRESS, timedelta(seconds=30))
ANOTHER = "+12125550101"


@pytest.fixture(autouse=True)
def spaced(bench: Bench) -> None:
    bench.challenge_service.policy = SPACED


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


async def busy(leg: ScriptedLeg) -> None:
    leg.tell(Hangup(17, 486))


def request(
    number: str = NUMBER, extension: str | None = None, *, principal: Principal = TESTER, **more: object
) -> EnrollRequest:
    destination = Destination.parse(number, extension)
    return EnrollRequest(principal, "alice", destination, **more)  # type: ignore[arg-type]


async def enroll(bench: Bench, *args: str, **more: object) -> FactorRecord:
    record = await bench.enrollment.enroll(request(*args, **more))  # type: ignore[arg-type]
    assert isinstance(record, FactorRecord), record
    return record


def code(bench: Bench, record: FactorRecord) -> str:
    assert record.challenge is not None
    return bench.code(record.challenge.challenge.id)


def wrong(bench: Bench, record: FactorRecord) -> str:
    return "000000" if code(bench, record) != "000000" else "111111"


async def settled(bench: Bench, record: FactorRecord) -> None:
    assert record.challenge is not None
    await bench.settled(record.challenge.challenge.id)


async def enroll_and_activate(bench: Bench, **more: object) -> FactorRecord:
    """An active factor, half a minute after its activation call."""
    record = await enroll(bench, **more)
    await settled(bench, record)
    assert await activate(bench, record) is GuessResult.VERIFIED
    bench.clock.time += SPACING
    return replace(record, factor=await factor(bench, record.factor.id))


async def activate(bench: Bench, record: FactorRecord) -> GuessResult:
    result = await bench.enrollment.activate(TESTER, record.factor.id, Passcode(code(bench, record)))
    assert isinstance(result, VerifyResult), result
    return result.result


async def factor(bench: Bench, factor_id: str) -> Factor:
    record = await bench.factors.get(TESTER, factor_id)
    assert record is not None
    return record.factor


async def challenge(bench: Bench, factor_id: str) -> FactorRecord:
    record = await bench.enrollment.challenge(TESTER, factor_id)
    assert isinstance(record, FactorRecord), record
    return record


async def guess_result(bench: Bench, factor_id: str, guess: str) -> GuessResult:
    result = await bench.enrollment.verify(TESTER, factor_id, Passcode(guess))
    assert isinstance(result, VerifyResult), result
    return result.result


async def test_a_telephone_is_called_with_its_extension_activated_and_signed_in_with(bench: Bench) -> None:
    record = await enroll(bench, NUMBER, "204")
    assert record.factor.state is FactorState.PENDING_ACTIVATION
    await settled(bench, record)
    assert "send 204" in bench.pbx.legs[0].done
    assert await activate(bench, record) is GuessResult.VERIFIED
    assert (await factor(bench, record.factor.id)).state is FactorState.ACTIVE
    bench.clock.time += SPACING
    again = await challenge(bench, record.factor.id)
    await settled(bench, again)
    assert code(bench, again) != code(bench, record)
    assert await guess_result(bench, record.factor.id, code(bench, again)) is GuessResult.VERIFIED
    assert await guess_result(bench, record.factor.id, code(bench, again)) is GuessResult.ALREADY_USED


async def test_the_answer_tells_how_the_call_went(bench: Bench) -> None:
    bench.pbx.plots = [busy]
    record = await enroll(bench)
    await settled(bench, record)
    seen = await bench.factors.get(TESTER, record.factor.id)
    assert seen is not None
    assert seen.challenge is not None
    (call,) = seen.challenge.calls
    assert call.outcome is not None
    assert (call.outcome.outcome, call.call.caller_id) == ("busy", "+12025550100")
    assert seen.challenge.challenge.state is ChallengeState.UNDELIVERABLE


async def test_a_code_says_by_itself_that_its_time_is_over(bench: Bench) -> None:
    record = await enroll(bench)
    await settled(bench, record)
    bench.clock.time += timedelta(seconds=300)
    (seen,) = await bench.factors.list(TESTER, "alice")
    assert seen == await bench.factors.get(TESTER, record.factor.id)
    assert seen.challenge is not None
    assert seen.challenge.challenge.state is ChallengeState.EXPIRED


async def test_the_same_telephone_again_is_the_same_factor_called_again_when_it_may_be(bench: Bench) -> None:
    first = await enroll(bench)
    await settled(bench, first)
    at_once = await enroll(bench)
    bench.clock.time += SPACING
    later = await enroll(bench)
    await settled(bench, later)
    assert {first.factor.id} == {at_once.factor.id, later.factor.id}
    assert code(bench, later) == code(bench, first)
    assert len(bench.pbx.legs) == 2


async def test_two_enrollments_at_once_give_one_factor_and_one_call(bench: Bench) -> None:
    given = await asyncio.gather(*(enroll(bench) for _ in range(10)))
    assert len({record.factor.id for record in given}) == 1
    await settled(bench, given[0])
    assert len(bench.pbx.legs) == 1
    assert len(await bench.factors.list(TESTER, "alice")) == 1


async def test_two_telephones_at_once_give_one_factor(bench: Bench) -> None:
    given = await asyncio.gather(
        *(bench.enrollment.enroll(request(number)) for number in (NUMBER, ANOTHER) * 5)
    )
    factors = {record.factor.id for record in given if isinstance(record, FactorRecord)}
    assert len(factors) == 1
    assert given.count(Deny(DenyReason.ALREADY_ENROLLED)) == 5


@pytest.mark.parametrize(("number", "extension"), [(ANOTHER, None), (NUMBER, "204")])
async def test_another_telephone_is_refused_unless_it_replaces(
    bench: Bench, number: str, extension: str | None
) -> None:
    first = await enroll_and_activate(bench)
    refused = await bench.enrollment.enroll(request(number, extension))
    assert refused == Deny(DenyReason.ALREADY_ENROLLED)
    second = await bench.enrollment.enroll(request(number, extension, replaces=LIVING_STATES))
    assert isinstance(second, FactorRecord)
    assert second.factor.id != first.factor.id
    assert second.factor.state is FactorState.PENDING_ACTIVATION
    assert await bench.factors.get(TESTER, first.factor.id) is None
    assert [one.factor for one in await bench.factors.list(TESTER, "alice")] == [second.factor]


async def test_a_replacement_that_is_refused_leaves_the_old_factor_alive(bench: Bench) -> None:
    first = await enroll_and_activate(bench)
    refused = await bench.enrollment.enroll(request("+19002345678", replaces=LIVING_STATES))
    assert refused == Deny(DenyReason.NUMBER_TYPE_NOT_ALLOWED)
    kept = await bench.factors.get(TESTER, first.factor.id)
    assert kept is not None
    assert kept.factor.state is FactorState.ACTIVE


async def test_a_resend_repeats_the_code_half_a_minute_after_the_call_was_queued(bench: Bench) -> None:
    record = await enroll(bench)
    await settled(bench, record)
    bench.clock.time += SPACING - timedelta(seconds=1)
    refused = await bench.enrollment.resend(TESTER, record.factor.id)
    assert refused == Deny(DenyReason.TOO_SOON, timedelta(seconds=1))
    bench.clock.time += timedelta(seconds=1)
    again = await bench.enrollment.resend(TESTER, record.factor.id)
    assert isinstance(again, FactorRecord)
    await settled(bench, again)
    spoken = {
        "".join(part.value for part in said if isinstance(part, Digit)) for _, said in bench.speech.said
    }
    assert spoken == {code(bench, record)}


async def test_a_resend_after_the_codes_life_says_another_one(bench: Bench) -> None:
    record = await enroll(bench, activation_lifetime=timedelta(seconds=40))
    await settled(bench, record)
    bench.clock.time += timedelta(seconds=40)
    assert await activate(bench, record) is GuessResult.EXPIRED
    again = await bench.enrollment.resend(TESTER, record.factor.id)
    assert isinstance(again, FactorRecord)
    assert code(bench, again) != code(bench, record)
    assert again.challenge is not None
    fresh = again.challenge.challenge
    assert fresh.expires_at - fresh.issued_at == timedelta(seconds=40)


async def test_a_telephone_that_rings_is_not_called_again(bench: Bench) -> None:
    bench.pbx.plots = [rings]
    record = await enroll(bench)
    bench.clock.time += SPACING
    assert await bench.enrollment.resend(TESTER, record.factor.id) == IN_PROGRESS
    bench.clock.time += LIFE
    assert await bench.enrollment.resend(TESTER, record.factor.id) == IN_PROGRESS


async def test_a_resend_after_five_wrong_guesses_says_another_code(bench: Bench) -> None:
    record = await enroll(bench)
    await settled(bench, record)
    factor_id, guess = record.factor.id, wrong(bench, record)
    seen = [await bench.enrollment.activate(TESTER, factor_id, Passcode(guess)) for _ in range(6)]
    results = [one.result for one in seen if isinstance(one, VerifyResult)]
    assert results == [GuessResult.DENIED] * 4 + [GuessResult.LOCKED] * 2
    bench.clock.time += SPACING
    again = await bench.enrollment.resend(TESTER, factor_id)
    assert isinstance(again, FactorRecord)
    assert code(bench, again) != code(bench, record)
    assert await activate(bench, again) is GuessResult.VERIFIED


async def test_an_activations_code_that_is_replayed_says_so(bench: Bench) -> None:
    record = await enroll_and_activate(bench)
    assert await activate(bench, record) is GuessResult.ALREADY_USED


async def test_a_second_challenge_repeats_the_open_ones_code(bench: Bench) -> None:
    record = await enroll_and_activate(bench)
    first = await challenge(bench, record.factor.id)
    await settled(bench, first)
    bench.clock.time += SPACING
    second = await challenge(bench, record.factor.id)
    assert second.challenge is not None
    assert code(bench, second) == code(bench, first)
    assert len(second.challenge.calls) == 2
    assert second.challenge.challenge.purpose is Purpose.SIGN_IN


async def test_what_a_state_has_no_use_for_is_refused(bench: Bench) -> None:
    record = await enroll(bench)
    factor_id = record.factor.id
    assert await bench.enrollment.challenge(TESTER, factor_id) == Deny(DenyReason.NOT_ACTIVE)
    assert await bench.enrollment.verify(TESTER, factor_id, Passcode("123456")) == Deny(DenyReason.NOT_ACTIVE)
    await settled(bench, record)
    await bench.enrollment.activate(TESTER, factor_id, Passcode(code(bench, record)))
    assert await bench.enrollment.resend(TESTER, factor_id) == Deny(DenyReason.NOT_PENDING)
    assert await bench.enrollment.verify(TESTER, factor_id, Passcode("123456")) == Deny(
        DenyReason.NO_CHALLENGE
    )


async def test_fifty_right_codes_at_once_sign_in_once(bench: Bench) -> None:
    record = await enroll_and_activate(bench)
    signing_in = await challenge(bench, record.factor.id)
    guess = code(bench, signing_in)
    given = await asyncio.gather(*(guess_result(bench, record.factor.id, guess) for _ in range(50)))
    assert Counter(given) == {GuessResult.VERIFIED: 1, GuessResult.ALREADY_USED: 49}


async def test_a_reset_ends_the_code_and_hangs_up_at_once(bench: Bench) -> None:
    bench.pbx.plots = [answers, rings]
    record = await enroll_and_activate(bench)
    signing_in = await challenge(bench, record.factor.id)
    assert signing_in.challenge is not None
    dead = await bench.enrollment.reset(TESTER, record.factor.id)
    assert isinstance(dead, FactorReset)
    assert dead.factor.state is FactorState.RESET
    ended = await bench.settled(signing_in.challenge.challenge.id)
    assert ended.challenge.state is ChallengeState.CANCELED
    assert ended.calls[0].outcome is not None
    assert ended.calls[0].outcome.outcome == "canceled"
    guess = code(bench, signing_in)
    assert await bench.enrollment.verify(TESTER, record.factor.id, Passcode(guess)) == NotFound()
    assert await bench.enrollment.challenge(TESTER, record.factor.id) == NotFound()
    assert await bench.enrollment.reset(TESTER, record.factor.id) == NotFound()
    result = await bench.sign_in.verify(TESTER, signing_in.challenge.challenge.id, Passcode(guess))
    assert isinstance(result, VerifyResult)
    assert result.result is GuessResult.CANCELED


async def test_a_reset_hangs_up_the_call_of_a_code_that_was_entered_already(bench: Bench) -> None:
    bench.pbx.plots = [rings]
    record = await enroll(bench)
    await bench.enrollment.activate(TESTER, record.factor.id, Passcode(code(bench, record)))
    await bench.enrollment.reset(TESTER, record.factor.id)
    assert record.challenge is not None
    ended = await bench.settled(record.challenge.challenge.id)
    assert ended.challenge.state is ChallengeState.VERIFIED


async def test_after_a_reset_enrollment_begins_again(bench: Bench) -> None:
    first = await enroll_and_activate(bench)
    await bench.enrollment.reset(TESTER, first.factor.id)
    second = await enroll(bench)
    assert second.factor.id != first.factor.id
    assert second.factor.state is FactorState.PENDING_ACTIVATION


async def test_a_reset_does_not_buy_another_call(bench: Bench) -> None:
    record = await enroll(bench)
    await settled(bench, record)
    await bench.enrollment.reset(TESTER, record.factor.id)
    assert await bench.enrollment.enroll(request()) == Deny(DenyReason.TOO_SOON, SPACING)
    assert isinstance(await bench.enrollment.enroll(request(ANOTHER)), FactorRecord)


async def test_an_admin_resets_every_clients_factor_of_a_subscriber_and_a_client_its_own(
    bench: Bench,
) -> None:
    mine = await enroll(bench)
    await settled(bench, mine)
    others = await enroll(bench, principal=OTHER)
    assert [factor.id for factor in (await bench.enrollment.reset_all(OTHER, "alice")).factors] == [
        others.factor.id
    ]
    assert await bench.factors.get(TESTER, mine.factor.id) is not None
    assert [factor.id for factor in (await bench.enrollment.reset_all(ADMIN, "alice")).factors] == [
        mine.factor.id
    ]
    assert await bench.factors.list(ADMIN, "alice") == []


async def test_somebody_elses_factor_is_as_if_it_were_not_there(bench: Bench) -> None:
    record = await enroll(bench)
    factor_id, guess = record.factor.id, Passcode(code(bench, record))
    use, factors = bench.enrollment, bench.factors
    assert await factors.get(OTHER, factor_id) is None
    assert await factors.list(OTHER, "alice") == []
    assert await use.activate(OTHER, factor_id, guess) == NotFound()
    assert await use.resend(OTHER, factor_id) == NotFound()
    assert await use.challenge(OTHER, factor_id) == NotFound()
    assert await use.reset(OTHER, factor_id) == NotFound()
    assert await factors.get(ADMIN, factor_id) is not None


async def test_a_shared_number_is_counted_over_all_clients(bench: Bench) -> None:
    first = await enroll(bench)
    assert first.sharing == 1
    await settled(bench, first)
    second = await enroll(bench, principal=OTHER)
    assert second.sharing == 2
    await bench.enrollment.reset(TESTER, first.factor.id)
    seen = await bench.factors.get(OTHER, second.factor.id)
    assert seen is not None
    assert seen.sharing == 1


async def test_a_right_guess_at_the_plain_door_activates_too(bench: Bench) -> None:
    record = await enroll(bench)
    assert record.challenge is not None
    await bench.sign_in.verify(TESTER, record.challenge.challenge.id, Passcode(code(bench, record)))
    seen = await bench.factors.get(TESTER, record.factor.id)
    assert seen is not None
    assert seen.factor.state is FactorState.ACTIVE
