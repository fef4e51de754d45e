"""A drained trunk gets no new calls; those that have begun go on, and nothing of it is lost by a restart."""

import asyncio

import pytest

from tests.unit.application.conftest import ADMIN, NUMBER, TESTER, Bench, trunk
from tests.unit.application.scripted import ScriptedLeg, answers
from tests.unit.application.test_route_choice import trunks_of
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.queueing import CallLimits
from voicegate.application.sign_in import IssueRequest
from voicegate.application.trunks import TrunkDrained, TrunkResumed
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.call import Answered
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason
from voicegate.domain.routing import Routes, Trunk
from voicegate.domain.standing import RestRules

OTHER_NUMBER = "+12025550102"


@pytest.fixture
def trunks() -> tuple[Trunk, ...]:
    return (trunk("first"), trunk("second"))


async def test_a_drained_trunk_gets_no_calls_until_it_is_resumed(bench: Bench) -> None:
    bench.pbx.plots = [answers] * 2
    drained = await bench.app.trunks.drain(ADMIN, "first", "carrier works")
    assert isinstance(drained, TrunkDrained)
    assert await trunks_of(bench) == ["second"]
    assert await bench.app.trunks.resume(ADMIN, "first") == TrunkResumed()
    assert await trunks_of(bench, OTHER_NUMBER) == ["first"]


async def test_the_audit_says_who_drained_which_trunk_and_why(bench: Bench) -> None:
    await bench.app.trunks.drain(ADMIN, "first", "carrier works")
    await bench.app.trunks.resume(ADMIN, "first", "done")
    resumed, drained = await bench.store.audit(2)
    assert (drained.action, drained.subject, drained.reason) == ("trunk.drain", "first", "carrier works")
    assert (resumed.action, resumed.subject, resumed.reason) == ("trunk.resume", "first", "done")
    assert {drained.client, resumed.client} == {ADMIN.name}


async def test_a_trunk_stays_drained_after_a_restart(bench: Bench) -> None:
    await bench.app.trunks.drain(ADMIN, "first", "carrier works")
    again = bench.rebuilt()
    await again.app.trunks.load()
    again.pbx.plots = [answers]
    async with again.app.delivery:
        assert await trunks_of(again) == ["second"]


async def test_with_every_trunk_drained_a_request_is_refused_as_trunks_down(bench: Bench) -> None:
    for name in ("first", "second"):
        await bench.app.trunks.drain(ADMIN, name, "carrier works")
    answer = await bench.sign_in.issue(IssueRequest(TESTER, ChallengeSpec(Destination.parse(NUMBER))))
    assert isinstance(answer, Deny)
    assert (answer.reason, answer.rule) == (DenyReason.TRUNKS_DOWN, "drained trunks")


async def test_a_call_in_progress_goes_on_when_its_trunk_is_drained(bench: Bench) -> None:
    is_answered, may_end = asyncio.Event(), asyncio.Event()

    async def talks(leg: ScriptedLeg) -> None:
        leg.tell(Answered())
        is_answered.set()
        await may_end.wait()

    bench.pbx.plots = [talks]
    challenge_id = await bench.issue()
    await is_answered.wait()
    await bench.app.trunks.drain(ADMIN, "first", "carrier works")
    record = await bench.store.challenge(challenge_id)
    assert record is not None
    assert record.calls[0].call.is_live
    may_end.set()


async def test_a_failing_call_is_not_tried_again_by_a_trunk_that_was_drained_meanwhile(bench: Bench) -> None:
    is_placed, may_fail = asyncio.Event(), asyncio.Event()

    async def fails(leg: ScriptedLeg) -> None:
        is_placed.set()
        await may_fail.wait()
        leg.tell(Hangup(34, 503))

    bench.pbx.plots = [fails]
    challenge_id = await bench.issue()
    await is_placed.wait()
    await bench.app.trunks.drain(ADMIN, "second", "carrier works")
    may_fail.set()
    record = await bench.settled(challenge_id)
    assert [call.call.trunk for call in record.calls] == ["first"]


@pytest.mark.parametrize(
    ("drained", "trunks_used", "outcome"),
    [
        (["first"], ["first", "second"], "delivered"),
        (["first", "second"], ["first"], "trunk_unreachable"),
    ],
)
@pytest.mark.parametrize("limits", [CallLimits(in_progress=1)])
async def test_a_call_that_waits_for_a_line_never_goes_by_a_trunk_drained_meanwhile(
    bench: Bench, drained: list[str], trunks_used: list[str], outcome: str
) -> None:
    is_placed, may_end = asyncio.Event(), asyncio.Event()

    async def holds_the_line(leg: ScriptedLeg) -> None:
        is_placed.set()
        await may_end.wait()
        leg.tell(Hangup(17, 486))

    again = bench.rebuilt(rests=RestRules(faults=1))
    again.pbx.plots = [holds_the_line, answers]
    async with again.app.delivery:
        first = await again.issue()
        await is_placed.wait()
        queued = await again.issue(OTHER_NUMBER)
        for name in drained:
            await again.app.trunks.drain(ADMIN, name, "carrier works")
        may_end.set()
        await again.settled(first)
        record = await again.settled(queued)
    assert [call.call.trunk for call in record.calls] == trunks_used
    assert record.calls[-1].outcome is not None
    assert record.calls[-1].outcome.outcome == outcome
    # Nothing was dialed by the drained one: that is no fault of it.
    assert [leg.order.hop.trunk.name for leg in again.pbx.legs] == ["first", *trunks_used[1:]]
    assert again.app.standings.set_aside_until("first") is None


async def test_a_trunk_that_there_is_not_cannot_be_drained(bench: Bench) -> None:
    assert await bench.app.trunks.drain(ADMIN, "third", "carrier works") == NotFound()
    assert await bench.app.trunks.resume(ADMIN, "third") == NotFound()


async def test_one_that_left_the_settings_can_still_be_resumed(bench: Bench) -> None:
    await bench.app.trunks.drain(ADMIN, "first", "carrier works")
    smaller = bench.rebuilt(routes=Routes(bench.rules.routes.trunks[1:]))
    assert await smaller.app.trunks.resume(ADMIN, "first") == TrunkResumed()
    assert await bench.store.drains() == []
