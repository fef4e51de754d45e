"""What every `Store` promises, on every database in `conftest`: challenges, guesses and requests."""

import asyncio
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from tests.contract.conftest import Opener
from tests.contract.making import (
    LIFETIME,
    NOW,
    add_call,
    make_call,
    make_challenge,
    open_challenge,
    read,
    update_challenge,
    with_steps,
)
from voicegate.application.ports import (
    CallRecord,
    ChallengeRecord,
    IdempotencyKey,
    Replay,
)
from voicegate.application.store_port import Store
from voicegate.domain import challenge as challenges
from voicegate.domain.challenge import Challenge, ChallengeEvent, ChallengeState, GuessResult
from voicegate.domain.errors import StoreError
from voicegate.lab.deadlines import at_most


async def revision(store: Store) -> int:
    return (await read(store)).revision


def unchanged(challenge: Challenge) -> tuple[Challenge, str]:
    return challenge, "looked"


def miss(challenge: Challenge) -> tuple[Challenge, challenges.VerifyResult]:
    return challenges.verify(challenge, NOW, is_match=False)


async def test_what_was_opened_comes_back_as_it_was(store: Store) -> None:
    assert await open_challenge(store, make_challenge(), make_call(), None) is None
    assert await store.challenge("ver_1") == ChallengeRecord(
        make_challenge(), [CallRecord(make_call())], revision=0
    )


async def test_a_challenge_without_the_optional_parts_comes_back_too(store: Store) -> None:
    bare = make_challenge(sealed=None, reference=None)
    await open_challenge(store, bare, make_call(), None)
    assert (await read(store)).challenge == bare


async def test_digits_to_compare_come_back_after_a_change_too(store: Store) -> None:
    await open_challenge(store, make_challenge(matching_digits="07"), make_call(), None)
    assert await update_challenge(store, "ver_1", miss) is not None
    found = (await read(store)).challenge
    assert (found.matching_digits, found.guesses_left) == ("07", 4)


async def test_what_is_stored_is_there_after_reopening(opener: Opener, tmp_path: Path) -> None:
    async with opener(tmp_path) as store:
        await open_challenge(store, make_challenge(), make_call(), None)
        before = await store.challenge("ver_1")
    async with opener(tmp_path) as store:
        assert await store.challenge("ver_1") == before


async def test_moments_are_kept_to_the_microsecond_in_utc(store: Store) -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    await open_challenge(store, make_challenge(issued_at=elsewhere), make_call(), None)
    issued_at = (await read(store)).challenge.issued_at
    assert issued_at == NOW
    assert issued_at.utcoffset() == timedelta()


async def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(StoreError):
        await open_challenge(store, make_challenge(issued_at=NOW.replace(tzinfo=None)), make_call(), None)


async def test_the_unknown_is_none(store: Store) -> None:
    assert await store.challenge("ver_1") is None
    assert await store.call("call_1") is None
    assert await update_challenge(store, "ver_1", unchanged) is None
    assert await add_call(store, "ver_1", lambda record: (record.challenge, None, "seen")) is None
    assert list(await store.recent_calls(10)) == []
    assert list(await store.live_calls()) == []


async def test_an_id_is_stored_once(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    with pytest.raises(StoreError):
        await open_challenge(store, make_challenge(), make_call("2"), None)
    with pytest.raises(StoreError):
        await open_challenge(store, make_challenge("2"), make_call(challenge="2"), None)
    assert await store.challenge("ver_2") is None


KEY = IdempotencyKey("tester", "word", b"fingerprint")


async def test_a_repeated_request_is_answered_with_the_first_challenge(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), KEY)
    replay = await open_challenge(store, make_challenge("2"), make_call("2", "2"), KEY)
    assert replay == Replay("ver_1", is_same_request=True)
    assert await store.challenge("ver_2") is None


async def test_the_same_word_for_another_request_is_noticed(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), KEY)
    other = replace(KEY, fingerprint=b"another")
    assert await open_challenge(store, make_challenge("2"), make_call("2", "2"), other) == Replay(
        "ver_1", is_same_request=False
    )


async def test_the_same_word_of_another_client_is_another_word(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), KEY)
    assert (
        await open_challenge(store, make_challenge("2"), make_call("2", "2"), replace(KEY, client="other"))
        is None
    )


async def test_of_many_requests_at_once_with_one_word_one_is_stored(store: Store) -> None:
    answers = await asyncio.gather(
        *(open_challenge(store, make_challenge(str(n)), make_call(str(n), str(n)), KEY) for n in range(20))
    )
    assert answers.count(None) == 1
    assert len({answer.challenge_id for answer in answers if answer}) == 1
    assert len(await store.recent_calls(100)) == 1


async def test_a_changed_challenge_is_stored_and_the_answer_returned(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    result = await update_challenge(store, "ver_1", miss)
    assert result is not None
    assert result.result is GuessResult.DENIED
    assert (await read(store)).challenge.guesses_left == 4


async def test_fifty_right_guesses_at_once_give_one_success(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)

    def guess(challenge: Challenge) -> tuple[Challenge, challenges.VerifyResult]:
        return challenges.verify(challenge, NOW, is_match=True)

    results = await asyncio.gather(*(update_challenge(store, "ver_1", guess) for _ in range(50)))
    came_to = [result.result for result in results if result]
    assert came_to.count(GuessResult.VERIFIED) == 1
    assert came_to.count(GuessResult.ALREADY_USED) == 49


async def test_fifty_wrong_guesses_at_once_use_five_attempts_and_no_more(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    results = await asyncio.gather(*(update_challenge(store, "ver_1", miss) for _ in range(50)))
    came_to = [result.result for result in results if result]
    assert came_to.count(GuessResult.DENIED) == 4
    assert came_to.count(GuessResult.LOCKED) == 46
    assert (await read(store)).challenge.state is ChallengeState.LOCKED


async def test_a_challenge_that_is_over_has_no_sealed_code_any_more(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    await update_challenge(
        store, "ver_1", lambda challenge: (challenges.step(challenge, ChallengeEvent.CANCELED), None)
    )
    assert (await read(store)).challenge.sealed is None


async def test_a_change_that_fails_changes_nothing_and_passes_through(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    before = await read(store)

    def fail(challenge: Challenge) -> tuple[Challenge, None]:
        raise LookupError(challenge.id)

    with pytest.raises(LookupError, match="ver_1"):
        await update_challenge(store, "ver_1", fail)
    assert await read(store) == before


async def test_a_failed_write_leaves_those_beside_it_alone(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    answers = await asyncio.gather(
        open_challenge(store, make_challenge("2"), make_call("2", "2"), None),
        open_challenge(store, make_challenge("1"), make_call("3"), None),
        open_challenge(store, make_challenge("3"), make_call("3", "3"), None),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [type(None), StoreError, type(None)]
    assert (await read(store, "ver_3")).calls[0].call.id == "call_3"


async def test_a_revision_grows_with_every_change_and_only_then(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    seen = [await revision(store)]
    await update_challenge(store, "ver_1", miss)
    seen.append(await revision(store))
    await store.record(with_steps(make_call(), 1))
    seen.append(await revision(store))
    await add_call(store, "ver_1", lambda record: (record.challenge, make_call("2"), None))
    seen.append(await revision(store))
    await store.expire(NOW + LIFETIME)
    seen.append(await revision(store))
    assert seen == sorted(set(seen))
    await update_challenge(store, "ver_1", unchanged)
    await add_call(store, "ver_1", lambda record: (record.challenge, None, None))
    assert await revision(store) == seen[-1]


@pytest.mark.parametrize("state", sorted(ChallengeState))
async def test_expiry_is_what_the_domain_says_it_is(store: Store, state: ChallengeState) -> None:
    challenge = make_challenge(state=state)
    await open_challenge(store, challenge, make_call(), None)
    assert await store.expire(challenge.expires_at - timedelta(microseconds=1)) == 0
    assert (await read(store)).challenge == challenge
    expected = challenges.expire(challenge, challenge.expires_at)
    assert await store.expire(challenge.expires_at) == (expected != challenge)
    assert (await read(store)).challenge == expected
    assert await store.expire(challenge.expires_at) == 0


async def test_a_write_whose_caller_was_cancelled_still_happens(opener: Opener, tmp_path: Path) -> None:
    async with opener(tmp_path) as store:
        writing = asyncio.create_task(open_challenge(store, make_challenge(), make_call(), None))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await open_challenge(store, make_challenge("2"), make_call("2", "2"), None)
        assert await store.challenge("ver_1") is not None


async def test_closing_finishes_what_is_queued(opener: Opener, tmp_path: Path) -> None:
    async with opener(tmp_path) as store:
        writing = [
            asyncio.create_task(
                open_challenge(store, make_challenge(str(n)), make_call(str(n), str(n)), None)
            )
            for n in range(100)
        ]
        await asyncio.sleep(0)
    assert await asyncio.gather(*writing) == [None] * 100
    async with opener(tmp_path) as store:
        assert len(await store.recent_calls(1000)) == 100


async def test_a_closed_store_says_so(opener: Opener, tmp_path: Path) -> None:
    async with opener(tmp_path) as store:
        pass
    with pytest.raises(StoreError):
        await store.challenge("ver_1")
    with pytest.raises(StoreError):
        await open_challenge(store, make_challenge(), make_call(), None)


async def test_the_loop_runs_on_while_a_write_takes_its_time(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    loop, turned = asyncio.get_running_loop(), asyncio.Event()

    def wait_for_the_loop(challenge: Challenge) -> tuple[Challenge, None]:
        # Would wait for ever, were this the loop's own thread.
        asyncio.run_coroutine_threadsafe(turned.wait(), loop).result(timeout=at_most(30))
        return challenge, None

    writing = asyncio.create_task(update_challenge(store, "ver_1", wait_for_the_loop))
    assert await store.challenge("ver_1") is not None
    turned.set()
    await writing
