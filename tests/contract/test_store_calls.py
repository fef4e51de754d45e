"""What every `Store` promises of calls and their timelines, on every database in `conftest`."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from tests.contract.making import (
    LIFETIME,
    NOW,
    add_call,
    make_call,
    make_challenge,
    make_entry,
    open_challenge,
    read,
    with_steps,
)
from voicegate.application.listing import CallFilter, Position
from voicegate.application.ports import CallRecord, ChallengeRecord
from voicegate.application.retention import Kept
from voicegate.application.store_port import Store, Transaction
from voicegate.domain import challenge as challenges
from voicegate.domain.call import Call, CallState, Evidence
from voicegate.domain.call_outcome import Blame, CallOutcome, GaveUp, Hangup, Outcome
from voicegate.domain.call_quality import CallQuality
from voicegate.domain.challenge import Challenge, ChallengeEvent, ChallengeState
from voicegate.domain.errors import StoreError
from voicegate.domain.policy import Counter, CounterKind


def admit_always(record: ChallengeRecord, call: Call) -> tuple[Challenge, Call, bool]:
    return record.challenge, call, True


def admit_up_to_five(record: ChallengeRecord, call: Call) -> tuple[Challenge, Call | None, bool]:
    is_room = len(record.calls) < 5
    return record.challenge, call if is_room else None, is_room


async def test_calls_of_a_challenge_come_oldest_first_with_their_timelines(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call("z"), None)
    for name in "yxw":
        await add_call(store, "ver_1", partial(admit_always, call=make_call(name)))
    await store.record(with_steps(make_call("x"), 3))
    record = await read(store)
    assert [entry.call.id for entry in record.calls] == ["call_z", "call_y", "call_x", "call_w"]
    assert [len(entry.timeline) for entry in record.calls] == [0, 0, 3, 0]
    assert list(record.calls[2].timeline) == [make_entry(1), make_entry(2), make_entry(3)]


async def test_admitting_sees_the_challenge_with_its_calls_and_changes_both(store: Store) -> None:
    await open_challenge(store, make_challenge(state=ChallengeState.UNDELIVERABLE), make_call(), None)
    await store.record(with_steps(make_call(), 2))
    seen: list[ChallengeRecord] = []

    def admit(record: ChallengeRecord) -> tuple[Challenge, Call, str]:
        seen.append(record)
        return challenges.step(record.challenge, ChallengeEvent.CALL_STARTED), make_call("2"), "admitted"

    before = await read(store)
    assert await add_call(store, "ver_1", admit) == "admitted"
    assert seen == [before]
    after = await read(store)
    assert after.challenge.state is ChallengeState.DELIVERING
    assert len(after.calls) == 2


async def test_a_challenge_can_change_though_no_call_is_admitted(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    await add_call(
        store, "ver_1", lambda record: (challenges.expire(record.challenge, NOW + LIFETIME), None, None)
    )
    record = await read(store)
    assert record.challenge.state is ChallengeState.EXPIRED
    assert len(record.calls) == 1


async def test_two_who_ask_at_once_see_each_others_calls(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call("0"), None)

    answers = await asyncio.gather(
        *(add_call(store, "ver_1", partial(admit_up_to_five, call=make_call(str(n)))) for n in range(1, 21))
    )
    assert answers.count(True) == 4
    assert len((await read(store)).calls) == 5


ENDED = make_call(
    state=CallState.ENDED,
    rang=True,
    progressed=True,
    evidence=Evidence(answered=True, media=True, extension_sent=True, human=True, announced=2),
    answered_at=NOW + timedelta(seconds=5),
    ended_at=NOW + timedelta(seconds=30),
)


@pytest.mark.parametrize(
    "hangup",
    [
        Hangup(),
        Hangup(cause=0),
        Hangup(cause=17, sip_status=486),
        Hangup(is_unreachable=True),
        Hangup(gave_up=GaveUp.FINISHED),
        Hangup(quality=CallQuality()),
        Hangup(
            quality=CallQuality(
                sip_call_id="a1b2@192.0.2.1",
                codec="ulaw",
                packets_sent=750,
                packets_received=748,
                lost_sent=1,
                lost_received=2,
                jitter_sent=timedelta(milliseconds=3.25),
                jitter_received=timedelta(microseconds=1),
                round_trip=timedelta(milliseconds=40),
            )
        ),
    ],
)
async def test_an_ended_call_comes_back_with_outcome_and_hangup_cause(store: Store, hangup: Hangup) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    outcome = CallOutcome(Outcome.DELIVERED, Blame.NOBODY, retry_safe=True)
    record = CallRecord(ENDED, outcome=outcome, hangup=hangup, timeline=(make_entry(1),))
    await store.record(record)
    assert await store.call("call_1") == record


async def test_only_steps_that_are_new_are_stored(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    await store.record(with_steps(make_call(), 2))
    rewritten = (make_entry(1, event="forged"), make_entry(2, event="forged"), make_entry(3))
    await store.record(CallRecord(make_call(), timeline=rewritten))
    await store.record(CallRecord(make_call()))
    record = await store.call("call_1")
    assert record is not None
    assert list(record.timeline) == [make_entry(1), make_entry(2), make_entry(3)]


async def test_a_call_and_its_challenge_change_together(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    await store.record(
        CallRecord(ENDED), lambda challenge: challenges.step(challenge, ChallengeEvent.CALL_DELIVERED)
    )
    record = await read(store)
    assert record.challenge.state is ChallengeState.DELIVERED
    assert record.calls[0].call == ENDED


async def test_neither_call_nor_challenge_changes_when_the_change_fails(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    before = await read(store)

    def fail(challenge: Challenge) -> Challenge:
        raise LookupError(challenge.id)

    with pytest.raises(LookupError):
        await store.record(replace(with_steps(make_call(), 2), call=ENDED), fail)
    assert await read(store) == before


async def test_a_call_that_was_never_stored_cannot_be_recorded(store: Store) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    with pytest.raises(StoreError, match="call_2"):
        await store.record(CallRecord(make_call("2")))
    with pytest.raises(StoreError, match="call_2"):
        await store.record(CallRecord(make_call("2", challenge="2")))


async def test_recent_calls_come_newest_first_without_timelines(store: Store) -> None:
    for n in range(5):
        created_at = NOW + timedelta(seconds=n)
        await open_challenge(
            store, make_challenge(str(n)), make_call(str(n), str(n), created_at=created_at), None
        )
    await store.record(with_steps(make_call("4", "4", created_at=NOW + timedelta(seconds=4)), 2))
    newest = await store.recent_calls(2)
    assert [record.call.id for record in newest] == ["call_4", "call_3"]
    assert [len(record.timeline) for record in newest] == [0, 0]
    older = await store.recent_calls(2, CallFilter(behind=Position.of(newest[-1].call)))
    assert [record.call.id for record in older] == ["call_2", "call_1"]


async def test_live_calls_are_those_that_have_not_ended_with_timelines(store: Store) -> None:
    for name in "123":
        await open_challenge(store, make_challenge(name), make_call(name, name), None)
    await store.record(with_steps(make_call("2", "2"), 1))
    await store.record(CallRecord(ENDED))
    live = await store.live_calls()
    assert [record.call.id for record in live] == ["call_2", "call_3"]
    assert list(live[0].timeline) == [make_entry(1)]


async def test_a_challenge_is_read_with_its_calls_and_without_their_timelines_if_not_wanted(
    store: Store,
) -> None:
    await open_challenge(store, make_challenge(), make_call(), None)
    await store.record(with_steps(make_call(), 2))
    whole = await store.transact(lambda tx: tx.challenge("ver_1"))
    plain = await store.transact(lambda tx: tx.challenge("ver_1", timelines=False))
    assert whole is not None
    assert [len(one.timeline) for one in whole.calls] == [2]
    assert plain == replace(whole, calls=[replace(one, timeline=()) for one in whole.calls])


async def test_of_many_that_count_at_once_no_more_pass_than_the_limit(store: Store) -> None:
    counter = Counter(CounterKind.PREFIX, "web", "+1202555")
    others = [replace(counter, client="app"), replace(counter, kind=CounterKind.COUNTRY, key="US")]

    def count(tx: Transaction) -> bool:
        is_room = sum(tx.volume(counter, NOW - LIFETIME).values()) < 5
        if is_room:
            tx.add_volume([counter, *others], NOW)
        return is_room

    assert sum(await asyncio.gather(*(store.transact(count) for _ in range(20)))) == 5
    assert await store.transact(lambda tx: tx.volume(counter, NOW - LIFETIME)) == {NOW: 5}
    assert await store.transact(lambda tx: tx.volume(counter, NOW)) == {}
    later = NOW + timedelta(days=2)
    await store.purge(Kept(NOW, NOW, NOW, NOW, later, NOW), 100)
    assert await store.transact(lambda tx: [tx.volume(one, NOW - LIFETIME) for one in others]) == [{}, {}]
