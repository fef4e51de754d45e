"""Calls wait for a line: no more at a time than may be, client by client, and not for ever."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from tests.unit.application.conftest import TESTER, Bench, trunk
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.queueing import CallLimits, CallQueue
from voicegate.application.sign_in import Issued, IssueRequest
from voicegate.domain.client import Principal, Scope
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason
from voicegate.domain.routing import Trunk
from voicegate.lab.deadlines import within

LONG = timedelta(seconds=600)
CARRIER, OTHER = replace(trunk("carrier"), max_calls=2), replace(trunk("other"), max_calls=2)


@dataclass
class Crowd:
    """Calls at a queue; each holds its line until it is ended."""

    queue: CallQueue
    pending: list[str] = field(default_factory=list)
    turned_away: list[str] = field(default_factory=list)
    live: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    calls: dict[str, tuple[asyncio.Task[None], asyncio.Event, asyncio.Event]] = field(default_factory=dict)

    async def call(self, name: str, by: Trunk = CARRIER) -> None:
        """Ask for a line, for the client that the name begins with."""
        given_up, over = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with self.queue.line(self.queue.enter(by, name[0]), given_up) as has_line:
                if not has_line:
                    self.turned_away.append(name)
                    return
                self.pending.append(name)
                self.live[by.name] += 1
                self.most |= self.live
                await over.wait()
                self.live[by.name] -= 1

        self.calls[name] = (asyncio.create_task(hold()), given_up, over)
        await settled()

    async def end(self, name: str) -> None:
        self.calls[name][2].set()
        await self.calls[name][0]
        await settled()

    async def give_up(self, name: str) -> None:
        self.calls[name][1].set()
        await self.calls[name][0]


async def settled() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


@asynccontextmanager
async def crowd(limits: CallLimits) -> AsyncIterator[Crowd]:
    made = Crowd(CallQueue(limits))
    async with within(30):
        yield made
        for name in list(made.calls):
            made.calls[name][2].set()
        await asyncio.gather(*(task for task, _, _ in made.calls.values()))


async def test_a_trunk_has_no_more_calls_than_its_own_limit_and_holds_up_no_other() -> None:
    async with crowd(CallLimits(queue_timeout=LONG)) as calls:
        for name in ("a1", "a2", "a3"):
            await calls.call(name)
        await calls.call("a4", OTHER)
        assert calls.pending == ["a1", "a2", "a4"]
        await calls.end("a2")
        assert calls.pending[-1] == "a3"


async def test_over_all_trunks_there_are_no_more_than_the_limit() -> None:
    async with crowd(CallLimits(in_progress=3, queue_timeout=LONG)) as calls:
        for name in ("a1", "a2"):
            await calls.call(name)
        for name in ("a3", "a4"):
            await calls.call(name, OTHER)
        assert calls.pending == ["a1", "a2", "a3"]
        await calls.end("a1")
        assert calls.pending[-1] == "a4"


async def test_clients_take_turns_however_many_calls_one_of_them_wants() -> None:
    async with crowd(CallLimits(in_progress=1, queue_timeout=LONG)) as calls:
        names = [*(f"a{number}" for number in range(6)), "b0", "b1", "c0"]
        for name in names:
            await calls.call(name)
        for _ in names[1:]:
            await calls.end(calls.pending[-1])
        assert calls.pending == ["a0", "a1", "b0", "c0", "a2", "b1", "a3", "a4", "a5"]


async def test_a_call_that_waits_too_long_is_turned_away_and_takes_no_line() -> None:
    async with crowd(CallLimits(in_progress=1, queue_timeout=timedelta(milliseconds=20))) as calls:
        await calls.call("a1")
        await calls.call("b1")
        await calls.calls["b1"][0]
        assert calls.turned_away == ["b1"]
        await calls.end("a1")
        await calls.call("b2")
        assert calls.pending == ["a1", "b2"]


async def test_a_call_that_is_given_up_leaves_the_queue_at_once() -> None:
    async with crowd(CallLimits(in_progress=1, queue_timeout=LONG)) as calls:
        for name in ("a1", "b1", "c1"):
            await calls.call(name)
        await calls.give_up("b1")
        assert calls.turned_away == ["b1"]
        await calls.end("a1")
        assert calls.pending == ["a1", "c1"]


async def test_a_full_queue_takes_one_call_of_each_client_that_has_none_there() -> None:
    async with crowd(CallLimits(in_progress=1, queued=2, queue_timeout=LONG)) as calls:
        for name in ("a0", "a1", "a2"):
            await calls.call(name)
        assert (calls.queue.is_full_for("a"), calls.queue.is_full_for("b")) == (True, False)
        for name in ("a3", "b1", "b2"):
            await calls.call(name)
        assert calls.turned_away == ["a3", "b2"]


class Looks(dict[str, int]):
    """What other controllers have; counts how often it is looked at."""

    count = 0

    def get(self, name: str, default: int = 0) -> int:  # type: ignore[override]
        self.count += 1
        return super().get(name, default)


async def test_a_further_call_looks_at_no_more_however_many_wait() -> None:
    queue = CallQueue(CallLimits(in_progress=1, queued=1000, queue_timeout=LONG))
    queue.enter(CARRIER, "a")
    looks = []
    for _ in range(2):
        for _ in range(200):
            queue.enter(CARRIER, "a")
            queue.enter(OTHER, "b")
        elsewhere = Looks(carrier=0)
        queue.note_others(elsewhere)
        elsewhere.count = 0
        queue.enter(CARRIER, "a")
        looks.append(elsewhere.count)
    assert looks[0] == looks[1] < 10


@pytest.mark.parametrize("is_served", [False, True])
async def test_a_waiting_call_whose_task_is_cancelled_keeps_no_line(is_served: bool) -> None:
    async with crowd(CallLimits(in_progress=1, queue_timeout=LONG)) as calls:
        await calls.call("a1")
        await calls.call("b1")
        waiting, _, _ = calls.calls.pop("b1")
        if is_served:
            calls.calls["a1"][2].set()
            await calls.calls["a1"][0]  # the line is b1's, which has not looked up yet
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        if not is_served:
            await calls.end("a1")
        await calls.call("c1")
        assert calls.pending[-1] == "c1"


async def test_a_crowd_never_exceeds_a_limit_and_all_are_served() -> None:
    limits = CallLimits(in_progress=3, queued=1000, queue_timeout=LONG)
    queue, live, most, served = CallQueue(limits), Counter[str](), Counter[str](), 0

    async def hold(number: int) -> None:
        nonlocal served
        by = (CARRIER, OTHER)[number % 2]
        async with queue.line(queue.enter(by, str(number % 7)), asyncio.Event()) as has_line:
            assert has_line
            live.update((by.name, "all"))
            most.update({name: max(0, count - most[name]) for name, count in live.items()})
            for _ in range(number % 5):
                await asyncio.sleep(0)
            live.subtract((by.name, "all"))
            served += 1

    async with within(30), AsyncExitStack():
        await asyncio.gather(*(hold(number) for number in range(500)))
    assert (served, most) == (500, {"carrier": 2, "other": 2, "all": 3})


async def test_calls_to_test_numbers_need_no_line() -> None:
    async with crowd(CallLimits(in_progress=1, queue_timeout=LONG)) as calls:
        for name in ("a1", "a2", "a3"):
            await calls.call(name, replace(trunk("tests"), is_test=True))
        assert calls.pending == ["a1", "a2", "a3"]


class TestDelivery:
    """The same with calls."""

    @pytest.fixture
    def limits(self) -> CallLimits:
        return CallLimits(in_progress=1, queued=1, queue_timeout=LONG)

    async def ask(self, bench: Bench, number: int, principal: Principal = TESTER) -> Issued | Deny:
        wanted = ChallengeSpec(Destination(f"+120255501{number:02}"))
        issued = await bench.sign_in.issue(IssueRequest(principal, wanted))
        assert isinstance(issued, Issued | Deny)
        return issued

    @pytest.mark.parametrize("limits", [CallLimits(in_progress=1, queue_timeout=timedelta(milliseconds=50))])
    async def test_who_waits_too_long_is_not_rung_and_may_be_called_again(self, bench: Bench) -> None:
        bench.pbx.plots = [nobody_answers]
        first, second = await self.ask(bench, 1), await self.ask(bench, 2)
        assert isinstance(second, Issued)
        record = await bench.settled(second.record.challenge.id)
        (call,) = record.calls
        assert call.outcome is not None
        assert (call.outcome.outcome, call.outcome.blame, call.outcome.retry_safe) == (
            "queue_timeout",
            "us",
            True,
        )
        assert record.challenge.state == "undeliverable"
        assert [step.event for step in call.timeline] == ["ended"]
        assert len(bench.pbx.legs) == 1
        assert isinstance(first, Issued)

    async def test_a_full_queue_refuses_with_a_time_and_leaves_every_client_one_call(
        self, bench: Bench
    ) -> None:
        bench.pbx.plots = [nobody_answers]
        other = Principal("other", frozenset({Scope.VERIFICATIONS}), "req_2")
        for number in (1, 2):
            assert isinstance(await self.ask(bench, number), Issued)
        refused = await self.ask(bench, 3)
        assert isinstance(refused, Deny)
        assert (refused.reason, refused.retry_after) == (DenyReason.QUEUE_FULL, timedelta(seconds=10))
        assert isinstance(await self.ask(bench, 4, other), Issued)

    async def test_a_waiting_call_is_placed_when_a_line_is_free(self, bench: Bench) -> None:
        issued = [await self.ask(bench, number) for number in (1, 2)]
        for one in issued:
            assert isinstance(one, Issued)
            record = await bench.settled(one.record.challenge.id)
            assert record.challenge.state == "delivered"
        assert len(bench.pbx.legs) == 2

    async def test_a_waiting_call_that_is_taken_back_is_not_placed(self, bench: Bench) -> None:
        bench.pbx.plots = [nobody_answers]
        await self.ask(bench, 1)
        second = await self.ask(bench, 2)
        assert isinstance(second, Issued)
        await bench.sign_in.cancel(TESTER, second.record.challenge.id)
        record = await bench.settled(second.record.challenge.id)
        assert record.calls[-1].outcome is not None
        assert record.calls[-1].outcome.outcome == "canceled"
        assert len(bench.pbx.legs) == 1


async def nobody_answers(_: object) -> None:
    """The plot of a call at which nothing happens."""


async def test_a_trunk_with_a_pace_is_given_its_calls_evenly_and_holds_up_no_other() -> None:
    paced = replace(CARRIER, max_calls=100, max_calls_per_second=50)
    loop, given_at = asyncio.get_running_loop(), list[float]()
    queue = CallQueue(CallLimits(queue_timeout=LONG))

    async def place() -> None:
        async with queue.line(queue.enter(paced, "a"), asyncio.Event()) as has_line:
            assert has_line
            given_at.append(loop.time())

    async with within(30), asyncio.TaskGroup() as calls:
        for _ in range(5):
            calls.create_task(place())
        await settled()
        assert len(given_at) == 1
        assert queue.enter(OTHER, "a").turn.done()
        # Who comes while others wait does not overtake them.
        late = queue.enter(paced, "a")
        assert not late.turn.done()
        assert await late.turn
        assert len(given_at) == 5
    # A hair's breadth: the loop's timers may be early by the clock's resolution.
    assert all(later - earlier > 0.0199 for earlier, later in itertools.pairwise(given_at))


async def test_whoever_waits_for_a_trunks_pace_is_turned_away_in_time() -> None:
    paced = replace(CARRIER, max_calls_per_second=0.01)
    queue = CallQueue(CallLimits(queue_timeout=timedelta(milliseconds=20)))
    async with (
        within(30),
        queue.line(queue.enter(paced, "a"), asyncio.Event()) as first,
        queue.line(queue.enter(paced, "b"), asyncio.Event()) as second,
    ):
        assert (first, second) == (True, False)
