"""What the kernel says of processes and of the machine (proc(5)), and how fast the machine is just now."""

import hashlib
import os
import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, Self

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_STEAL: Final = 7
"""Of the first line of /proc/stat: user nice system idle iowait irq softirq steal."""
_IDLE: Final = (3, 4)
_ROUNDS: Final = 5
_BLOCK: Final = bytes(1 << 20)
_BLOCKS: Final = 16
_STEPS: Final = 150_000


@dataclass(frozen=True, slots=True)
class Moment:
    """The machine's processor time since it was started, in seconds over all processors."""

    wall_s: float
    busy_s: float
    steal_s: float
    """What a hypervisor gave to others."""

    @classmethod
    def now(cls) -> Self:
        with Path("/proc/stat").open(encoding="ascii") as file:
            spent = [int(number) / _TICKS for number in file.readline().split()[1:9]]
        idle = sum(spent[place] for place in _IDLE)
        return cls(time.monotonic(), sum(spent) - idle - spent[_STEAL], spent[_STEAL])


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a fixed piece of work was done; the median of some tries."""

    processor_ms: float
    """The processor time that it took."""
    wall_ms: float
    """The time that went by; longer where others wanted the processor."""


def calibrate() -> Speed:
    """Do the fixed piece of work, about a third of a second in all: hashing, and plain Python."""
    tries = [_work() for _ in range(_ROUNDS)]
    return Speed(median(one.processor_ms for one in tries), median(one.wall_ms for one in tries))


def _work() -> Speed:
    processor, wall = time.process_time(), time.perf_counter()
    digest = hashlib.sha256()
    for _ in range(_BLOCKS):
        digest.update(_BLOCK)
    total = 0
    for step in range(_STEPS):
        total += step & 7
    return Speed((time.process_time() - processor) * 1000, (time.perf_counter() - wall) * 1000)


def processors() -> int:
    """Return how many processors we may use."""
    return len(os.sched_getaffinity(0))


def processor_s(pid: int) -> float:
    """Return what a process and its children that have ended took of the processors, in seconds.

    Fields 14 to 17: a PBX that runs a program for each call waits for it, and is charged for it.
    """
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / _TICKS


def family_s(pid: int) -> float:
    """Return the same of a process and of all that it has started and not yet waited for."""
    return sum(_processor_or_nothing(one) for one in _family(pid))


def resident_mb(pids: Iterable[int]) -> float:
    """Return the resident memory of processes, in MB of 2^20 bytes."""
    return sum(_status_kb(pid, "VmRSS") for pid in pids) / 1024


def descriptors(pid: int) -> int:
    """Return how many file descriptors a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def describe() -> dict[str, str | int | float]:
    """Return what kind of machine this is."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = Path("/proc/meminfo").read_text("ascii").split()[1]
    return {
        "processors": processors(),
        "model": models[0] if models else platform.machine(),
        "memory_gb": round(int(memory) / 2**20, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _family(pid: int) -> list[int]:
    family = [pid]
    for one in family:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                family += [int(child) for child in task.read_text("ascii").split()]
            except OSError:
                continue
    return family


def _processor_or_nothing(pid: int) -> float:
    try:
        return processor_s(pid)
    except OSError:
        return 0


def _status_kb(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
