"""Controllers that share a PostgreSQL database: whose a call is, who takes it over and when, and the caps of
all together."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import psycopg
import pytest

from tests.contract.making import NOW, make_call, make_challenge
from tests.postgresql import Server, running_server
from voicegate.adapters.storage import SqlStore
from voicegate.adapters.storage.checks import StoreCheck
from voicegate.adapters.storage.signals import Signals
from voicegate.adapters.storage.store import Waits
from voicegate.application.change_notifier import Signal, SignalKind
from voicegate.application.controllers import SETTLE_AFTER, TAKE_AFTER, Attendance, Controller
from voicegate.application.diagnostics import Level
from voicegate.application.lines import LineCaps, NoLine
from voicegate.application.ports import CallRecord
from voicegate.application.store_port import Transaction
from voicegate.domain import call as calls
from voicegate.domain.call import Call, Ended, Originated
from voicegate.domain.errors import CallTaken
from voicegate.lab.deadlines import within

ANY = LineCaps(of_trunk=100, in_progress=100, per_second=0)
LONG = Waits(request=timedelta(seconds=60))
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Hand:
    """One controller's store, with what a test does through it."""

    store: SqlStore
    controller: Controller

    async def attend(self, *, is_first: bool = False) -> Attendance:
        return await self.store.controllers.attend(self.controller, is_first=is_first)

    async def claimed(self, *, is_first: bool = False) -> list[str]:
        return sorted(one.record.call.id for one in (await self.attend(is_first=is_first)).claimed)

    async def add(self, name: str, **but: object) -> Call:
        call = make_call(name, name, **but)

        def work(tx: Transaction) -> None:
            tx.add_challenge(make_challenge(name))
            tx.add_call(call, NOW)

        await self.store.transact(work)
        return call

    async def begin(self, call: Call, caps: LineCaps = ANY) -> NoLine | None:
        return await self.store.begin(CallRecord(calls.step(call, Originated(), NOW)), caps)

    async def end(self, call: Call) -> None:
        started = calls.step(call, Originated(), NOW)
        await self.store.record(CallRecord(calls.step(started, Ended(), NOW)))


@dataclass(frozen=True)
class Shared:
    """A database that controllers share."""

    url: str

    @asynccontextmanager
    async def controller(self, name: str, host: str | None = None) -> AsyncIterator[Hand]:
        own = Controller(id=name, name=host or f"host of {name}", version="1", key_ids=("11111111",))
        async with SqlStore(self.url, LONG, controller=name) as store:
            yield Hand(store, own)

    def execute(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(statement, values)

    def silence(self, name: str, length: timedelta) -> None:
        """Let a controller have been silent for so long."""
        self.execute("UPDATE controllers SET seen_at = seen_at - %s WHERE id = %s", length, name)

    def seat(self, name: str) -> None:
        """Let a controller have been present for long."""
        self.execute("UPDATE controllers SET present_since = '2020-01-01' WHERE id = %s", name)


@pytest.fixture
def shared(server: Server, database: str) -> Shared:
    server.empty(database)
    return Shared(database)


@pytest.fixture
async def pair(shared: Shared) -> AsyncIterator[tuple[Hand, Hand]]:
    """Two controllers, both present for long."""
    async with shared.controller("a") as one, shared.controller("b") as other:
        for hand in (one, other):
            await hand.attend(is_first=True)
            shared.seat(hand.controller.id)
        yield one, other


async def test_a_call_of_a_controller_that_is_present_is_nobody_elses(pair: tuple[Hand, Hand]) -> None:
    one, other = pair
    call = await one.add("1")
    assert await other.claimed() == []
    with pytest.raises(CallTaken):
        await other.begin(call)
    assert await one.begin(call) is None
    with pytest.raises(CallTaken):
        await other.end(call)
    await one.end(call)


async def test_what_a_silent_controller_has_queued_is_taken_soon_and_the_rest_later(
    shared: Shared, pair: tuple[Hand, Hand]
) -> None:
    one, other = pair
    await one.begin(await one.add("started"))
    waiting = await one.add("waiting")
    shared.silence("a", TAKE_AFTER - SECOND)
    assert await other.claimed() == []
    shared.silence("a", 2 * SECOND)
    assert await other.claimed() == ["call_waiting"]
    # It was only cut off: it cannot begin that call any more.
    assert set(await one.store.controllers.taken(["call_waiting", "call_started"])) == {"call_waiting"}
    with pytest.raises(CallTaken):
        await one.begin(waiting)
    shared.silence("a", SETTLE_AFTER - TAKE_AFTER)
    assert await other.claimed() == ["call_started"]
    assert await other.begin(waiting) is None


async def test_a_call_is_taken_by_one_of_many_that_want_it(shared: Shared, pair: tuple[Hand, Hand]) -> None:
    one, other = pair
    for number in range(20):
        await one.add(str(number))
    shared.silence("a", SETTLE_AFTER + SECOND)
    async with AsyncExitStack() as stack:
        hands = [other]
        for name in ("c", "d"):
            hand = await stack.enter_async_context(shared.controller(name))
            await hand.attend(is_first=True)
            shared.seat(name)
            hands.append(hand)
        taken = await asyncio.gather(*(hand.claimed() for hand in hands))
    assert sorted(call for found in taken for call in found) == sorted(f"call_{n}" for n in range(20))


async def test_who_was_not_present_all_along_judges_nobody(shared: Shared, pair: tuple[Hand, Hand]) -> None:
    """After an outage of the database, the first to come back takes nothing of the others."""
    one, other = pair
    await one.add("1")
    for hand in (one, other):
        shared.silence(hand.controller.id, 2 * SETTLE_AFTER)
    attendance = await other.attend()
    assert (attendance.has_returned, list(attendance.claimed)) == (True, [])
    attendance = await one.attend()
    assert attendance.has_returned
    assert {other.controller.id for other in attendance.others} == {"b"}
    shared.seat("b")
    attendance = await other.attend()
    assert (attendance.has_returned, list(attendance.claimed)) == (False, [])


async def test_a_restart_finds_its_own_calls_at_once_and_nobody_elses(
    shared: Shared, pair: tuple[Hand, Hand]
) -> None:
    one, other = pair
    await other.add("others")
    async with shared.controller("killed", "one host") as killed:
        await killed.attend(is_first=True)
        await killed.begin(await killed.add("1"))
        async with shared.controller("early", "one host") as early:
            # That run has its sessions yet: it lives.
            assert await early.claimed(is_first=True) == []
    async with shared.controller("restarted", "one host") as restarted:
        assert await restarted.claimed(is_first=True) == ["call_1"]
    assert await one.claimed() == []


async def test_doctor_tells_which_controllers_run(shared: Shared, pair: tuple[Hand, Hand]) -> None:
    shared.silence("b", SETTLE_AFTER + SECOND)
    (finding,) = [one async for one in StoreCheck(shared.url).run()]
    assert finding.level is Level.OK
    assert finding.text.endswith("of this version; controllers that run: host of a")


async def test_what_a_stopped_controller_left_is_taken_at_once(pair: tuple[Hand, Hand]) -> None:
    one, other = pair
    await one.begin(await one.add("1"))
    await one.store.controllers.leave(one.controller)
    assert [who.controller.id for who in await other.store.controllers.present()] == ["b"]
    assert await other.claimed() == ["call_1"]


async def test_a_call_of_before_there_were_controllers_is_taken_at_once(
    shared: Shared, pair: tuple[Hand, Hand]
) -> None:
    one, other = pair
    await one.add("1")
    shared.execute("UPDATE calls SET controller = NULL")
    assert await other.claimed() == ["call_1"]


async def test_who_is_silent_and_has_no_calls_is_forgotten(shared: Shared, pair: tuple[Hand, Hand]) -> None:
    one, other = pair
    shared.silence("a", SETTLE_AFTER + SECOND)
    await other.attend()
    with psycopg.connect(shared.url) as connection:
        assert connection.execute("SELECT id FROM controllers").fetchall() == [("b",)]
    assert (await one.attend()).has_returned


@pytest.mark.parametrize("caps", [LineCaps(3, 100, 0), LineCaps(100, 3, 0)], ids=["trunk", "all"])
async def test_calls_started_by_all_controllers_at_once_pass_no_cap(
    pair: tuple[Hand, Hand], caps: LineCaps
) -> None:
    added = [(hand, await hand.add(f"{hand.controller.id}{number}")) for number in range(5) for hand in pair]
    refused = await asyncio.gather(*(hand.begin(call, caps) for hand, call in added))
    assert refused.count(None) == 3
    assert refused.count(NoLine()) == 7
    hand, call = added[refused.index(None)]
    at_first = added[refused.index(NoLine())]
    await hand.end(call)
    assert await at_first[0].begin(at_first[1], caps) is None
    lines = [dict(await hand.store.controllers.lines()) for hand in pair]
    assert sum(count for found in lines for count in found.values()) == 3


async def test_another_trunks_calls_and_test_calls_take_no_line_of_a_trunk(pair: tuple[Hand, Hand]) -> None:
    one, other = pair
    one_line = LineCaps(1, 100, 0)
    assert await one.begin(await one.add("1"), one_line) is None
    assert await other.begin(await other.add("2", trunk="second"), one_line) is None
    assert await other.begin(await other.add("3", is_test=True), one_line) is None
    assert await other.begin(await other.add("4"), one_line) == NoLine()


async def test_a_trunks_pace_holds_for_all_controllers_together(
    shared: Shared, pair: tuple[Hand, Hand]
) -> None:
    one, other = pair
    slow = replace(ANY, per_second=1 / 60)
    assert await one.begin(await one.add("1"), slow) is None
    waiting = await other.add("2")
    refused = await other.begin(waiting, slow)
    assert refused is not None
    assert refused.retry_after is not None
    assert timedelta(seconds=50) < refused.retry_after <= timedelta(seconds=60)
    shared.execute("UPDATE trunk_starts SET at = at - %s", timedelta(seconds=61))
    assert await other.begin(waiting, slow) is None


async def test_what_was_taken_over_while_the_answer_was_lost_can_be_asked_for(
    shared: Shared, pair: tuple[Hand, Hand]
) -> None:
    one, other = pair
    await one.add("1")
    shared.silence("a", TAKE_AFTER + SECOND)
    assert await other.claimed() == ["call_1"]
    assert [orphan.record.call.id for orphan in await other.store.controllers.left()] == ["call_1"]
    assert await one.store.controllers.left() == []


async def test_signals_are_heard_by_all_others_also_after_the_server_was_away() -> None:
    heard: dict[str, set[Signal]] = {"a": set(), "b": set()}
    with running_server() as server:
        url = server.create("signals")
        signals = {name: Signals(url, name) for name in heard}

        async def hear(name: str, word: Signal) -> None:
            heard[name].add(word)

        async def tell_until_heard(word: Signal) -> None:
            # What is told while nobody listens is lost.
            async with within(30):
                while word not in heard["b"]:
                    signals["a"].tell(word)
                    await asyncio.sleep(0.05)

        async with AsyncExitStack() as stack:
            for name, one in signals.items():
                await stack.enter_async_context(one.running(partial(hear, name)))
            await tell_until_heard(Signal(SignalKind.CHANGED, "ver_1"))
            for how in (signal.SIGINT, signal.SIGQUIT):
                server.stop(how)
                await asyncio.to_thread(server.start)
                await tell_until_heard(Signal(SignalKind.HANG_UP, f"ver_{how}"))
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("NOTIFY voicegate, 'c something-new ver_1'")
            await tell_until_heard(Signal(SignalKind.LINE_FREED))
    # Nobody hears itself, and another version's words are passed over.
    assert heard["a"] == set()
