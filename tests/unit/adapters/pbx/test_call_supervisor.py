"""What every PBX keeps of the port's promises, shown on one that is nothing but a driver and its calls."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.unit.adapters.pbx.freeswitch.peers import APOLOGY, an_order
from voicegate.adapters.pbx.common.call_facts import CallFacts, Due, LegTimeouts
from voicegate.adapters.pbx.common.call_supervisor import CallSupervisor
from voicegate.adapters.pbx.common.changes import Changes
from voicegate.adapters.pbx.common.connection import ConnectionListener, ReconnectPolicy
from voicegate.adapters.pbx.common.driver import CallControlLost, HangupReply, PbxCall, PbxDriver
from voicegate.application.ports import Clip, DtmfTiming, Leg, Order
from voicegate.domain.call import Answered, Media, Playback
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.call_quality import CallQuality
from voicegate.domain.errors import PbxRefused, PbxUnavailable, ReplyLost
from voicegate.domain.routing import TrunkState
from voicegate.lab.deadlines import within


@dataclass
class Line:
    """A client whose connection is made by hand."""

    listener: ConnectionListener
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self) -> None:
        await self.listener.on_ready()
        self.ready.set()
        await asyncio.Event().wait()

    def drop(self) -> None:
        self.ready.clear()
        self.listener.on_lost()


@dataclass
class Tracked:
    """A tracker that makes of its facts only what a test tells it."""

    facts: CallFacts = field(default_factory=lambda: CallFacts(LegTimeouts(ring=5, lost=5), 0.0))
    is_seen: bool = True

    def due(self, _now: float, /) -> Due:
        return Due.NOTHING

    def miss(self, _now: float, /) -> None:
        self.facts.settle(Hangup(gave_up=GaveUp.PBX_LOST))


@dataclass
class Call:
    """A call that does as it is told, and keeps what it was asked."""

    call_id: str
    fault: Exception | None = None
    asked: list[str] = field(default_factory=list)
    tracker: Tracked = field(default_factory=Tracked)
    changes: Changes = field(default_factory=Changes)
    media: Media = field(default_factory=Media)
    can_speak: bool = False

    async def originate(self) -> None:
        self.asked.append("originate")
        if self.fault is not None:
            raise self.fault

    def forget(self) -> None:
        self.asked.append("forget")

    async def ask_state(self) -> bool:
        return False

    async def ask_end(self) -> HangupReply:
        self.asked.append("end")
        self.tracker.facts.settle(Hangup(cause=16))
        self.changes.tell()
        return HangupReply.ACCEPTED

    async def clear(self) -> None: ...

    def let_go(self) -> None:
        self.asked.append("let go")

    async def count(self) -> Media:
        return Media(sent=7)

    async def play(self, clip: Clip, keys: str) -> Playback:
        raise CallControlLost

    async def send_digits(self, digits: str, timing: DtmfTiming) -> None: ...

    async def wait_key(self, keys: str, within: timedelta) -> str | None:
        return None

    quality = CallQuality()

    async def ask_dialog(self) -> None: ...

    async def apologise(self, apology: Clip) -> bool:
        return True


class Driver:
    """A PBX of which nothing is asked but what a test answers."""

    name, wire, pace, deadline = "lab", "wire", ReconnectPolicy(), timedelta(seconds=1)

    def __init__(self, listener: ConnectionListener) -> None:
        self.client = Line(listener)
        self.calls: list[Call] = []
        self.faults: list[Exception] = []
        self.ended: list[str] = []
        self.pings: list[Exception] = []
        self.trunk: TrunkState | None = None

    def listening(self, _tasks: asyncio.TaskGroup, /) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def write(self, order: Order) -> Sequence[PbxCall]:
        self.calls.append(Call(order.call_id, self.faults.pop() if self.faults else None))
        return (self.calls[-1],)

    async def await_boot(self) -> None: ...

    async def ping(self) -> object:
        if self.pings:
            raise self.pings.pop()
        return None

    async def end_stray(self, call_id: str) -> None:
        if not self.client.ready.is_set() and not self.ended:
            self.ended.append("tried in vain")
            raise PbxUnavailable
        self.ended.append(call_id)

    async def trunk_states(self) -> Mapping[str, TrunkState]:
        if self.trunk is None:
            raise ReplyLost
        return {"carrier": self.trunk}


@dataclass
class Room:
    driver: Driver
    pbx: CallSupervisor


def a_room() -> Room:
    made: list[Driver] = []

    def make(listener: ConnectionListener) -> PbxDriver:
        made.append(Driver(listener))
        return made[0]

    pbx = CallSupervisor(make)
    return Room(made[0], pbx)


@asynccontextmanager
async def calling(room: Room) -> AsyncIterator[tuple[Leg, Call]]:
    async with within(5), room.pbx, room.pbx.originate(an_order()) as leg:
        yield leg, room.driver.calls[0]


async def test_a_call_is_placed_ended_and_forgotten_once() -> None:
    room = a_room()
    async with calling(room) as (_, call):
        assert call.asked == ["originate"]
    assert call.asked == ["originate", "end", "let go", "forget"]


@pytest.mark.parametrize("fault", [PbxRefused("no"), PbxUnavailable(), None])
async def test_a_call_id_is_placed_once_whatever_became_of_it(fault: Exception | None) -> None:
    room, order = a_room(), an_order()
    async with within(5), room.pbx:
        room.driver.faults = [fault] if fault else []
        for _ in range(2):
            try:
                async with room.pbx.originate(order):
                    assert fault is None
            except (PbxRefused, PbxUnavailable):
                continue
    assert [call.asked.count("originate") for call in room.driver.calls] == [1, 0]


@pytest.mark.parametrize("fault", [None, ReplyLost(), PbxUnavailable()])
async def test_a_ping_without_an_answer_took_at_least_as_long_as_was_waited(fault: Exception | None) -> None:
    room = a_room()
    assert await room.pbx.ping() is None, "it is not connected"
    async with within(5), room.pbx:
        assert await room.pbx.reach(timedelta(seconds=5))
        room.driver.pings = [fault] if fault else []
        took = await room.pbx.ping()
    assert took is None if isinstance(fault, PbxUnavailable) else took is not None and took >= timedelta()


async def test_an_originate_without_an_answer_is_a_call_that_may_live() -> None:
    room = a_room()
    room.driver.faults = [ReplyLost()]
    async with calling(room) as (_, call):
        assert not call.tracker.facts.is_settled
    assert call.asked.count("originate") == 1


async def test_a_pbx_that_does_not_answer_on_a_call_has_it_ended() -> None:
    async with calling(a_room()) as (leg, call):
        call.tracker.facts.tell_once(Answered())
        assert (await leg.play(APOLOGY)).hung_up
        assert [signal async for signal in leg.signals()] == [Answered(), Hangup(cause=16)]


async def test_a_call_that_the_pbx_apologises_to_is_not_cut_short() -> None:
    async with calling(a_room()) as (leg, call):
        await leg.leave(APOLOGY)
        assert [signal async for signal in leg.signals()] == [Hangup(gave_up=GaveUp.INTERRUPTED)]
    assert "end" not in call.asked


async def test_the_last_counts_are_told_of_a_channel_that_cannot_be_asked() -> None:
    async with calling(a_room()) as (leg, call):
        assert await leg.media() == Media()
        call.can_speak = True
        assert await leg.media() == Media(sent=7)


async def test_a_stray_is_ended_once_the_pbx_is_there_and_trunks_that_it_does_not_tell_are_none() -> None:
    room = a_room()
    await room.pbx.hang_up("call_before")
    async with within(5), room.pbx:
        assert await room.pbx.reach(timedelta(seconds=5))
        assert room.driver.ended == ["tried in vain", "call_before"]
        assert await room.pbx.trunk_states() == {}


async def test_a_pbx_that_came_again_has_time_to_look_at_its_trunks() -> None:
    room = a_room()
    async with within(5), room.pbx:
        assert await room.pbx.reach(timedelta(seconds=5))
        room.driver.trunk = TrunkState.UNREACHABLE
        assert await room.pbx.trunk_states() == {"carrier": "unreachable"}, "the first connection is believed"
        room.driver.client.drop()
        await room.pbx.on_ready()
        room.driver.client.ready.set()
        told = []
        for state in (TrunkState.UNREACHABLE, TrunkState.AVAILABLE, TrunkState.UNREACHABLE):
            room.driver.trunk = state
            told.append(await room.pbx.trunk_states())
    assert [states["carrier"] for states in told] == ["unknown", "available", "unreachable"]


async def test_a_pbx_that_came_again_is_believed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicegate.adapters.pbx.common.call_supervisor._LOOKS_WITHIN_S", 0.0)
    room = a_room()
    async with within(5), room.pbx:
        assert await room.pbx.reach(timedelta(seconds=5))
        await room.pbx.on_ready()
        room.driver.trunk = TrunkState.UNREACHABLE
        assert await room.pbx.trunk_states() == {"carrier": "unreachable"}
