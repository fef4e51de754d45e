"""Delivery: what ends a call in time whatever happens on it, and which trunk follows another."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.application.conftest import Bench, trunk
from tests.unit.application.scripted import INVITATION, ScriptedLeg, answers, full
from tests.unit.application.test_delivery import outcome_of, plot
from voicegate.application import call_in_progress
from voicegate.application.conversation import CallTimings
from voicegate.application.ports import Clip
from voicegate.application.queueing import CallLimits
from voicegate.domain.call import Answered, Playback
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.errors import PbxUnavailable
from voicegate.domain.routing import CallerId, Routes, Trunk


class TestWithShortTimers:
    """Timers in milliseconds, so that they really run."""

    @pytest.fixture
    def trunks(self) -> tuple[Trunk, ...]:
        return (trunk("carrier", timedelta(milliseconds=30)),)

    @pytest.fixture
    def timings(self) -> CallTimings:
        return CallTimings(human_timeout=timedelta(milliseconds=1100), time_cap=timedelta(milliseconds=50))

    async def test_a_trunk_that_gives_no_sign_is_left_and_not_tried_again(self, bench: Bench) -> None:
        bench.pbx.plots = [plot()]  # type: ignore[list-item]
        assert await outcome_of(bench) == ("trunk_silent", "none", "undeliverable")

    async def test_a_call_without_end_is_capped(self, bench: Bench) -> None:
        async def endless(leg: ScriptedLeg) -> None:
            leg.on_play = lambda clip, keys: full(clip, key=keys) if clip is INVITATION else None
            leg.tell(Answered())

        bench.pbx.plots = [endless]
        assert (await outcome_of(bench))[0] == "playback_failed"

    async def test_a_machine_that_presses_nothing_never_hears_the_code(self, bench: Bench) -> None:
        """It is asked as often as the invitation fits, and no longer, whatever the time of day does."""

        class Slow(ScriptedLeg):
            async def play(self, clip: Clip, keys: str = "") -> Playback:
                bench.clock.time -= timedelta(hours=1)
                await asyncio.sleep(0.03)
                return await super().play(clip, keys)

        async def silent(leg: ScriptedLeg) -> None:
            leg.__class__ = Slow
            leg.on_play = lambda clip, keys: full(clip)
            leg.on_wait = lambda keys: None
            leg.tell(Answered())

        bench.pbx.plots = [silent]
        assert await outcome_of(bench) == ("no_human", "media", "undeliverable")
        assert "play reading" not in bench.pbx.legs[0].done
        assert bench.pbx.legs[0].done.count("play invitation") > 1

    async def test_a_call_whose_conversation_is_stuck_is_capped_all_the_same(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Stuck(ScriptedLeg):
            async def play(self, clip: Clip, keys: str = "") -> Playback:
                await asyncio.Event().wait()
                raise AssertionError

        async def stuck(leg: ScriptedLeg) -> None:
            leg.__class__ = Stuck
            leg.tell(Answered())

        monkeypatch.setattr(call_in_progress, "_TALK_GRACE", timedelta(milliseconds=20))
        bench.pbx.plots = [stuck]
        assert (await outcome_of(bench))[0] == "no_human"
        assert "hang up" in bench.pbx.legs[0].done

    async def test_a_call_whose_conversation_says_it_is_over_is_hung_up(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def over(leg: ScriptedLeg) -> None:
            leg.on_play = lambda clip, keys: Playback(0, timedelta(), 0, hung_up=True)
            leg.tell(Answered())

        monkeypatch.setattr(call_in_progress, "_SEEING_OFF", timedelta(milliseconds=20))
        bench.pbx.plots = [over]
        assert (await outcome_of(bench))[0] == "hung_up"


class TestWithTwoTrunks:
    """Failover: only where the first trunk certainly rang nobody."""

    @pytest.fixture
    def trunks(self) -> tuple[Trunk, ...]:
        return (trunk("first", timedelta(milliseconds=50)), trunk("second"))

    @pytest.mark.parametrize(
        "failure", [Hangup(34, 503), Hangup(21, 403), Hangup(is_unreachable=True), PbxUnavailable()]
    )
    async def test_the_second_trunk_takes_over(self, bench: Bench, failure: Hangup | PbxUnavailable) -> None:
        first = plot(failure) if isinstance(failure, Hangup) else failure
        bench.pbx.plots = [first, answers]  # type: ignore[list-item]
        # Settled means that no call lives: between the two there is no such moment.
        record = await bench.settled(await bench.issue())
        assert [call.call.trunk for call in record.calls] == ["first", "second"]
        assert record.challenge.state == "delivered"
        assert len({call.call.id for call in record.calls}) == 2

    @pytest.mark.parametrize(
        "failure",
        [Hangup(17, 486), Hangup(21, 603), Hangup(1, 404), Hangup(gave_up=GaveUp.PBX_LOST), Hangup()],
    )
    async def test_nobody_is_called_twice(self, bench: Bench, failure: Hangup) -> None:
        bench.pbx.plots = [plot(failure)]  # type: ignore[list-item]
        record = await bench.settled(await bench.issue())
        assert (len(record.calls), record.challenge.state) == (1, "undeliverable")

    @pytest.mark.parametrize(("shown", "trunks_tried"), [("+12025550100", 1), ("+12025550199", 2)])
    async def test_a_block_of_our_number_is_followed_by_a_trunk_that_shows_another(
        self, bench: Bench, shown: str, trunks_tried: int
    ) -> None:
        first, second = bench.rules.routes.trunks
        other = replace(second, caller_ids=(CallerId(shown),))
        changed = bench.rebuilt(routes=Routes((first, other)))
        bench.pbx.plots = [plot(Hangup(21, 603)), answers]  # type: ignore[list-item]
        async with changed.delivery:
            record = await changed.settled(await changed.issue())
        assert record.calls[0].outcome is not None
        assert record.calls[0].outcome.outcome == "trunk_refused"
        assert [call.call.trunk for call in record.calls] == ["first", "second"][:trunks_tried]

    @pytest.mark.parametrize("limits", [CallLimits(failover=timedelta())])
    async def test_no_trunk_is_tried_when_the_time_for_it_is_over(self, bench: Bench) -> None:
        bench.pbx.plots = [plot(Hangup(34, 503))]  # type: ignore[list-item]
        record = await bench.settled(await bench.issue())
        assert [call.call.trunk for call in record.calls] == ["first"]
        assert record.challenge.state == "undeliverable"

    async def test_silence_is_not_failed_over(self, bench: Bench) -> None:
        bench.pbx.plots = [plot()]  # type: ignore[list-item]
        record = await bench.settled(await bench.issue())
        assert (len(record.calls), record.challenge.state) == (1, "undeliverable")
