"""What greenswitch 0.0.19 does wrong, one test each: the numbers are those of its list of traps."""

import asyncio
import socket
import sys
import threading
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from tests.unit.adapters.listener import Listener
from tests.unit.adapters.pbx.freeswitch.peers import (
    BRISK,
    an_order,
    connected,
    freeswitch_pbx,
    next_signal,
    settings_for,
    until_connected,
    until_lost,
)
from tests.wire.switch import PASSWORD, USER, Switch
from voicegate.adapters.pbx.common.connection import ReconnectPolicy, Secret, keep_connected
from voicegate.adapters.pbx.freeswitch.esl import EslClient
from voicegate.adapters.pbx.freeswitch.esl_events import EslEvent, JobDone, Moved, Step
from voicegate.adapters.pbx.freeswitch.esl_link import MAX_WAITING, EslLink
from voicegate.adapters.pbx.freeswitch.esl_wire import Frame
from voicegate.domain.call import Rang
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.errors import PbxUnavailable, ReplyLost, UnsafeValue
from voicegate.domain.routing import CallerId
from voicegate.lab.deadlines import at_most, within


class Running:
    """A client with its supervisor as a task."""

    def __init__(self, switch: Switch, **changes: object) -> None:
        self.listener = Listener[EslEvent]()
        self.client = EslClient(settings_for(switch, **changes), self.listener.on_event, self.listener)

    async def __aenter__(self) -> "Running":
        self.task = asyncio.create_task(keep_connected(self.client, BRISK, pbx="lab", wire="ESL"))
        async with within(5):
            while not self.client.ready.is_set():
                await asyncio.sleep(0.002)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task


def silent(switch: Switch, argument: str) -> None:
    """An answer that never comes."""


def plain(text: str) -> str:
    return f"Content-Length: {len(text)}\nContent-Type: text/event-plain\n\n{text}"


def moved(name: str, call_id: str, **headers: str) -> str:
    extra = "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in headers.items())
    return plain(f"Event-Name: {name}\nUnique-ID: {call_id}\n{extra}\n")


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    async with Switch().serving() as switch:
        yield switch


@pytest.fixture(autouse=True)
def no_thread_left() -> object:
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("ESL"):
            thread.join(timeout=at_most(5))
            assert not thread.is_alive()


def test_0_nothing_of_the_process_is_monkey_patched() -> None:
    assert "gevent" in sys.modules
    assert threading.Thread.start.__module__ == "threading"
    assert socket.socket.__module__ == "socket"


async def test_1_a_peer_that_accepts_and_says_nothing_is_left(switch: Switch) -> None:
    switch.greeting = b""
    with capture_logs() as logs:
        async with freeswitch_pbx(settings_for(switch, command_timeout=timedelta(milliseconds=30))):
            await switch.until(lambda: switch.connections == 3)
    assert switch.logins == 0
    assert all(entry["event"] == "ESL down" for entry in logs)


async def test_1_a_peer_that_goes_silent_is_noticed_and_left(switch: Switch) -> None:
    async with Running(switch):
        switch.answers["status"] = silent
        await switch.until(lambda: switch.connections == 2)


async def test_1_a_silent_peer_that_answers_pings_is_kept(switch: Switch) -> None:
    async with Running(switch):
        await switch.until_asked("api status", times=3)
    assert switch.connections == 1


async def test_1_a_command_without_an_answer_is_given_up_and_its_late_reply_is_nobody_elses(
    switch: Switch,
) -> None:
    switch.answers["slow"] = silent
    async with Running(switch, command_timeout=timedelta(milliseconds=50)) as running:
        with pytest.raises(ReplyLost):
            await running.client.api("slow")
        switch.say("Content-Type: api/response\nContent-Length: 4\n\nlate")
        switch.resume()
        assert await running.client.api("module_exists mod_sofia") == "true"


async def test_1_a_lost_connection_fails_what_waits(switch: Switch) -> None:
    switch.answers["slow"] = silent
    async with Running(switch) as running, asyncio.TaskGroup() as tasks:

        async def ask() -> None:
            with pytest.raises(ReplyLost):
                await running.client.api("slow")

        tasks.create_task(ask())
        await switch.until_asked("api slow")
        switch.cut()


async def test_2_a_line_end_in_a_value_forges_no_header(switch: Switch) -> None:
    async with Running(switch) as running:
        forged = "x%0AEvent-Name: CHANNEL_ANSWER%0AUnique-ID: call_victim"
        switch.say(moved("CHANNEL_PROGRESS", "call_1", Caller_Caller_ID_Name=forged))
        async with within(5):
            await running.listener.news.wait()
        assert running.listener.heard == [Moved("call_1", Step.RINGING, "call_1")]


async def test_3_the_body_of_a_background_job_overwrites_no_header(switch: Switch) -> None:
    async with Running(switch) as running:
        body = "-ERR x\nJob-UUID: theirs\nEvent-Name: CHANNEL_ANSWER\nUnique-ID: call_victim\n"
        text = f"Event-Name: BACKGROUND_JOB\nJob-UUID: ours\nContent-Length: {len(body)}\n\n{body}"
        switch.say(plain(text))
        async with within(5):
            await running.listener.news.wait()
        (job,) = running.listener.heard
        assert isinstance(job, JobDone)
        assert (job.job_id, job.is_ok) == ("ours", False)


async def test_4_an_end_within_a_body_ends_the_connection(switch: Switch) -> None:
    async with Running(switch):
        switch.say("Content-Length: 1000\nContent-Type: text/event-plain\n\nEvent-Name: CHAN")
        switch.cut()
        await switch.until(lambda: switch.logins == 2)


@pytest.mark.parametrize(
    "odd",
    [
        "no header at all\n\n",
        "Content-Type: text/event-plain\nContent-Length: many\n\n",
        "Content-Type: text/event-plain\nContent-Length: 99999999999\n\n",
        "Content-Type: command/reply\nReply-Text: +OK to nothing\n\n",
        "Content-Type: text/event-plain\n\n",
        "Content-Length: 2\n\nxx",
        "\n\n",
        "x" * 70_000,
    ],
)
async def test_4_an_odd_frame_ends_the_connection_and_it_is_made_anew(switch: Switch, odd: str) -> None:
    with capture_logs() as logs:
        async with connected(switch) as pbx:
            switch.say(odd)
            await switch.until(lambda: switch.logins == 2)
            await until_connected(pbx)
            assert await pbx.trunk_states()
    assert any(entry["event"] == "ESL down" for entry in logs)


async def test_5_a_wrong_password_gives_an_alarm_a_slow_pace_and_a_closed_socket(switch: Switch) -> None:
    pace = ReconnectPolicy(first_delay=timedelta(milliseconds=1), refused_delay=timedelta(milliseconds=200))
    settings = settings_for(switch, pace=pace, esl_password=Secret("guess"))
    listener = Listener[EslEvent]()
    with capture_logs() as logs:
        task = asyncio.create_task(
            keep_connected(EslClient(settings, listener.on_event, listener), pace, pbx="lab", wire="ESL")
        )
        await switch.until_asked("auth guess")
        started = asyncio.get_running_loop().time()
        await switch.until_asked("auth guess", times=2)
        took = asyncio.get_running_loop().time() - started
        task.cancel()
    assert took >= 0.1
    assert [entry["log_level"] for entry in logs][:1] == ["error"]
    assert "log-in refused" in logs[0]["event"]
    assert "guess" not in str(logs)
    await switch.until(lambda: not switch.open_connections)


@pytest.mark.parametrize("bad", ["x\n\napi shutdown", "x\r\napi shutdown", "x\0", "\ud800"])
async def test_6_a_line_end_in_a_command_never_reaches_the_wire(switch: Switch, bad: str) -> None:
    async with Running(switch) as running:
        before = len(switch.asked)
        for line, headers in (
            (f"api {bad}", None),
            ("sendmsg call_1", {"execute-app-arg": bad}),
            ("a", {bad: "b"}),
        ):
            with pytest.raises(UnsafeValue):
                await running.client.ask(line, headers)
        await running.client.api("status")
        assert [command for command in switch.asked[before:] if command != "api status"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "+12025550143@other"},
        {"number": "1|sofia/gateway/other/2"},
        {"number": "1,user/100"},
        {"number": ""},
        {"number": "+1\n\napi shutdown"},
        {"endpoint": "carrier/x"},
        {"endpoint": "carrier}sofia"},
        {"caller_id": CallerId("+1202", "${system(reboot)}")},
        {"caller_id": CallerId("+1202", 'a" <900>')},
        {"caller_id": CallerId("+1202", "a\\' &system(reboot)")},
        {"caller_id": CallerId("+1202 'x'", "a")},
    ],
)
async def test_6_an_order_that_the_pbx_would_misread_is_refused(
    switch: Switch, changes: dict[str, object]
) -> None:
    async with connected(switch) as pbx:
        with pytest.raises(UnsafeValue):
            async with pbx.originate(an_order(**changes)):
                pytest.fail("placed")
    assert not switch.all_asked("bgapi")


async def test_7_a_burst_is_held_back_and_nothing_is_lost(switch: Switch) -> None:
    heard: list[Frame] = []
    link = EslLink("lab", heard.append)
    await link.open("127.0.0.1", switch.port)
    await link.greeting
    burst = 20_000
    most = 0
    switch.say("".join(moved("CHANNEL_PROGRESS", f"call_{number}") for number in range(burst)))
    async with within(60):
        while len(heard) < burst:
            most = max(most, link.waiting)
            await asyncio.sleep(0)
    link.close()
    await link.lost.wait()
    assert most <= MAX_WAITING
    assert [frame.body.split()[3] for frame in heard] == [f"call_{number}" for number in range(burst)]


async def test_7_the_loop_goes_on_in_a_burst(switch: Switch) -> None:
    long = timedelta(seconds=30)
    async with connected(switch, command_timeout=long) as pbx, pbx.originate(an_order("04")) as leg:
        assert await next_signal(leg.signals()) == Rang()
        switch.say(moved("CHANNEL_PROGRESS", "call_other") * 20_000)
        loop = asyncio.get_running_loop()
        worst, turned = 0.0, loop.time()
        states = asyncio.create_task(pbx.trunk_states())
        while not states.done():
            await asyncio.sleep(0)
            worst, turned = max(worst, loop.time() - turned), loop.time()
        assert await states
        assert worst < 0.5


async def test_8_a_connection_that_is_lost_is_made_anew_and_subscribed_anew(switch: Switch) -> None:
    async with connected(switch) as pbx:
        switch.cut()
        await switch.until(lambda: switch.logins == 2)
        await until_connected(pbx)
        assert len(switch.all_asked("event plain")) == len(switch.all_asked("filter Unique-ID")) == 2
        async with pbx.originate(an_order("04")) as leg:
            assert await next_signal(leg.signals()) == Rang()


async def test_8_a_call_finds_a_pbx_that_is_back_before_its_next_try_is_due(switch: Switch) -> None:
    async with connected(switch, pace=ReconnectPolicy(first_delay=timedelta(seconds=30))) as pbx:
        switch.cut()
        await until_lost(pbx)
        async with pbx.originate(an_order("04")) as leg:
            assert await next_signal(leg.signals()) == Rang()


async def test_8_closing_during_a_reconnect_leaves_no_zombie(switch: Switch) -> None:
    pace = ReconnectPolicy(first_delay=timedelta(seconds=30))
    async with connected(switch, pace=pace) as pbx:
        switch.cut()
        await until_lost(pbx)
    assert switch.connections == 1


async def test_8_a_pbx_that_is_down_at_the_start_is_used_as_soon_as_it_comes() -> None:
    switch = Switch()
    async with switch.serving():
        pass
    async with freeswitch_pbx(settings_for(switch)) as pbx:
        assert not pbx.is_connected
        with pytest.raises(PbxUnavailable):
            async with pbx.originate(an_order()):
                pytest.fail("placed")
        assert await pbx.trunk_states() == {}
        async with switch.serving():
            await until_connected(pbx)


async def test_an_exception_in_handling_costs_one_event_and_not_the_connection(switch: Switch) -> None:
    async with Running(switch) as running:
        running.listener.is_broken = True
        with capture_logs() as logs:
            switch.say(moved("CHANNEL_PROGRESS", "call_1") + moved("CHANNEL_PROGRESS", "call_2"))
            async with within(5):
                await running.listener.news.wait()
        assert running.listener.heard == [Moved("call_2", Step.RINGING, "call_2")]
        assert [entry["log_level"] for entry in logs] == ["error"]
    assert switch.connections == 1


async def test_an_address_that_the_access_list_refuses_is_told_so(switch: Switch) -> None:
    text = "Access Denied, go away.\n"
    switch.greeting = f"Content-Type: text/rude-rejection\nContent-Length: {len(text)}\n\n{text}".encode()
    with capture_logs() as logs:
        async with freeswitch_pbx(settings_for(switch)):
            await switch.until(lambda: switch.connections == 2)
    assert "access list" in logs[0]["why"]


async def test_a_peer_that_is_no_freeswitch_is_named_so(switch: Switch) -> None:
    switch.greeting = b"Asterisk Call Manager/11.0.0\r\n\n\n"
    with capture_logs() as logs:
        async with freeswitch_pbx(settings_for(switch)):
            await switch.until(lambda: switch.connections == 2)
    assert "not an ESL header" in logs[0]["why"]


async def test_the_password_is_in_no_repr_and_no_log(switch: Switch) -> None:
    with capture_logs() as logs:
        async with connected(switch):
            pass
    assert PASSWORD not in repr(settings_for(switch))
    assert PASSWORD not in str(logs)


async def test_a_user_of_the_directory_comes_in_by_name(switch: Switch) -> None:
    async with connected(switch, esl_user=USER):
        assert switch.asked[0] == f"userauth {USER}:{PASSWORD}"


async def test_a_lost_originate_is_never_sent_again(switch: Switch) -> None:
    switch.answers["originate"] = silent
    async with connected(switch) as pbx, asyncio.TaskGroup() as tasks:

        async def place() -> None:
            async with pbx.originate(an_order()) as leg:
                # The resync asks for the channel, and the PBX does not have it.
                assert await next_signal(leg.signals()) == Hangup(gave_up=GaveUp.PBX_LOST)

        tasks.create_task(place())
        await switch.until_asked("bgapi originate")
        switch.cut()
        await switch.until_asked("api uuid_dump")
        await until_connected(pbx)
        await pbx.trunk_states()
    assert len(switch.all_asked("bgapi")) == 1
