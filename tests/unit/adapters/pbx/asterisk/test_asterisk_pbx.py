"""Asterisk as a `Pbx`, against both wires' other ends: what is sent, and what is told of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
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
    settings_for,
    until_connected,
    until_lost,
)
from voicegate.adapters.pbx.common import supervised_leg
from voicegate.adapters.pbx.common.connection import ReconnectPolicy, Secret
from voicegate.application.ports import DtmfTiming, Leg, LegSignal
from voicegate.domain.call import Answered, Media, Playback, Rang
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.errors import LegEnded


@dataclass
class Line:
    """An answered call."""

    pbx: AsteriskPbx
    peer: AmiPeer
    originate: Message
    leg: Leg
    caller: AgiCaller
    signals: AsyncIterator[LegSignal]

    def tell(self, event: str, **headers: str) -> None:
        self.peer.event(event, Uniqueid=self.originate["ChannelId"], **headers)


SLOW = ReconnectPolicy(first_delay=timedelta(milliseconds=200))


@pytest.fixture
async def peer() -> AsyncIterator[AmiPeer]:
    async with AmiPeer(answers={"Hangup": hang_up}).serving() as peer:
        yield peer


@asynccontextmanager
async def talking(peer: AmiPeer, **changes: object) -> AsyncIterator[Line]:
    async with connected(peer, **changes) as pbx, pbx.originate(an_order()) as leg:
        originate = peer.newest("Originate")
        signals = leg.signals()
        caller = await AgiCaller.enter(pbx, originate)
        assert await next_signal(signals) == Answered()
        yield Line(pbx, peer, originate, leg, caller, signals)


async def test_an_originate_says_all_that_the_dialplan_needs_and_no_code(peer: AmiPeer) -> None:
    order = an_order()
    order = replace(
        order, hop=replace(order.hop, trunk=replace(order.hop.trunk, ring_timeout=timedelta(seconds=7)))
    )
    async with connected(peer) as pbx:
        async with pbx.originate(order):
            asked = dict(peer.newest("Originate"))
            variables = dict(line.split("=", 1) for line in asked.pop("Variable").split("\n"))
            token = variables.pop("VOICEGATE_TOKEN")
            action_id = asked.pop("ActionID")
        assert asked == {
            "Action": "Originate",
            "Channel": "PJSIP/+12025550143@carrier",
            "ChannelId": order.call_id,
            "Context": "voicegate-answered",
            "Exten": "s",
            "Priority": "1",
            "Timeout": "7000",
            "CallerID": '"Example" <+12025550100>',
            "Async": "true",
        }
        assert variables == {
            "VOICEGATE_AGI": pbx.driver.agi.address,
            "VOICEGATE_APOLOGY": "en/apology",
            "FORWARD_CONTEXT": "voicegate-reject-forward",
        }
        assert len(token) == 32
        assert action_id not in ("", token)


async def test_an_internal_extension_is_dialed_as_its_endpoint(peer: AmiPeer) -> None:
    async with connected(peer) as pbx, pbx.originate(an_order(endpoint="100", number=None)):
        assert peer.newest("Originate")["Channel"] == "PJSIP/100"


async def test_a_desk_that_the_pbx_does_not_have_is_told_so_and_not_dialed(peer: AmiPeer) -> None:
    peer.answers["Getvar"] = lambda peer, asked: (
        "Response: Success\r\nValue: "
        + ("INVALID" if asked["Variable"] == "DEVICE_STATE(PJSIP/100)" else "1")
    )
    async with connected(peer) as pbx, pbx.originate(an_order(endpoint="100", number=None)) as leg:
        assert await next_signal(leg.signals()) == Hangup(cause=1)
    assert "Originate" not in peer.names()


async def test_a_trunk_that_the_pbx_does_not_have_is_our_settings_fault(peer: AmiPeer) -> None:
    """Not the carrier's, and not its PBX's way to it: nothing is dialed, and the next trunk may be."""
    peer.answers["Getvar"] = lambda peer, asked: (
        "Response: Success\r\nValue: "
        + ("INVALID" if asked["Variable"] == "DEVICE_STATE(PJSIP/carrier)" else "1")
    )
    with capture_logs() as logs:
        async with connected(peer) as pbx, pbx.originate(an_order(endpoint="carrier")) as leg:
            assert await next_signal(leg.signals()) == Hangup(gave_up=GaveUp.PBX_UNAVAILABLE)
    assert "Originate" not in peer.names()
    (told,) = [entry for entry in logs if entry["event"] == "trunk unknown to PBX"]
    assert (told["setting"], told["endpoint"]) == ("trunks.carrier.endpoint", "carrier")


async def test_a_sound_is_played_and_its_packets_are_counted(peer: AmiPeer) -> None:
    async with talking(peer) as line, asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(line.leg.play(READING, "*"))
        await line.caller.count(sent=10)
        await line.caller.answer(
            f'STREAM FILE "{READING.path}" "*"', f"200 result=0 endpos={READING.samples}\n"
        )
        await line.caller.count(sent=35)
        playback = await playing
        assert playback.elapsed > timedelta()
        assert replace(playback, elapsed=timedelta()) == Playback(READING.samples, timedelta(), packets=25)


PLAYED = [
    ("200 result=42 endpos=1600\n", Playback(1600, timedelta(), packets=0, key="*")),
    ("200 result=-1 endpos=0\n", Playback(0, timedelta(), packets=0)),
    ("200 result=-1 endpos=99\n", Playback(99, timedelta(), packets=0, hung_up=True)),
    ("511 Command Not Permitted on a dead channel\n", Playback(0, timedelta(), packets=None, hung_up=True)),
]


@pytest.mark.parametrize(("reply", "expected"), PLAYED)
async def test_what_cut_a_sound_short_is_told(peer: AmiPeer, reply: str, expected: Playback) -> None:
    async with talking(peer) as line, asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(line.leg.play(READING, "*"))
        await line.caller.count(sent=10)
        await line.caller.answer("STREAM FILE", reply)
        if expected.packets is not None:
            await line.caller.count(sent=10)
        assert replace(await playing, elapsed=timedelta()) == expected


async def test_a_hold_within_a_sound_is_told(peer: AmiPeer) -> None:
    async with talking(peer) as line, asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(line.leg.play(READING))
        await line.caller.count(sent=10)
        await line.caller.command()
        line.tell("Hold")
        line.tell("Unhold")
        await line.pbx.trunk_states()
        line.caller.send(f"200 result=0 endpos={READING.samples}\n")
        await line.caller.count(sent=35)
        assert (await playing).held


async def test_digits_are_sent_with_their_timing(peer: AmiPeer) -> None:
    async with talking(peer) as line, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(line.leg.send_digits("wW12#", DtmfTiming()))
        await line.caller.answer('EXEC SendDTMF "wW12#,250,120"', "200 result=0\n")
        await sending


async def test_another_key_does_not_end_the_wait_for_one(peer: AmiPeer) -> None:
    async with talking(peer) as line, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(line.leg.wait_key("7", timedelta(seconds=9)))
        await line.caller.answer("WAIT FOR DIGIT", "200 result=49\n")
        await line.caller.answer("WAIT FOR DIGIT", "200 result=55\n")
        assert await waiting == "7"


async def test_no_key_in_time_is_none(peer: AmiPeer) -> None:
    async with talking(peer) as line, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(line.leg.wait_key("7", timedelta(milliseconds=20)))
        await line.caller.command()
        await asyncio.sleep(0.03)
        line.caller.send("200 result=0\n")
        assert await waiting is None


async def test_the_dead_channel_is_asked_for_its_counts_and_let_go(peer: AmiPeer) -> None:
    async with talking(peer) as line:
        line.caller.send("HANGUP\n")
        await line.caller.count(sent=101, received=50, cause=16)
        assert await line.caller.is_closed()
        line.tell("HangupRequest", Cause="16")
        line.tell("Hangup", Cause="16")
        assert await next_signal(line.signals) == Hangup(cause=16)
        assert await line.leg.media() == Media(received=50, sent=101)
        with pytest.raises(LegEnded):
            await line.leg.wait_key("1", timedelta(seconds=1))
        assert (await line.leg.play(READING)).hung_up


async def test_a_channel_that_was_dead_before_fastagi_began_is_let_go(peer: AmiPeer) -> None:
    """No notice comes of it, and Asterisk keeps it until the connection is closed."""
    async with talking(peer) as line, asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(line.leg.play(READING, "*"))
        await line.caller.count(sent=0)
        await line.caller.answer("STREAM FILE", "511 Command Not Permitted on a dead channel\n")
        await line.caller.count(sent=2, received=1, cause=16)
        assert await line.caller.is_closed()
        assert (await playing).hung_up
        line.tell("HangupRequest", Cause="16")
        line.tell("Hangup", Cause="16")
        assert await next_signal(line.signals) == Hangup(cause=16)
        assert await line.leg.media() == Media(received=1, sent=2)
    assert "Hangup" not in peer.names()


async def test_a_channel_that_nobody_takes_over_is_not_cut_short(peer: AmiPeer) -> None:
    """Asterisk says then that it is sorry."""
    async with connected(peer) as pbx, pbx.originate(an_order()) as leg:
        call_id = peer.newest("Originate")["ChannelId"]
        peer.event("Newstate", Uniqueid=call_id, ChannelState="6")
        playing = asyncio.create_task(leg.play(READING))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(playing), 0.05)
        peer.event("Hangup", Uniqueid=call_id, Cause="16")
        assert (await playing).hung_up
        ended = Hangup(cause=16, gave_up=GaveUp.CONTROLLER_UNREACHABLE)
        assert [signal async for signal in leg.signals()] == [Answered(), ended]
    assert "Hangup" not in peer.names()


async def test_a_hangup_that_does_not_take_closes_fastagi(
    peer: AmiPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised_leg, "_RETRY", 0.02)
    peer.answers["Hangup"] = lambda peer, message: "Response: Success\r\nMessage: Channel Hungup"
    async with talking(peer) as line:
        await line.leg.hang_up()
        assert await line.caller.command() == "HANGUP"
        assert await line.caller.is_closed()
        assert peer.names().count("Hangup") >= 2
        line.tell("Hangup", Cause="0")
        assert await next_signal(line.signals) == Hangup(cause=0)


async def test_without_ami_a_call_is_hung_up_over_fastagi(peer: AmiPeer) -> None:
    async with talking(peer, lost_grace=timedelta(seconds=9), pace=SLOW) as line:
        peer.cut()
        await until_lost(line.pbx)
        await line.leg.hang_up()
        await line.caller.answer("HANGUP", "200 result=1\nHANGUP\n")
        await line.caller.count(sent=1, cause=16)
        assert await line.caller.is_closed()
        assert await next_signal(line.signals) == Hangup(cause=16)


async def test_a_lost_pbx_ends_calls_after_its_grace_and_strays_once_it_is_back(peer: AmiPeer) -> None:
    async with connected(peer, pace=SLOW, lost_grace=timedelta(milliseconds=50)) as pbx:
        async with pbx.originate(an_order()) as leg:
            call_id = peer.newest("Originate")["ChannelId"]
            peer.event("Newstate", Uniqueid=call_id, ChannelState="5")
            signals = leg.signals()
            assert await next_signal(signals) == Rang()
            peer.cut()
            assert await next_signal(signals) == Hangup(gave_up=GaveUp.PBX_LOST)
        assert "Hangup" not in peer.names()
        assert (await peer.until_asked("Hangup"))["Channel"] == call_id
        await until_connected(pbx)


async def test_a_hangup_asked_for_before_the_channel_exists_is_repeated_when_it_does(peer: AmiPeer) -> None:
    peer.answers["Hangup"] = lambda peer, message: "Response: Error\r\nMessage: No such channel"
    async with connected(peer) as pbx, pbx.originate(an_order()) as leg:
        call_id = peer.newest("Originate")["ChannelId"]
        await leg.hang_up()
        await peer.until_asked("Hangup")
        peer.answers["Hangup"] = hang_up
        peer.event("DialBegin", DestUniqueid=call_id)
        await peer.until_asked("Hangup", times=2)


async def test_a_right_that_is_missing_is_no_proof_that_a_channel_is_gone(peer: AmiPeer) -> None:
    refuse = lambda peer, message: "Response: Error\r\nMessage: Permission denied"  # noqa: E731
    peer.answers |= {"Hangup": refuse, "Status": refuse}
    with capture_logs() as logs:
        async with connected(peer) as pbx, pbx.originate(an_order()) as leg:
            call_id = peer.newest("Originate")["ChannelId"]
            peer.event("Newstate", Uniqueid=call_id, ChannelState="6")
            peer.cut()
            await peer.until_asked("Status")
            await until_connected(pbx)
            await leg.hang_up()
            await peer.until_asked("Hangup")
            peer.event("Hangup", Uniqueid=call_id, Cause="0")
            signals = leg.signals()
            assert [await next_signal(signals), await next_signal(signals)] == [Answered(), Hangup(cause=0)]
    assert sum("missing?" in entry["event"] for entry in logs) == 2


async def test_leaving_the_context_ends_a_live_call(peer: AmiPeer) -> None:
    async with connected(peer) as pbx:
        with pytest.raises(ZeroDivisionError):
            async with pbx.originate(an_order()):
                raise ZeroDivisionError
        assert "Hangup" in peer.names()


async def test_closing_ends_live_calls_and_passes_the_bodys_error_on(peer: AmiPeer) -> None:
    async def body() -> None:
        async with connected(peer) as pbx:
            call = pbx.originate(an_order())
            await call.__aenter__()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await body()
    assert "Hangup" in peer.names()


async def test_trunk_states_are_in_our_words(peer: AmiPeer) -> None:
    devices = {
        "PJSIP/carrier": "NOT_INUSE",
        "PJSIP/busy": "INUSE",
        "PJSIP/down": "UNAVAILABLE",
        "PJSIP/odd": "UNKNOWN",
        "Local/x": "NOT_INUSE",
    }

    def states(peer: AmiPeer, message: Message) -> None:
        ids = f"ActionID: {message['ActionID']}\r\n"
        peer.say(f"Response: Success\r\n{ids}EventList: start\r\nMessage: will follow\r\n\r\n")
        for device, state in devices.items():
            peer.say(f"Event: DeviceStateChange\r\n{ids}Device: {device}\r\nState: {state}\r\n\r\n")
        peer.say(f"Event: DeviceStateListComplete\r\n{ids}EventList: Complete\r\nListItems: 5\r\n\r\n")

    peer.answers["DeviceStateList"] = states
    async with connected(peer) as pbx:
        assert await pbx.trunk_states() == {
            "carrier": "available",
            "busy": "in_use",
            "down": "unreachable",
            "odd": "unknown",
        }


async def test_a_pbx_that_is_still_booting_tells_no_states(peer: AmiPeer) -> None:
    peer.answers["Getvar"] = lambda peer, message: "Response: Success\r\nValue: 0"
    async with AsteriskPbx(settings_for(peer)) as pbx:
        await peer.until_asked("Getvar")
        assert (pbx.is_connected, await pbx.trunk_states()) == (False, {})
    assert "DeviceStateList" not in peer.names()


async def test_an_orphan_is_hung_up_by_its_id(peer: AmiPeer) -> None:
    async with connected(peer) as pbx:
        await pbx.hang_up("call_orphan")
    assert "call_orphan" in [message["Channel"] for message in peer.asked if message["Action"] == "Hangup"]


def test_settings_do_not_show_the_secret() -> None:
    settings = settings_for(AmiPeer())
    assert "sesame" not in repr(settings)
    assert "sesame" not in str(Secret("open sesame"))


async def test_the_address_for_the_pbx_can_be_another_than_ours(peer: AmiPeer) -> None:
    async with AsteriskPbx(
        settings_for(peer, agi_advertised_host="2001:db8::1", agi_advertised_port=99)
    ) as pbx:
        assert pbx.driver.agi.address == "agi://[2001:db8::1]:99/call"
