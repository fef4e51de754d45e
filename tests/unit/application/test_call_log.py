"""The log of a call: which steps are on disk when, and in how many commits."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import event

from tests.unit.application.conftest import ADMIN, TESTER, Bench
from tests.unit.application.scripted import ScriptedLeg
from voicegate.domain.call import Answered, Progressed, Rang
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.passcode import Passcode


async def ends_at_once(leg: ScriptedLeg) -> None:
    leg.tell(Progressed(), Rang(), Hangup(17, 486))


async def test_steps_that_follow_each_other_at_once_are_one_commit(bench: Bench) -> None:
    bench.pbx.plots = [ends_at_once]
    commits: list[object] = []
    event.listen(bench.store._writing, "commit", commits.append)
    (call,) = (await bench.settled(await bench.issue())).calls
    assert [step.event for step in call.timeline] == ["originated", "progressed", "rang", "ended"]
    # What was asked for, the beginning, and all the rest.
    assert len(commits) == 3


async def test_a_step_is_seen_while_the_call_lasts(bench: Bench) -> None:
    async def rings(leg: ScriptedLeg) -> None:
        leg.tell(Rang())

    bench.pbx.plots = [rings]
    challenge_id = await bench.issue()
    seen: list[str] = []
    with bench.challenges.watching(ADMIN, challenge_id) as watch:
        since = -1
        while "rang" not in seen:
            record = await watch.look(since, timedelta(seconds=10))
            assert record is not None
            since, seen = record.revision, [step.event for step in record.calls[0].timeline]
    assert seen == ["originated", "rang"]
    bench.pbx.legs[0].tell(Hangup(17, 486))
    await bench.settled(challenge_id)


async def test_an_open_challenge_is_read_once_and_again_after_a_change_by_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    read = bench.store.open_until

    async def noting(challenge_id: str) -> datetime | None:
        reads.append(challenge_id)
        return await read(challenge_id)

    monkeypatch.setattr(bench.store, "open_until", noting)
    await bench.settled(await bench.issue())
    assert len(reads) == 1
    (leg,) = bench.pbx.legs
    assert leg.done.count("play reading") == 2
    reads.clear()

    async def answers_once_entered(leg: ScriptedLeg) -> None:
        challenge_id = next(iter(bench.delivery._in_progress))
        await bench.sign_in.verify(TESTER, challenge_id, Passcode(bench.code(challenge_id)))
        leg.tell(Answered())

    bench.pbx.plots = [answers_once_entered]
    record = await bench.settled(await bench.issue("+12125550101"))
    assert len(reads) == 2
    assert bench.pbx.legs[-1].done[0] == "play en/not_wanted"
    assert record.challenge.state == "verified"
