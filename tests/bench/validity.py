"""When a run counts, and why not: the rules, and the record that they judge. No I/O.

A run that breaks one is kept and shown, marked invalid with the reason; its figures prove nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.bench.figures import percentile
from tests.bench.machine import Speed

MAX_OTHERS: Final = 0.05
"""The share of all processors that programs which are no part of the run may take."""
MAX_STEAL: Final = 0.01
"""The share that a hypervisor may take."""
MAX_DRIFT: Final = 1.10
"""The slowest calibration's processor time over the fastest one's."""
MAX_CONTENTION: Final = 1.10
"""A calibration's time over its processor time: more, and others were running on all processors."""
MAX_LATENESS_S: Final = 0.05
"""How late the generator may be for 99 of 100 calls."""
MAX_LATENESS_EVER_S: Final = 0.5
"""And for any."""


@dataclass(slots=True)
class Load:
    """What was going on while it was measured; shares are of all processors."""

    others: float
    """What other programs took."""
    steal: float
    """What a hypervisor took."""
    generators: float
    """What took the calls' place: the far end, and who asks for them."""
    wall_s: float
    """How long it took."""
    speeds: list[Speed] = field(default_factory=list)
    """Calibrations: before, between and after."""


@dataclass(frozen=True, slots=True)
class Count:
    """What became of some calls."""

    requested: int
    """Those that were to be placed."""
    accepted: int
    """Those that the side under test took on."""
    arrived: int
    """Those whose INVITE reached the carrier."""
    complete: int
    """Those that were played to the end, as the far end saw it."""
    proven: int | None = None
    """Those that Voicegate says were delivered; None: it is not Voicegate."""


def judge_load(load: Load) -> list[str]:
    """Return why the machine was too busy or too uneven; empty: it was not."""
    found = []
    if load.others > MAX_OTHERS:
        found.append(f"other programs took {load.others:.0%} of the processors (at most {MAX_OTHERS:.0%})")
    if load.steal > MAX_STEAL:
        found.append(f"a hypervisor took {load.steal:.1%} of the processors (at most {MAX_STEAL:.0%})")
    return found + _judge_speeds(load.speeds)


def _judge_speeds(speeds: Sequence[Speed]) -> list[str]:
    if len(speeds) < 2:
        return ["the machine's speed was not looked at before and after"]
    times = [speed.processor_ms for speed in speeds]
    found = []
    if (drift := max(times) / min(times)) > MAX_DRIFT:
        found.append(f"the machine's speed changed by a factor of {drift:.2f} (at most {MAX_DRIFT})")
    worst = max(speed.wall_ms / speed.processor_ms for speed in speeds)
    if worst > MAX_CONTENTION:
        found.append(
            f"the calibration waited for a processor: {worst:.2f} times as long (at most {MAX_CONTENTION})"
        )
    return found


def judge_schedule(lateness_s: Sequence[float]) -> list[str]:
    """Return why the generator was not on schedule; empty: it was."""
    if not lateness_s:
        return ["the generator did nothing"]
    found = []
    if (usual := percentile(lateness_s, 0.99)) > MAX_LATENESS_S:
        found.append(f"the generator fell behind: {usual:.3f} s at p99 (at most {MAX_LATENESS_S} s)")
    if (worst := max(lateness_s)) > MAX_LATENESS_EVER_S:
        found.append(f"the generator fell behind: {worst:.2f} s once (at most {MAX_LATENESS_EVER_S} s)")
    return found


def judge_count(side: str, count: Count) -> list[str]:
    """Return where the counts of a side differ; empty: every call that was asked for was delivered."""
    steps: Mapping[str, int | None] = {
        "accepted": count.accepted,
        "arrived at the carrier": count.arrived,
        "played to the end": count.complete,
        "proven by Voicegate": count.proven,
    }
    return [
        f"{side}: {number} of {count.requested} calls were {step}"
        for step, number in steps.items()
        if number is not None and number != count.requested
    ]
