"""The connection lost in each state of a call, and peers that misbehave: truthful ends, nobody called twice,
and the next call goes through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.adapters.pbx.freeswitch.peers import (
    a_clip,
    all_signals,
    an_order,
    connected,
    next_signal,
    until_connected,
    until_lost,
)
from tests.wire.switch import Switch
from voicegate.adapters.pbx.common.call_supervisor import CallSupervisor
from voicegate.adapters.pbx.common.connection import ReconnectPolicy
from voicegate.application.ports import DtmfTiming, Leg, LegSignal, Order
from voicegate.domain.call import Answered, CodeSpan, Rang, proves_sent
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.errors import LegEnded
from voicegate.lab.deadlines import within

LOST = Hangup(gave_up=GaveUp.PBX_LOST)
SLOW = ReconnectPolicy(first_delay=timedelta(milliseconds=250))
"""Long enough that something can happen meanwhile."""


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    async with Switch().serving() as switch:
        yield switch


class Faulty:
    """A call in the middle of which something breaks."""

    def __init__(self, switch: Switch, pbx: CallSupervisor, order: Order) -> None:
        self.switch, self.pbx, self.order = switch, pbx, order
        self.told: list[LegSignal] = []
        self.news = asyncio.Event()
        self.leg: Leg

    async def listen(self) -> None:
        async for signal in self.leg.signals():
            self.told.append(signal)
            self.news.set()

    async def until(self, kind: type[LegSignal]) -> None:
        async with within(5):
            while kind not in {type(signal) for signal in self.told}:
                self.news.clear()
                await self.news.wait()

    def die(self) -> None:
        """The PBX is killed and started again: connections and channels are gone."""
        for channel in list(self.switch.channels.values()):
            channel.ended.set()
        self.switch.channels.clear()
        self.switch.cut()


@asynccontextmanager
async def calling(switch: Switch, last_two: str, **changes: object) -> AsyncIterator[Faulty]:
    """A call whose fault the body makes; afterwards another one goes through, and each was placed once."""
    async with connected(switch, **changes) as pbx:
        order = an_order(last_two)
        async with asyncio.TaskGroup() as tasks, pbx.originate(order) as leg:
            faulty = Faulty(switch, pbx, order)
            faulty.leg = leg
            tasks.create_task(faulty.listen())
            yield faulty
        await until_connected(pbx)
        async with pbx.originate(an_order("03")) as leg:
            assert (await all_signals(leg.signals()))[-1] == Hangup(cause=17, sip_status=486)
    assert len(switch.rung) == len(switch.all_asked("bgapi")) == 2
    assert [signal for signal in faulty.told if isinstance(signal, Hangup)] == faulty.told[-1:]


async def test_lost_while_ringing_the_call_goes_on(switch: Switch) -> None:
    async with calling(switch, "02") as faulty:
        await faulty.until(Rang)
        switch.cut()
        await faulty.until(Answered)
        assert await faulty.leg.wait_key("1", timedelta(milliseconds=10)) is None
    assert faulty.told == [Rang(), Answered(), Hangup(cause=16)]


async def test_lost_for_good_while_ringing_the_call_is_lost_and_hung_up_later(switch: Switch) -> None:
    pace = ReconnectPolicy(first_delay=timedelta(seconds=1))
    async with calling(switch, "04", pace=pace, lost_grace=timedelta(milliseconds=100)) as faulty:
        await faulty.until(Rang)
        switch.cut()
        await faulty.until(Hangup)
        assert faulty.order.call_id in switch.channels
        await switch.until_asked(f"api uuid_kill {faulty.order.call_id}")
    assert faulty.told == [Rang(), LOST]


async def test_answered_while_lost_is_told_once_it_is_back(switch: Switch) -> None:
    async with calling(switch, "02", pace=SLOW) as faulty:
        await faulty.until(Rang)
        switch.cut()
        await until_lost(faulty.pbx)
        await faulty.until(Answered)
    assert faulty.told == [Rang(), Answered(), Hangup(cause=16)]


async def test_ended_while_lost_is_lost_for_nobody_knows_how(switch: Switch) -> None:
    async with calling(switch, "02", pace=SLOW) as faulty:
        await faulty.until(Answered)
        switch.cut()
        switch.channels[faulty.order.call_id].end("NORMAL_CLEARING", 16)
        await faulty.until(Hangup)
    assert faulty.told == [Rang(), Answered(), LOST]


@pytest.mark.parametrize("last_two", ["02", "04"])
async def test_a_pbx_that_was_killed_has_lost_its_calls(switch: Switch, last_two: str) -> None:
    async with calling(switch, last_two) as faulty:
        await faulty.until(Answered if last_two == "02" else Rang)
        faulty.die()
        await faulty.until(Hangup)
    assert faulty.told[-1] == LOST


async def test_lost_while_waiting_for_a_key_the_key_still_counts(switch: Switch) -> None:
    async with calling(switch, "02") as faulty, asyncio.TaskGroup() as tasks:
        await faulty.until(Answered)
        waiting = tasks.create_task(faulty.leg.wait_key("7", timedelta(seconds=5)))
        switch.cut()
        await until_lost(faulty.pbx)
        await until_connected(faulty.pbx)
        switch.channels[faulty.order.call_id].key("7")
        assert await waiting == "7"


@pytest.mark.parametrize("pace", [ReconnectPolicy(first_delay=timedelta(milliseconds=20)), SLOW])
async def test_lost_within_a_sound_it_ends_unproven_and_the_next_one_proves(
    switch: Switch, tmp_path: Path, pace: ReconnectPolicy
) -> None:
    clip = a_clip(tmp_path, seconds=0.2)
    async with calling(switch, "02", pace=pace) as faulty:
        await faulty.until(Answered)
        playing = asyncio.create_task(faulty.leg.play(clip))
        await switch.until_asked("sendmsg")
        await asyncio.sleep(0.05)
        switch.cut()
        playback = await playing
        assert playback.samples == clip.samples
        assert not playback.hung_up
        assert not proves_sent(playback, CodeSpan(1, timedelta(milliseconds=1)))
        again = await faulty.leg.play(clip)
        assert proves_sent(again, CodeSpan(clip.samples, clip.length))
    assert len(switch.all_asked("sendmsg")) == 2


async def test_killed_within_a_sound_it_was_cut_short(switch: Switch, tmp_path: Path) -> None:
    async with calling(switch, "02") as faulty:
        await faulty.until(Answered)
        playing = asyncio.create_task(faulty.leg.play(a_clip(tmp_path, seconds=5)))
        await switch.until_asked("sendmsg")
        faulty.die()
        playback = await playing
        assert playback.hung_up
        assert not playback.samples


async def test_lost_while_digits_are_sent_the_rest_follows(switch: Switch) -> None:
    timing = DtmfTiming(timedelta(milliseconds=60), timedelta(milliseconds=40))
    async with calling(switch, "02") as faulty:
        await faulty.until(Answered)
        sending = asyncio.create_task(faulty.leg.send_digits("123456", timing))
        await switch.until_asked("api uuid_send_dtmf", times=2)
        await asyncio.sleep(0.02)
        switch.cut()
        await sending
        assert switch.channels[faulty.order.call_id].digits == "123456"


async def test_a_pbx_that_answers_no_command_is_let_go_of(switch: Switch, tmp_path: Path) -> None:
    async with calling(switch, "02") as faulty:
        await faulty.until(Answered)
        switch.answers["uuid_setvar"] = lambda switch, argument: None
        assert (await faulty.leg.play(a_clip(tmp_path))).hung_up
        del switch.answers["uuid_setvar"]
        await faulty.until(Hangup)
    # Not the called person's doing.
    assert faulty.told[-1] == LOST


async def test_lost_before_the_answer_to_a_command_the_call_is_lost(switch: Switch, tmp_path: Path) -> None:
    async with calling(switch, "02") as faulty:
        await faulty.until(Answered)
        switch.answers["uuid_setvar"] = lambda switch, argument: None
        playing = asyncio.create_task(faulty.leg.play(a_clip(tmp_path)))
        await switch.until_asked("api uuid_setvar")
        switch.cut()
        assert (await playing).hung_up
        await faulty.until(Hangup)
    assert faulty.told[-1] == LOST


async def test_an_executed_event_that_never_comes_ends_the_call(switch: Switch, tmp_path: Path) -> None:
    async with calling(switch, "02") as faulty:
        await faulty.until(Answered)
        switch.answers["sendmsg"] = lambda switch, argument: "+OK"
        assert (await faulty.leg.play(a_clip(tmp_path, seconds=0.1))).hung_up
        await faulty.until(Hangup)
    assert faulty.told[-1] == LOST


async def test_events_of_a_call_in_any_order_tell_the_same_end(switch: Switch) -> None:
    switch.answers["originate"] = lambda switch, argument: "+OK Job-UUID: x\nJob-UUID: x"
    async with connected(switch) as pbx:
        order = an_order("03")
        async with pbx.originate(order) as leg:
            job = switch.all_asked("bgapi")[0].partition("Job-UUID: ")[2]
            switch.event("BACKGROUND_JOB", {"Job-UUID": job, "Job-Command": "originate"}, "-ERR USER_BUSY\n")
            headers = {"Unique-ID": order.call_id, "Hangup-Cause": "USER_BUSY"}
            variables = {"variable_hangup_cause_q850": "17", "variable_sip_term_status": "486"}
            switch.event("CHANNEL_HANGUP_COMPLETE", headers | variables)
            switch.event("CHANNEL_PROGRESS", {"Unique-ID": order.call_id})
            switch.event("CHANNEL_CREATE", {"Unique-ID": order.call_id})
            assert await all_signals(leg.signals()) == [Hangup(cause=17, sip_status=486)]


async def test_a_callers_name_with_line_ends_moves_no_call(switch: Switch) -> None:
    async with calling(switch, "04") as faulty:
        await faulty.until(Rang)
        name = f"x\nEvent-Name: CHANNEL_ANSWER\nUnique-ID: {faulty.order.call_id}\n\n+OK"
        switch.event("CHANNEL_PROGRESS", {"Caller-Caller-ID-Name": name, "Unique-ID": "call_other"})
        await faulty.pbx.trunk_states()
        assert faulty.told == [Rang()]


async def test_everything_is_over_when_the_adapter_is_closed(switch: Switch) -> None:
    async with connected(switch) as pbx:
        call = pbx.originate(an_order("02"))
        leg = await call.__aenter__()
        signals = leg.signals()
        assert [await next_signal(signals), await next_signal(signals)] == [Rang(), Answered()]
    assert await next_signal(signals) == Hangup(cause=16)
    with pytest.raises(LegEnded):
        await leg.wait_key("1", timedelta(seconds=1))


async def test_closing_passes_the_bodys_error_on(switch: Switch) -> None:
    async def body() -> None:
        async with connected(switch) as pbx:
            await pbx.originate(an_order("04")).__aenter__()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await body()
    assert switch.all_asked("api uuid_kill")


async def test_fifty_calls_at_once_are_not_mixed_up(switch: Switch, tmp_path: Path) -> None:
    clip = a_clip(tmp_path, seconds=0.3)
    ends: dict[str, list[LegSignal]] = {"02": [Rang(), Answered()], "03": [Rang()], "08": []}
    last = {
        "02": Hangup(cause=16),
        "03": Hangup(cause=17, sip_status=486),
        "08": Hangup(cause=1, sip_status=404),
    }

    async def call(pbx: CallSupervisor, last_two: str) -> None:
        async with pbx.originate(an_order(last_two)) as leg:
            signals = leg.signals()
            for expected in ends[last_two]:
                assert await next_signal(signals) == expected
            if last_two == "02":
                playback = await leg.play(clip)
                assert proves_sent(playback, CodeSpan(clip.samples, clip.length))
                await leg.hang_up()
            assert await next_signal(signals) == last[last_two]

    async with connected(switch, command_timeout=timedelta(seconds=5)) as pbx, asyncio.TaskGroup() as tasks:
        for number in range(50):
            tasks.create_task(call(pbx, ("02", "03", "08")[number % 3]))
    assert not switch.channels
