"""What panoramisk 1.4 does wrong over AMI, one test each: the numbers are those of its list of traps."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from tests.unit.adapters.listener import Listener
from tests.unit.adapters.pbx.asterisk.peers import (
    BRISK,
    AmiPeer,
    AsteriskPbx,
    Message,
    an_order,
    connected,
    next_signal,
    settings_for,
    silent,
    until_connected,
    until_lost,
)
from voicegate.adapters.pbx.asterisk.ami import AmiClient
from voicegate.adapters.pbx.asterisk.ami_events import AmiEvent, ChannelEnded
from voicegate.adapters.pbx.asterisk.ami_link import GuardedManager
from voicegate.adapters.pbx.common.connection import ReconnectPolicy, keep_connected
from voicegate.domain.call import Rang
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.errors import PbxRefused, PbxUnavailable, ReplyLost, UnsafeValue
from voicegate.domain.routing import CallerId
from voicegate.lab.deadlines import within


@pytest.fixture
async def peer() -> AsyncIterator[AmiPeer]:
    async with AmiPeer().serving() as peer:
        yield peer


class Running:
    """A client with its supervisor as a task."""

    def __init__(self, peer: AmiPeer, **changes: object) -> None:
        self.listener = Listener[AmiEvent]()
        self.client = AmiClient(settings_for(peer, **changes), self.listener.on_event, self.listener)

    async def __aenter__(self) -> "Running":
        self.task = asyncio.create_task(keep_connected(self.client, BRISK, pbx="lab", wire="AMI"))
        await self.until_connected()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task

    async def until_connected(self) -> None:
        async with within(5):
            while not self.client.ready.is_set():
                await asyncio.sleep(0.002)


async def test_1_an_unanswered_originate_is_never_sent_again_after_a_reconnect(peer: AmiPeer) -> None:
    peer.answers["Originate"] = silent
    async with connected(peer) as pbx, asyncio.TaskGroup() as tasks:

        async def place() -> None:
            async with pbx.originate(an_order()) as leg:
                signals = leg.signals()
                assert await next_signal(signals) == Hangup(gave_up=GaveUp.PBX_LOST)

        tasks.create_task(place())
        await peer.until_asked("Originate")
        peer.cut()
        # The resync asks for the channel, and the PBX does not have it.
        await peer.until_asked("Status")
        await until_connected(pbx)
        # What an older self would send again comes before the answer to this.
        await pbx.trunk_states()
    assert peer.names().count("Originate") == 1


async def test_1_a_lost_connection_fails_what_waits_and_clears_it(peer: AmiPeer) -> None:
    peer.answers["Status"] = silent
    async with Running(peer) as running, asyncio.TaskGroup() as tasks:

        async def ask() -> None:
            with pytest.raises(ReplyLost):
                await running.client.ask("Status", {"Channel": "call_x"})

        tasks.create_task(ask())
        await peer.until_asked("Status")
        peer.cut()


async def test_1_no_logger_of_panoramisk_ever_writes_an_action(
    peer: AmiPeer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    peer.answers["Originate"] = silent
    async with connected(peer) as pbx:
        async with pbx.originate(an_order()):
            peer.cut()
        await until_connected(pbx)
    assert not [record for record in caplog.records if record.name.startswith("panoramisk")]
    assert "open sesame" not in caplog.text
    assert "2025550143" not in caplog.text


@pytest.mark.parametrize("bad", ["x\r\nAction: Originate", "x\nAction: Originate", "x\0"])
async def test_2_a_line_end_in_a_value_never_reaches_the_wire(peer: AmiPeer, bad: str) -> None:
    async with Running(peer) as running:
        before = bytes(peer.raw)
        for fields in ({"Channel": bad}, {bad: "x"}, {"Variable": ["a=b", bad]}):
            with pytest.raises(UnsafeValue):
                await running.client.ask("Hangup", fields)
        await running.client.ask("Ping", {})
        assert bytes(peer.raw)[len(before) :].count(b"Action: ") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "+12025550143@other"},
        {"number": "1&PJSIP/2"},
        {"number": ""},
        {"number": "+1\r\nAction: Logoff"},
        {"endpoint": "carrier/x"},
        {"endpoint": "carrier&PJSIP"},
        {"caller_id": CallerId("+1202", 'a" <900>')},
        {"caller_id": CallerId("+1202", "a<b>")},
        {"caller_id": CallerId("+1202>", "a")},
    ],
)
async def test_2_an_order_that_the_pbx_would_misread_is_refused(
    peer: AmiPeer, changes: dict[str, object]
) -> None:
    async with connected(peer) as pbx:
        with pytest.raises(UnsafeValue):
            async with pbx.originate(an_order(**changes)):
                pytest.fail("placed")
        assert "Originate" not in peer.names()


async def test_3_an_originate_is_asynchronous_and_its_late_response_is_an_event(peer: AmiPeer) -> None:
    async with connected(peer) as pbx, pbx.originate(an_order()) as leg:
        originate = peer.newest("Originate")
        assert originate["Async"] == "true"
        peer.event(
            "OriginateResponse",
            ActionID=originate["ActionID"],
            Response="Failure",
            Reason="0",
            Uniqueid=originate["ChannelId"],
        )
        assert await next_signal(leg.signals()) == Hangup(is_unreachable=True)


async def test_3_an_originate_that_would_kill_the_connection_is_not_sent() -> None:
    manager = GuardedManager("lab", lambda message: None)
    for fields, as_list in (({}, False), ({"Async": "true"}, None), ({"Async": "true"}, True)):
        with pytest.raises(ValueError, match="asynchronous"):
            manager.send_fields("Originate", fields, as_list)


async def test_3_an_error_instead_of_a_list_is_a_reply_and_not_a_silence(peer: AmiPeer) -> None:
    peer.answers["DeviceStateList"] = lambda peer, message: "Response: Error\r\nMessage: Permission denied"
    async with Running(peer) as running:
        reply = await running.client.ask("DeviceStateList", {})
        assert (reply.is_success, reply.message, reply.items) == (False, "Permission denied", ())


async def test_4_an_exception_in_handling_costs_one_event_and_not_the_connection(peer: AmiPeer) -> None:
    async with Running(peer) as running:
        running.listener.is_broken = True
        first = "Event: Hangup\r\nUniqueid: call_1\r\n\r\n"
        with capture_logs() as logs:
            # Both in one chunk: the second must not fall with the first.
            peer.say(first + first.replace("call_1", "call_2"))
            async with within(5):
                await running.listener.news.wait()
        assert running.listener.heard == [ChannelEnded("call_2", None, None)]
        assert [entry["log_level"] for entry in logs] == ["error"]
        assert (await running.client.ask("Ping", {})).is_success
        assert peer.connections == 1


async def test_5_an_action_that_timed_out_does_not_swallow_what_comes_late(peer: AmiPeer) -> None:
    peer.answers["Originate"] = silent
    timeout = timedelta(milliseconds=50)
    async with connected(peer, action_timeout=timeout) as pbx, pbx.originate(an_order()) as leg:
        originate = peer.newest("Originate")
        ids = {"ActionID": originate["ActionID"], "Uniqueid": originate["ChannelId"]}
        peer.say(f"Response: Success\r\nActionID: {ids['ActionID']}\r\nMessage: queued\r\n\r\n")
        peer.event("Newstate", Uniqueid=ids["Uniqueid"], ChannelState="5")
        peer.event("Hangup", Uniqueid=ids["Uniqueid"], Cause="19", TechCause="480")
        peer.event("OriginateResponse", Response="Failure", Reason="3", **ids)
        signals = leg.signals()
        assert await next_signal(signals) == Rang()
        assert await next_signal(signals) == Hangup(cause=19, gave_up=GaveUp.RING_TIMEOUT)


async def test_5_a_timed_out_action_is_forgotten(peer: AmiPeer) -> None:
    peer.answers["Status"] = silent
    async with Running(peer, action_timeout=timedelta(milliseconds=30)) as running:
        for _ in range(5):
            with pytest.raises(ReplyLost):
                await running.client.ask("Status", {})
        manager = running.client._manager
        assert manager is not None
        assert not manager.protocol.responses
        assert not manager.awaiting_actions


async def test_6_a_dead_peer_is_noticed_and_left(peer: AmiPeer) -> None:
    async with Running(peer):
        peer.answers["Ping"] = silent
        await peer.until(lambda: peer.connections == 2)
    assert peer.logins >= 1


async def test_6_a_silent_peer_that_answers_pings_is_kept(peer: AmiPeer) -> None:
    async with Running(peer):
        await peer.until_asked("Ping", times=3)
    assert peer.connections == 1


async def test_6_a_refused_secret_gives_an_alarm_and_a_slow_pace(peer: AmiPeer) -> None:
    peer.answers["Login"] = lambda peer, message: "Response: Error\r\nMessage: Authentication failed"
    pace = ReconnectPolicy(first_delay=timedelta(milliseconds=1), refused_delay=timedelta(milliseconds=200))
    listener = Listener[AmiEvent]()
    client = AmiClient(settings_for(peer, pace=pace), listener.on_event, listener)
    with capture_logs() as logs:
        task = asyncio.create_task(keep_connected(client, pace, pbx="lab", wire="AMI"))
        await peer.until_asked("Login")
        started = asyncio.get_running_loop().time()
        await peer.until_asked("Login", times=2)
        took = asyncio.get_running_loop().time() - started
        task.cancel()
    assert took >= 0.1
    assert [entry["log_level"] for entry in logs][:1] == ["error"]
    assert "check username and secret" in logs[0]["event"]
    assert "open sesame" not in str(logs)


async def test_6_a_peer_that_is_silent_at_log_in_is_tried_again_and_named_so(peer: AmiPeer) -> None:
    peer.answers["Login"] = silent
    with capture_logs() as logs:
        async with AsteriskPbx(settings_for(peer, action_timeout=timedelta(milliseconds=100))):
            await peer.until(lambda: peer.connections == 4)
    assert {entry["why"] for entry in logs if "retry_s" in entry} == {"no answer in time"}


async def test_6_a_call_finds_a_pbx_that_is_back_before_its_next_try_is_due(peer: AmiPeer) -> None:
    async with connected(peer, pace=ReconnectPolicy(first_delay=timedelta(seconds=30))) as pbx:
        peer.cut()
        await until_lost(pbx)
        async with pbx.originate(an_order()):
            assert [message["Action"] for message in peer.asked][-1] == "Originate"


async def test_a_peer_that_is_no_asterisk_is_named_so(peer: AmiPeer) -> None:
    peer.greeting = b"SSH-2.0-OpenSSH_9.2p1\r\n"
    with capture_logs() as logs:
        async with AsteriskPbx(settings_for(peer)):
            await peer.until(lambda: peer.connections == 2)
    assert "does not greet" in logs[0]["why"]


async def test_6_closing_during_a_reconnect_leaves_no_zombie(peer: AmiPeer) -> None:
    pace = ReconnectPolicy(first_delay=timedelta(seconds=30))
    async with connected(peer, pace=pace) as pbx:
        peer.cut()
        await until_lost(pbx)
    assert len(asyncio.all_tasks()) <= 2 + len(peer._tasks)
    assert peer.connections == 1


async def test_6_a_pbx_that_is_down_at_the_start_is_used_as_soon_as_it_comes() -> None:
    peer = AmiPeer()
    async with peer.serving():
        pass
    async with AsteriskPbx(settings_for(peer)) as pbx:
        assert not pbx.is_connected
        async with peer.serving():
            await until_connected(pbx)


async def test_7_a_flood_of_other_peoples_events_is_neither_queued_nor_in_the_way(peer: AmiPeer) -> None:
    async with connected(peer) as pbx, pbx.originate(an_order()) as leg:
        call_id = peer.newest("Originate")["ChannelId"]
        tasks_before = len(asyncio.all_tasks())
        noise = "Event: Newstate\r\nUniqueid: other\r\nChannelState: 5\r\n\r\n" * 20_000
        peer.say(noise)
        peer.event("Newstate", Uniqueid=call_id, ChannelState="5")
        assert await next_signal(leg.signals()) == Rang()
        assert len(asyncio.all_tasks()) <= tasks_before


async def test_7_a_hangup_that_fell_into_a_gap_is_found_by_the_resync(peer: AmiPeer) -> None:
    async with connected(peer) as pbx, pbx.originate(an_order()) as leg:
        peer.event("Newstate", Uniqueid=peer.newest("Originate")["ChannelId"], ChannelState="5")
        signals = leg.signals()
        assert await next_signal(signals) == Rang()
        peer.cut()
        assert await next_signal(signals) == Hangup(gave_up=GaveUp.PBX_LOST)


async def test_7_a_call_that_outlives_the_gap_goes_on(peer: AmiPeer) -> None:
    def ringing(peer: AmiPeer, message: Message) -> None:
        ids = f"ActionID: {message['ActionID']}\r\n"
        peer.say(f"Response: Success\r\n{ids}EventList: start\r\nMessage: Channel status will follow\r\n\r\n")
        peer.say(f"Event: Status\r\n{ids}Uniqueid: {message['Channel']}\r\nChannelState: 5\r\n\r\n")
        peer.say(f"Event: StatusComplete\r\n{ids}EventList: Complete\r\nListItems: 1\r\n\r\n")

    peer.answers["Status"] = ringing
    async with connected(peer) as pbx, pbx.originate(an_order()) as leg:
        originate = peer.newest("Originate")
        peer.cut()
        signals = leg.signals()
        assert await next_signal(signals) == Rang()
        await until_connected(pbx)
        ids = {"Uniqueid": originate["ChannelId"]}
        peer.event("Hangup", Cause="17", TechCause="486", **ids)
        peer.event("OriginateResponse", ActionID=originate["ActionID"], Response="Failure", Reason="0", **ids)
        assert await next_signal(signals) == Hangup(cause=17, sip_status=486)


async def test_9_nothing_is_sent_while_not_connected() -> None:
    peer = AmiPeer()
    async with peer.serving():
        pass
    async with AsteriskPbx(settings_for(peer)) as pbx:
        with pytest.raises(PbxUnavailable):
            async with pbx.originate(an_order()):
                pytest.fail("placed")
        assert await pbx.trunk_states() == {}


async def test_a_call_to_end_is_remembered_until_the_pbx_is_there(peer: AmiPeer) -> None:
    pbx = AsteriskPbx(settings_for(peer))
    await pbx.hang_up("call_1")
    async with pbx:
        hangup = await peer.until_asked("Hangup")
    assert hangup["Channel"] == "call_1"


async def test_garbage_from_the_peer_is_logged_and_survived(peer: AmiPeer) -> None:
    with capture_logs() as logs:
        async with connected(peer) as pbx:
            peer.say(b"\xff\xfe\x00 garbage \r\n\r\n")
            await peer.until(lambda: peer.connections == 2)
            await until_connected(pbx)
            async with pbx.originate(an_order()):
                assert peer.names()[-1] == "Originate"
    assert any("neither an event nor a response" in str(entry.get("why")) for entry in logs)


async def test_a_refused_originate_places_no_call(peer: AmiPeer) -> None:
    peer.answers["Originate"] = lambda peer, message: "Response: Error\r\nMessage: Extension does not exist"
    async with connected(peer) as pbx:
        with pytest.raises(PbxRefused, match="Extension"):
            async with pbx.originate(an_order()):
                pytest.fail("placed")


async def test_a_call_id_is_placed_once_only(peer: AmiPeer) -> None:
    order = an_order()
    peer.answers["Originate"] = lambda peer, message: "Response: Error\r\nMessage: No"
    async with connected(peer) as pbx:
        for _ in range(2):
            with pytest.raises(PbxRefused):
                async with pbx.originate(order):
                    pytest.fail("placed")
    assert peer.names().count("Originate") == 1


async def test_no_calls_are_placed_before_the_pbx_has_its_dialplan(peer: AmiPeer) -> None:
    values = iter(["", "0", "1"])
    peer.answers["Getvar"] = lambda peer, message: f"Response: Success\r\nValue: {next(values)}"
    async with AsteriskPbx(settings_for(peer)) as pbx:
        await peer.until_asked("Getvar", times=2)
        assert not pbx.is_connected
        await until_connected(pbx)
    assert peer.asked[2]["Variable"] == "DIALPLAN_EXISTS(voicegate-answered,s,1)"
