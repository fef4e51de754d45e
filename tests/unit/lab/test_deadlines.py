import asyncio
import itertools
import time
from collections.abc import Callable

import pytest

from voicegate.lab import deadlines
from voicegate.lab.deadlines import LONGEST, Deadline, within

CORES = deadlines._CORES
Told = Callable[[int], tuple[int, int, int]]


def clock_of(told: Told) -> deadlines._Clock:
    """A clock of a machine that says what a function of the look's number tells, looked at all the time."""
    looks, known = itertools.count(), 0

    def read() -> deadlines._Stat:
        nonlocal known
        known = next(looks)
        return deadlines._Stat(*told(known))

    clock = deadlines._Clock(read, pause_s=0.001)
    clock.now()
    while known < 3:
        time.sleep(0.001)
    return clock


@pytest.mark.parametrize(
    ("told", "slowness"),
    [
        (lambda look: (0, look * 100, 1), 1),
        (lambda look: (0, look * 100, CORES), 1),
        (lambda look: (0, look * 100, 4 * CORES), 4),
        (lambda look: (look * 50, look * 100, 1), 2),
        (lambda look: (look * 50, look * 100, 4 * CORES), 8),
        (lambda look: (look * 100, look * 100, 1000), LONGEST),
        (lambda look: (0, 0, 4 * CORES), 4),
    ],
)
def test_the_clock_runs_as_fast_as_work_gets_done(told: Told, slowness: float) -> None:
    assert clock_of(told)._last.slowness == slowness
    assert deadlines._Look(10, 100, slowness).counted_at(108) == 10 + 8 / slowness


def test_it_never_goes_back() -> None:
    clock = clock_of(lambda look: (0, look, 1 + look % 20))
    heard = [clock.now() for _ in range(20_000)]
    assert heard == sorted(heard)


def test_the_real_machine_tells_what_is_needed() -> None:
    before = deadlines._read_stat()
    assert before.wanting >= 1
    assert before.total > before.stolen >= 0


async def test_what_takes_longer_than_its_time_is_ended() -> None:
    with pytest.raises(TimeoutError):
        async with within(0.01):
            await asyncio.Event().wait()


async def test_what_is_done_in_time_is_not_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with within(0.01):
        pass
    await asyncio.sleep(0.02)


async def test_on_a_busy_machine_the_time_is_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr(deadlines, "idle_clock", lambda: clock)
    deadline = Deadline(0.01)
    async with within(0.01):
        await asyncio.sleep(0.05)
        assert not deadline.has_passed
        assert deadline.left_s == 0.01
    clock = 0.02
    assert deadline.has_passed
