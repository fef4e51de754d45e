"""A desk's telephones: whoever answers is the call, and it is over only when all of them are."""

from collections.abc import AsyncIterator
from itertools import permutations
from pathlib import Path

import pytest

from tests.unit.adapters.pbx.freeswitch.peers import a_clip, an_order, connected, next_signal
from tests.wire.switch import Switch
from voicegate.adapters.pbx.freeswitch.branches import Branches
from voicegate.adapters.pbx.freeswitch.esl_events import Ended, EslEvent, JobDone, Moved, Step
from voicegate.domain.call import Answered, Media, Rang
from voicegate.domain.call_outcome import Hangup

C = "call_1"
JOB_OK, JOB_FAILED = JobDone("j", is_ok=True, reason="b"), JobDone("j", is_ok=False, reason="USER_BUSY")


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    async with Switch().serving() as switch:
        yield switch


def moved(channel: str, step: Step) -> Moved:
    return Moved(C, step, channel)


def ended(channel: str, name: str = "LOSE_RACE", *, status: int | None = None) -> Ended:
    return Ended(C, 17, name, status, False, status is None, Media(), channel)


def told(branches: Branches, *events: EslEvent) -> list[EslEvent]:
    return [said for event in events for said in branches.take(event)]


def ends(said: list[EslEvent]) -> list[Ended]:
    return [event for event in said if isinstance(event, Ended)]


RING_BOTH = (
    moved("a", Step.CREATED),
    moved("b", Step.CREATED),
    moved("a", Step.RINGING),
    moved("b", Step.RINGING),
)


def test_all_that_ring_are_live_and_none_has_the_calls_id() -> None:
    branches = Branches(C, is_desk=True)
    assert not branches.live
    assert told(branches, *RING_BOTH) == list(RING_BOTH)
    assert branches.live == ("a", "b")
    assert not branches.is_answered_desk


@pytest.mark.parametrize("winner", ["a", "b"])
def test_whoever_answers_is_the_call_and_the_other_ends_nothing(winner: str) -> None:
    loser = {"a": "b", "b": "a"}[winner]
    answer: tuple[EslEvent, ...] = (
        moved(winner, Step.ANSWERED),
        ended(loser),
        moved(winner, Step.PARKED),
        JOB_OK,
    )
    for events in permutations(answer):
        branches = Branches(C, is_desk=True)
        told(branches, *RING_BOTH)
        assert ends(told(branches, *events)) == []
        assert branches.live == (winner,)
        assert branches.is_answered_desk
        bye = ended(winner, "NORMAL_CLEARING")
        assert told(branches, bye) == [bye]
        assert not branches.live


def test_a_busy_telephone_ends_nothing_while_another_rings() -> None:
    branches = Branches(C, is_desk=True)
    told(branches, *RING_BOTH)
    assert told(branches, ended("a", "USER_BUSY", status=486)) == []
    assert branches.live == ("b",)


def test_one_that_is_called_after_another_is_still_the_call() -> None:
    branches = Branches(C, is_desk=True)
    assert ends(told(branches, moved("a", Step.CREATED), ended("a", "USER_BUSY", status=486))) == []
    told(branches, moved("b", Step.CREATED), moved("b", Step.PARKED))
    assert branches.live == ("b",)


def test_when_all_are_over_a_telephones_own_answer_is_told_and_not_our_timeout() -> None:
    busy, ours = ended("a", "USER_BUSY", status=486), ended("b", "NO_ANSWER")
    facts: tuple[EslEvent, ...] = (busy, ours, JOB_FAILED)
    for events in permutations(facts):
        branches = Branches(C, is_desk=True)
        told(branches, *RING_BOTH)
        said = told(branches, *events)
        assert ends(said) == [busy]
        assert JOB_FAILED in said


def test_when_the_job_was_lost_what_is_known_is_told_at_the_end() -> None:
    branches = Branches(C, is_desk=True)
    told(branches, *RING_BOTH, ended("a", "USER_BUSY", status=486), ended("b", "USER_BUSY", status=486))
    assert [end.channel for end in branches.last_words(is_over=True)] == ["b"]
    assert list(branches.last_words(is_over=True)) == []


def test_an_answer_that_was_missed_is_found() -> None:
    branches = Branches(C, is_desk=True)
    told(branches, *RING_BOTH)
    branches.find("a", Step.RINGING)
    branches.find("b", Step.PARKED)
    assert branches.live == ("b",)


def test_a_trunks_call_has_one_channel_and_all_its_events_are_the_calls() -> None:
    branches = Branches(C, is_desk=False)
    events: list[EslEvent] = [moved(C, Step.CREATED), ended(C, "USER_BUSY", status=486), JOB_FAILED]
    assert told(branches, *events) == events
    assert branches.live == (C,)
    assert not branches.is_answered_desk


async def test_a_desk_is_spoken_to_whatever_its_channel_is_called(switch: Switch, tmp_path: Path) -> None:
    async with connected(switch) as pbx, pbx.originate(an_order(endpoint="4101", number=None)) as leg:
        signals = leg.signals()
        assert [await next_signal(signals) for _ in range(2)] == [Rang(), Answered()]
        playback = await leg.play(a_clip(tmp_path), "7")
        assert (playback.key, playback.hung_up) == ("7", False)
        await leg.hang_up()
        assert await next_signal(signals) == Hangup(cause=16)
    assert not switch.channels


async def test_a_desk_that_rings_is_hung_up(switch: Switch) -> None:
    async with connected(switch) as pbx, pbx.originate(an_order(endpoint="4104", number=None)) as leg:
        signals = leg.signals()
        assert await next_signal(signals) == Rang()
        await leg.hang_up()
        assert await next_signal(signals) == Hangup(cause=16)
    assert not switch.channels
