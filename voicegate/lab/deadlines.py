"""Deadlines that count only the time that an idle machine would have needed.

No wait in a lab is endless; but on a machine that does three things at once, everything takes three times as
long. So time is counted by a clock that runs slower while more threads want a processor than there are
processors, or while a hypervisor gives them to others (proc(5): `procs_running` and `steal` of /proc/stat).
Linux only. Not for tests of speed: those use the ordinary clock.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

LONGEST: Final = 10
"""A wait can become this many times longer than asked, however busy the machine is."""
_LOOK_S: Final = 0.2
_AT_LEAST_S: Final = 0.01
# Of the first line's numbers: user nice system idle iowait irq softirq steal.
_STEAL: Final = 7


class Deadline:
    """A time some seconds from now, as an idle machine counts them."""

    def __init__(self, seconds: float) -> None:
        self._end = idle_clock() + seconds

    @property
    def left_s(self) -> float:
        """Return the shortest time until it is reached; 0 after that."""
        return max(self._end - idle_clock(), 0)

    @property
    def has_passed(self) -> bool:
        """Return whether it is reached."""
        return self.left_s == 0


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """The same as `asyncio.timeout`, by the clock of `Deadline`.

    Raises:
        TimeoutError: the time is over.
    """
    loop, deadline = asyncio.get_running_loop(), Deadline(seconds)
    looks: list[asyncio.TimerHandle] = []

    def look() -> None:
        if deadline.has_passed:
            timeout.reschedule(loop.time())
        else:
            looks.append(loop.call_later(max(deadline.left_s, _AT_LEAST_S), look))

    try:
        async with asyncio.timeout(None) as timeout:
            look()
            yield
    finally:
        for handle in looks:
            handle.cancel()


def at_most(seconds: float) -> float:
    """Return the seconds for a wait that takes a fixed number: enough for the busiest machine."""
    return seconds * LONGEST


def idle_clock() -> float:
    """Return the seconds of a clock that runs as fast as this machine gets work done."""
    return _CLOCK.now()


class _Look(NamedTuple):
    """What the clock showed, when, and how fast it has run since."""

    counted: float
    at: float
    slowness: float

    def counted_at(self, now: float) -> float:
        return self.counted + (now - self.at) / self.slowness


class _Stat(NamedTuple):
    """Values of /proc/stat; times in its own ticks, since the machine was started."""

    stolen: int
    total: int
    wanting: int
    """Threads that run or are ready to run."""


def _read_stat() -> _Stat:
    lines = Path("/proc/stat").read_text("ascii").splitlines()
    spent = [int(number) for number in lines[0].split()[1:]]
    (wanting,) = (int(line.split()[1]) for line in lines if line.startswith("procs_running "))
    return _Stat(spent[_STEAL], sum(spent), wanting)


class _Clock:
    """Looks at the machine some times a second, after it was asked for the first time."""

    def __init__(self, read: Callable[[], _Stat] = _read_stat, pause_s: float = _LOOK_S) -> None:
        self._read = read
        self._pause_s = pause_s
        self._last = _Look(0, time.monotonic(), 1)
        self._looking: threading.Thread | None = None
        self._starting = threading.Lock()

    def now(self) -> float:
        with self._starting:
            # No thread outlives a fork.
            if self._looking is None or not self._looking.is_alive():
                self._look(1)
                self._looking = threading.Thread(target=self._look_on, name="idle clock", daemon=True)
                self._looking.start()
        return self._last.counted_at(time.monotonic())

    def _look_on(self) -> None:
        before = self._read()
        while True:
            time.sleep(self._pause_s)
            now = self._read()
            lost = (now.stolen - before.stolen) / max(now.total - before.total, 1)
            self._look(max(now.wanting / _CORES, 1) / max(1 - lost, 1 / LONGEST))
            before = now

    def _look(self, slowness: float) -> None:
        now = time.monotonic()
        self._last = _Look(self._last.counted_at(now), now, min(slowness, LONGEST))


_CORES: Final = len(os.sched_getaffinity(0))
_CLOCK: Final = _Clock()
