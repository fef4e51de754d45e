"""What panoramisk 1.4 does wrong over FastAGI, one test each, and who is let in."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.unit.adapters.pbx.asterisk.peers import (
    READING,
    AgiCaller,
    AmiPeer,
    AsteriskPbx,
    Message,
    an_order,
    connected,
    hang_up,
    next_signal,
)
from voicegate.adapters.pbx.asterisk import agi
from voicegate.adapters.pbx.asterisk.agi import read_head
from voicegate.application.ports import DtmfTiming, Leg
from voicegate.domain.call import Answered, Media
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.call_quality import CallQuality
from voicegate.domain.errors import LegEnded, PbxProtocolError, UnsafeValue


@dataclass
class Line:
    """A call that was placed, and the channel that stands for it."""

    pbx: AsteriskPbx
    peer: AmiPeer
    originate: Message
    leg: Leg
    caller: AgiCaller


@asynccontextmanager
async def placed(**changes: object) -> AsyncIterator[tuple[AsteriskPbx, Message, Leg]]:
    async with (
        AmiPeer(answers={"Hangup": hang_up}).serving() as peer,
        connected(peer, **changes) as pbx,
        pbx.originate(an_order()) as leg,
    ):
        yield pbx, peer.newest("Originate"), leg


@asynccontextmanager
async def attached(**changes: object) -> AsyncIterator[Line]:
    async with (
        AmiPeer(answers={"Hangup": hang_up}).serving() as peer,
        connected(peer, **changes) as pbx,
        pbx.originate(an_order()) as leg,
    ):
        originate = peer.newest("Originate")
        caller = await AgiCaller.enter(pbx, originate)
        assert await next_signal(leg.signals()) == Answered()
        yield Line(pbx, peer, originate, leg, caller)
        caller.hang_up()


async def test_1_a_connect_and_close_costs_nothing() -> None:
    async with placed() as (pbx, originate, leg):
        for _ in range(20):
            (await AgiCaller.dial(pbx)).hang_up()
        await AgiCaller.enter(pbx, originate)
        assert await next_signal(leg.signals()) == Answered()


async def test_1_a_head_that_never_ends_is_dropped_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agi, "_HEAD_TIMEOUT", 0.05)
    async with placed() as (pbx, _, _leg):
        caller = await AgiCaller.dial(pbx)
        caller.send("agi_network: yes\n")
        assert await caller.is_closed()


@pytest.mark.parametrize("head", [b"x" * 100_000, b"agi_x: 1\n" * 1000])
async def test_1_a_head_without_measure_is_dropped(head: bytes) -> None:
    async with placed() as (pbx, originate, leg):
        caller = await AgiCaller.dial(pbx)
        caller.send(head)
        assert await caller.is_closed()
        await AgiCaller.enter(pbx, originate)
        assert await next_signal(leg.signals()) == Answered()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=600))
def test_1_any_head_is_read_or_refused(noise: bytes) -> None:
    async def read() -> None:
        reader = asyncio.StreamReader(limit=256)
        reader.feed_data(noise)
        reader.feed_eof()
        with suppress(EOFError, ValueError, PbxProtocolError):
            await read_head(reader)

    asyncio.run(read())


async def test_1_past_the_cap_the_oldest_that_is_no_calls_makes_room() -> None:
    async with placed(max_agi_connections=2) as (pbx, originate, leg):
        oldest, other = [await AgiCaller.dial(pbx) for _ in range(2)]
        caller = await AgiCaller.enter(pbx, originate)
        assert await next_signal(leg.signals()) == Answered()
        assert await oldest.is_closed()
        newest = await AgiCaller.dial(pbx)
        assert await other.is_closed()
        assert newest.is_open
        assert caller.is_open


async def test_1_past_the_cap_no_call_makes_room_for_another_connection() -> None:
    async with attached(max_agi_connections=1) as line:
        assert await (await AgiCaller.dial(line.pbx)).is_closed()
        assert line.caller.is_open


async def test_1_a_flood_shuts_no_call_out_and_is_told_once() -> None:
    async def flood(pbx: AsteriskPbx) -> None:
        heads = ("", "agi_network_script: knock\n\n")
        while True:
            for head in heads * 10:
                (await AgiCaller.dial(pbx)).send(head)

    with capture_logs() as logs:
        async with (
            AmiPeer(answers={"Hangup": hang_up}).serving() as peer,
            connected(peer, max_agi_connections=30) as pbx,
            asyncio.TaskGroup() as tasks,
        ):
            flooding = tasks.create_task(flood(pbx))
            for _ in range(14):
                async with pbx.originate(an_order()) as leg:
                    await AgiCaller.enter(pbx, peer.newest("Originate"))
                    assert await next_signal(leg.signals()) == Answered()
            flooding.cancel()
    assert sum("flooded" in entry["event"] for entry in logs) == 1


async def test_a_stranger_is_refused() -> None:
    async with placed(agi_allowed_peers=("192.0.2.0/24",)) as (pbx, originate, _):
        assert await (await AgiCaller.enter(pbx, originate)).is_closed()


WRONG = [
    {"agi_network_script": "other"},
    {"agi_network_script": ""},
    {"agi_uniqueid": "call_unknown"},
    {"agi_arg_1": "0" * 32},
    {"agi_arg_1": ""},
    {"agi_arg_1": "é"},
]


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_request_that_is_not_its_calls_is_refused_and_the_call_still_attaches(
    wrong: dict[str, str],
) -> None:
    async with placed() as (pbx, originate, leg):
        with capture_logs() as logs:
            assert await (await AgiCaller.enter(pbx, originate, **wrong)).is_closed()
        assert [entry["event"] for entry in logs] == ["FastAGI request refused"]
        await AgiCaller.enter(pbx, originate)
        assert await next_signal(leg.signals()) == Answered()


async def test_a_token_is_good_once() -> None:
    async with attached() as line:
        assert await (await AgiCaller.enter(line.pbx, line.originate)).is_closed()


async def test_2_the_end_of_the_connection_ends_the_leg() -> None:
    async with attached() as line, asyncio.TaskGroup() as tasks:
        digits = tasks.create_task(refused(line.leg))
        await line.caller.command()
        line.caller.hang_up()
        await digits


async def refused(leg: Leg) -> None:
    with pytest.raises(LegEnded):
        await leg.send_digits("1", DtmfTiming())


async def test_2_the_hangup_notice_shifts_no_reply() -> None:
    async with attached() as line, asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(line.leg.play(READING))
        await line.caller.count(sent=5)
        await line.caller.answer("STREAM FILE", "HANGUP\n200 result=-1 endpos=1600\n")
        await line.caller.count(sent=15, cause=16)
        await line.caller.count(sent=15, cause=16)
        playback = await playing
        assert (playback.samples, playback.packets, playback.hung_up) == (1600, 10, True)


async def test_2_a_notice_between_commands_is_no_reply_either() -> None:
    async with attached() as line, asyncio.TaskGroup() as tasks:
        line.caller.send("HANGUP\n")
        await line.caller.count(sent=7, received=9, cause=16)
        assert await line.caller.is_closed()
        assert await line.leg.media() == Media(received=9, sent=7)
        await tasks.create_task(refused(line.leg))


async def test_the_last_words_tell_how_the_line_was() -> None:
    async with attached() as line:
        line.caller.send("HANGUP\n")
        command = await line.caller.command()
        assert {"CHANNEL(rtcp,rxploss)", "CHANNEL(pjsip,call-id)"} <= set(
            re.findall(r"CHANNEL\([a-z,-]+\)", command)
        )
        said = "748|750|0.040000|16|748|750|2|1|0.001500|0.003000|0.040000|(ulaw)|a1b2-c3d4"
        line.caller.send(f"200 result=1 ({said})\n")
        assert await line.caller.is_closed()
        assert await line.leg.media() == Media(received=748, sent=750, reports_back=True)
        assert line.leg.quality == CallQuality(
            sip_call_id="a1b2-c3d4",
            codec="ulaw",
            packets_sent=750,
            packets_received=748,
            lost_sent=1,
            lost_received=2,
            jitter_sent=timedelta(milliseconds=3),
            jitter_received=timedelta(milliseconds=1.5),
            round_trip=timedelta(milliseconds=40),
        )


@pytest.mark.parametrize(
    "said", ["||||||||", "x|x|x|x|nan|-1|inf|x|", "0|0|0|0|0.000000|0.000000|0.000000|()|"]
)
async def test_a_line_that_nothing_is_known_of_has_no_score(said: str) -> None:
    async with attached() as line:
        line.caller.send("HANGUP\n")
        await line.caller.answer("GET FULL VARIABLE", f"200 result=1 (0|0|0|16|{said})\n")
        assert await line.caller.is_closed()
        quality = line.leg.quality
        assert (quality.mos, quality.round_trip, quality.jitter_sent, quality.lost_sent) == (
            None,
            None,
            None,
            None,
        )


async def test_2_wrong_usage_of_many_lines_shifts_no_reply() -> None:
    async with attached() as line, asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(line.leg.play(READING))
        await line.caller.answer("GET", "520-Invalid command syntax.  Proper usage follows:\n200 result=9\n")
        line.caller.send("520 End of proper usage.\n")
        await line.caller.answer("STREAM FILE", "200 result=0 endpos=4000\n")
        await line.caller.count(sent=25)
        assert (await playing).samples == 4000


@pytest.mark.parametrize("value", [b"hangup", b"one\ntwo", b"Zo\xeb|||", b"||||"])
async def test_2_a_strange_variable_shifts_no_reply(value: bytes) -> None:
    async with attached() as line, asyncio.TaskGroup() as tasks:
        media = tasks.create_task(line.leg.media())
        await line.caller.answer("GET FULL VARIABLE", b"200 result=1 (" + value + b")\n")
        assert await media == Media()
        media = tasks.create_task(line.leg.media())
        await line.caller.count(sent=3, received="")
        assert await media == Media(sent=3)


@pytest.mark.parametrize("bad", ['1"', "1\nHANGUP", "1\0", "1,2", "one"])
async def test_2_a_value_that_would_inject_a_command_is_refused(bad: str) -> None:
    async with attached() as line:
        with pytest.raises(UnsafeValue):
            await line.leg.send_digits(bad, DtmfTiming())
        with pytest.raises(UnsafeValue):
            await line.leg.play(READING, bad)
        with pytest.raises(UnsafeValue):
            await line.leg.wait_key(bad, timedelta(seconds=1))


async def test_2_a_command_that_is_not_answered_in_time_ends_the_leg_and_the_channel() -> None:
    async with attached(action_timeout=timedelta(milliseconds=50)) as line:
        with pytest.raises(LegEnded):
            await line.leg.send_digits("1", DtmfTiming())
        await line.peer.until_asked("Hangup")
        # The called person did not hang up: our own side broke.
        assert (await ended(line.leg)).gave_up is GaveUp.PBX_LOST


async def test_2_counts_that_are_not_told_in_time_are_the_pbxs_loss_too() -> None:
    async with attached(action_timeout=timedelta(milliseconds=50)) as line:
        assert await line.leg.media() == Media()
        await line.leg.hang_up()
        assert (await ended(line.leg)).gave_up is GaveUp.PBX_LOST


async def ended(leg: Leg) -> Hangup:
    async for signal in leg.signals():
        if isinstance(signal, Hangup):
            return signal
    pytest.fail("the call has no end")


async def test_2_a_command_has_its_deadline_also_when_nobody_waits_for_it() -> None:
    async with attached(action_timeout=timedelta(milliseconds=50)) as line, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(line.leg.wait_key("1", timedelta(milliseconds=50)))
        await line.caller.command()
        waiting.cancel()
        assert await line.caller.is_closed()


async def test_2_asking_for_counts_while_a_sound_plays_ends_nothing() -> None:
    async with attached(action_timeout=timedelta(milliseconds=150)) as line, asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(line.leg.play(READING))
        await line.caller.count(sent=0)
        await line.caller.command()
        media = tasks.create_task(line.leg.media())
        await asyncio.sleep(0.3)
        line.caller.send("200 result=0 endpos=4000\n")
        await line.caller.count(sent=25)
        await line.caller.count(sent=25)
        assert (await playing).packets == 25
        assert await media == Media(received=0, sent=25)


async def test_2_cancelling_is_not_swallowed_and_the_late_reply_is_read_past() -> None:
    async with attached() as line, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(line.leg.wait_key("1", timedelta(seconds=5)))
        assert (await line.caller.command()).startswith("WAIT FOR DIGIT")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        media = tasks.create_task(line.leg.media())
        line.caller.send("200 result=49\n")
        await line.caller.count(sent=4)
        assert await media == Media(received=0, sent=4)


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=1, max_size=200))
def test_2_garbage_for_a_reply_ends_the_leg_and_nothing_else(noise: bytes) -> None:
    async def run() -> None:
        async with attached() as line, asyncio.TaskGroup() as tasks:
            playing = tasks.create_task(line.leg.play(READING))
            await line.caller.command()
            line.caller.send(noise + b"\n")
            line.caller.hang_up()
            playback = await playing
            assert not playback.samples
            assert line.pbx.is_connected

    with capture_logs():
        asyncio.run(run())


async def test_2_a_command_is_sent_only_after_the_reply_to_the_last() -> None:
    async with attached() as line, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(line.leg.wait_key("1", timedelta(seconds=5)))
        assert (await line.caller.command()).startswith("WAIT FOR DIGIT")
        media = tasks.create_task(line.leg.media())
        given_up = tasks.create_task(line.leg.media())
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(line.caller.reader.readline(), 0.05)
        line.caller.send("200 result=49\n")
        await line.caller.count(sent=6)
        assert await media == Media(received=0, sent=6)
        assert await waiting == "1"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(line.caller.reader.readline(), 0.05)


async def test_a_reply_to_no_command_ends_the_connection() -> None:
    async with attached() as line:
        line.caller.send("200 result=0\n")
        assert await line.caller.is_closed()
