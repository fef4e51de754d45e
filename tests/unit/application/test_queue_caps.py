"""No order in which calls come, wait, are given up and end passes a cap of calls in progress."""

import asyncio
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.application.conftest import trunk
from voicegate.application.queueing import CallLimits, CallQueue

CAPS = {"one": 1, "two": 2, "many": 9}
TRUNKS = {name: replace(trunk(name), max_calls=cap) for name, cap in CAPS.items()}
LIMITS = CallLimits(in_progress=4, queued=6)
STEPS = st.lists(
    st.tuples(st.sampled_from(["come", "give up", "end"]), st.sampled_from(sorted(CAPS)), st.integers(0, 20)),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_no_decision_of_the_queue_breaks_a_cap(steps: list[tuple[str, str, int]]) -> None:
    asyncio.run(play(steps))


async def play(steps: list[tuple[str, str, int]]) -> None:
    queue, on_lines = CallQueue(LIMITS), Counter[str]()
    calls: list[tuple[asyncio.Event, asyncio.Event]] = []

    async def hold(name: str, client: str, given_up: asyncio.Event, over: asyncio.Event) -> None:
        async with queue.line(queue.enter(TRUNKS[name], client), given_up) as has_line:
            if not has_line:
                return
            on_lines[name] += 1
            assert on_lines[name] <= CAPS[name]
            assert on_lines.total() <= LIMITS.in_progress
            await over.wait()
            on_lines[name] -= 1

    async with asyncio.TaskGroup() as tasks:
        for step, name, which in steps:
            if step == "come":
                calls.append((asyncio.Event(), asyncio.Event()))
                tasks.create_task(hold(name, f"client {which % 3}", *calls[-1]))
            elif calls:
                given_up, over = calls[which % len(calls)]
                (given_up if step == "give up" else over).set()
            for _ in range(4):
                await asyncio.sleep(0)
        for given_up, over in calls:
            given_up.set()
            over.set()
    assert on_lines.total() == 0
    assert queue.occupancy().queued == 0
