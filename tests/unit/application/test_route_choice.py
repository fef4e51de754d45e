"""What was learned from calls' ends decides which trunk is tried next and which caller ID is shown."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.application.conftest import NUMBER, TESTER, UNHURRIED, Bench, trunk
from tests.unit.application.scripted import answers
from tests.unit.application.test_delivery import plot
from voicegate.application.sign_in import CalledAgain
from voicegate.domain.call import Rang
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.policy import Deny
from voicegate.domain.policy.calls import UNSAFE_FOR
from voicegate.domain.policy.spend import Rate, Rates, SpendPolicy
from voicegate.domain.routing import CallerId, Trunk

SILENT = plot(Hangup(gave_up=GaveUp.RING_TIMEOUT))
REFUSED = plot(Hangup(34, 503))
UNANSWERED = plot(Rang(), Hangup(gave_up=GaveUp.RING_TIMEOUT))
BLOCKED = plot(Hangup(21, 608))
POOL = tuple(CallerId(f"+120255501{n:02}") for n in range(3))
MINUTE = timedelta(minutes=1)


async def trunks_of(bench: Bench, number: str = NUMBER) -> list[str]:
    record = await bench.settled(await bench.issue(number))
    return [call.call.trunk for call in record.calls]


class TestWithTwoTrunks:
    """A trunk that fails is set aside, and tried again by one call at a time."""

    @pytest.fixture
    def trunks(self) -> tuple[Trunk, ...]:
        return (trunk("first"), trunk("second"))

    async def test_after_a_silent_trunk_the_next_call_goes_by_the_second(self, bench: Bench) -> None:
        bench.pbx.plots = [SILENT, answers]  # type: ignore[list-item]
        assert await trunks_of(bench) == ["first"]
        assert bench.app.standings.set_aside_until("first") == bench.clock.time + timedelta(seconds=60)
        assert await trunks_of(bench, "+12025550102") == ["second"]

    async def test_who_was_called_by_a_silent_trunk_is_called_by_the_second_once_the_first_rings_nobody(
        self, bench: Bench
    ) -> None:
        bench.pbx.plots = [SILENT, answers]  # type: ignore[list-item]
        challenge_id = await bench.issue()
        await bench.settled(challenge_id)
        assert isinstance(await bench.sign_in.redial(TESTER, challenge_id), Deny)
        bench.clock.time += UNSAFE_FOR
        assert isinstance(await bench.sign_in.redial(TESTER, challenge_id), CalledAgain)
        record = await bench.settled(challenge_id)
        assert [call.call.trunk for call in record.calls] == ["first", "second"]

    async def test_a_trunk_that_refuses_is_set_aside_after_three_calls(self, bench: Bench) -> None:
        bench.pbx.plots = [*(REFUSED, answers) * 3, answers]  # type: ignore[list-item]
        for n in range(3):
            assert await trunks_of(bench, f"+1202555020{n}") == ["first", "second"]
        assert await trunks_of(bench, "+12025550209") == ["second"]

    async def test_when_the_rest_is_over_one_call_tries_the_trunk_and_clears_it(self, bench: Bench) -> None:
        bench.pbx.plots = [SILENT, answers, answers, answers]  # type: ignore[list-item]
        await trunks_of(bench)
        bench.clock.time += MINUTE
        probing = await bench.issue("+12025550102")
        others = await trunks_of(bench, "+12025550103")
        record = await bench.settled(probing)
        assert ([call.call.trunk for call in record.calls], others) == (["first"], ["second"])
        assert await trunks_of(bench, "+12025550104") == ["first"]

    async def test_a_called_person_who_does_not_answer_says_nothing_against_the_trunk(
        self, bench: Bench
    ) -> None:
        bench.pbx.plots = [plot(Hangup(17, 486))] * 4  # type: ignore[list-item]
        for n in range(4):
            assert await trunks_of(bench, f"+1202555020{n}") == ["first"]
        assert bench.app.standings.set_aside_until("first") is None


class TestWithTrunksAlike:
    """The cheaper is called by, once there are rates, until it fails."""

    @pytest.fixture
    def trunks(self) -> tuple[Trunk, ...]:
        return tuple(replace(trunk(name), priority=1) for name in ("dear", "cheap"))

    async def test_the_cheaper_trunk_is_called_by_until_it_is_set_aside(self, bench: Bench) -> None:
        rates = Rates({("dear", "+1"): Rate(30_000), ("cheap", "+1"): Rate(10_000)})
        bench.challenge_service.take_policy(replace(UNHURRIED, spend=SpendPolicy(rates)))
        bench.pbx.plots = [*[answers] * 6, SILENT, answers]  # type: ignore[list-item]
        for n in range(6):
            assert await trunks_of(bench, f"+1202555020{n}") == ["cheap"]
        assert await trunks_of(bench) == ["cheap"]
        assert await trunks_of(bench, "+12025550102") == ["dear"]


class TestWithAPool:
    """A callee sees the same number until a call fails."""

    @pytest.fixture
    def trunks(self) -> tuple[Trunk, ...]:
        return (replace(trunk("carrier"), caller_ids=POOL),)

    async def shown(self, bench: Bench, challenge_id: str) -> list[str]:
        record = await bench.settled(challenge_id)
        return [call.call.caller_id for call in record.calls]

    async def test_a_call_again_shows_another_number_after_nobody_answered(self, bench: Bench) -> None:
        bench.pbx.plots = [UNANSWERED, UNANSWERED, answers]  # type: ignore[list-item]
        challenge_id = await bench.issue()
        for _ in range(2):
            await bench.settled(challenge_id)
            bench.clock.time += MINUTE
            assert isinstance(await bench.sign_in.redial(TESTER, challenge_id), CalledAgain)
        assert sorted(await self.shown(bench, challenge_id)) == [one.number for one in POOL]

    async def test_the_next_code_is_spoken_by_the_number_that_worked(self, bench: Bench) -> None:
        bench.pbx.plots = [UNANSWERED, answers, answers]  # type: ignore[list-item]
        first = await bench.issue()
        await bench.settled(first)
        bench.clock.time += MINUTE
        await bench.sign_in.redial(TESTER, first)
        _, works = await self.shown(bench, first)
        bench.clock.time += 10 * MINUTE
        assert await self.shown(bench, await bench.issue()) == [works]

    async def test_a_failure_at_one_telephone_changes_nothing_at_another(self, bench: Bench) -> None:
        before = bench.app.standings.resting_caller_ids()
        bench.pbx.plots = [UNANSWERED, answers]  # type: ignore[list-item]
        await self.shown(bench, await bench.issue())
        assert bench.app.standings.resting_caller_ids() == before

    async def test_a_networks_block_is_followed_by_another_number_of_the_same_trunk_at_once(
        self, bench: Bench
    ) -> None:
        bench.pbx.plots = [BLOCKED, answers]  # type: ignore[list-item]
        shown = await self.shown(bench, await bench.issue())
        assert len(set(shown)) == 2
        assert bench.app.standings.set_aside_until("carrier") is None

    async def test_another_fault_is_not_tried_again_by_another_number(self, bench: Bench) -> None:
        bench.pbx.plots = [REFUSED]  # type: ignore[list-item]
        assert len(await self.shown(bench, await bench.issue())) == 1
