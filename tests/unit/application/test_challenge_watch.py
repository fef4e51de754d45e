"""Following a challenge: each change is read once, and none is missed."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.application.conftest import TESTER, Bench
from tests.unit.application.scripted import ScriptedLeg
from voicegate.application.ports import ChallengeRecord
from voicegate.application.store_port import Transaction
from voicegate.domain.call import Rang
from voicegate.domain.passcode import Passcode

LONG = timedelta(seconds=60)


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


async def ringing(bench: Bench) -> ChallengeRecord:
    """A challenge whose telephone rings and goes on ringing."""
    bench.pbx.plots = [rings]
    challenge_id, since = await bench.issue(), -1
    while True:
        record = await bench.challenges.look(TESTER, challenge_id, since=since, wait=LONG)
        assert record is not None
        if record.calls[0].call.state == "ringing":
            return record
        since = record.revision


async def guess_wrong(bench: Bench, challenge_id: str) -> None:
    wrong = "1111" if bench.code(challenge_id) == "000000" else "000000"
    await bench.sign_in.verify(TESTER, challenge_id, Passcode(wrong))


def counted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
    """What is read of the store from now on."""
    find, read = bench.store.challenge, list[str]()

    async def noting(challenge_id: str) -> ChallengeRecord | None:
        read.append(challenge_id)
        return await find(challenge_id)

    monkeypatch.setattr(bench.store, "challenge", noting)
    return read


async def test_each_change_is_read_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    own = (await ringing(bench)).challenge.id
    read = counted(bench, monkeypatch)
    with bench.challenges.watching(TESTER, own) as watch:
        record = await watch.look(None, timedelta())
        for left in (4, 3, 2):
            assert record is not None
            waiting = asyncio.create_task(watch.look(record.revision, LONG))
            await guess_wrong(bench, own)
            record = await waiting
            assert record is not None
            assert record.challenge.guesses_left == left
    assert read == [own] * 4


async def test_a_change_between_two_looks_is_seen(bench: Bench) -> None:
    own = (await ringing(bench)).challenge.id
    with bench.challenges.watching(TESTER, own) as watch:
        before = await watch.look(None, timedelta())
        assert before is not None
        await guess_wrong(bench, own)
        after = await watch.look(before.revision, LONG)
        assert after is not None
        assert after.challenge.guesses_left == 4


async def test_a_change_is_seen_although_its_reading_was_cut_off(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = (await ringing(bench)).challenge.id
    is_reading = asyncio.Event()

    async def never_read(_: str) -> None:
        is_reading.set()
        await asyncio.Event().wait()

    with bench.challenges.watching(TESTER, own) as watch:
        before = await watch.look(None, timedelta())
        assert before is not None
        await guess_wrong(bench, own)
        with monkeypatch.context() as patch:
            patch.setattr(bench.store, "challenge", never_read)
            cut_off = asyncio.create_task(watch.look(before.revision, LONG))
            await is_reading.wait()
            cut_off.cancel()
            await asyncio.wait((cut_off,))
        after = await watch.look(before.revision, timedelta())
        assert after is not None
        assert after.challenge.guesses_left == 4


async def test_what_nobody_announced_is_seen_after_a_wait(bench: Bench) -> None:
    record = await ringing(bench)
    fewer = replace(record.challenge, guesses_left=1)

    def save(tx: Transaction) -> None:
        tx.save_challenge(fewer)

    with bench.challenges.watching(TESTER, fewer.id) as watch:
        before = await watch.look(None, timedelta())
        assert before is not None
        await bench.store.transact(save)
        await watch.look(before.revision, timedelta(milliseconds=20))
        after = await watch.look(before.revision, timedelta())
        assert after is not None
        assert after.challenge.guesses_left == 1


async def test_the_time_of_a_challenge_ends_although_nothing_is_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = (await ringing(bench)).challenge.id
    with bench.challenges.watching(TESTER, own) as watch:
        before = await watch.look(None, timedelta())
        assert before is not None
        assert before.challenge.state == "delivering"
        read = counted(bench, monkeypatch)
        bench.clock.time = before.challenge.expires_at
        after = await watch.look(before.revision, timedelta())
        assert after is not None
        assert after.challenge.state == "expired"
        assert not read
