"""The plan for many calls a second that `docs/scale.md` tells: from measured costs, held by a simulation.

`python -m tests.bench.scale` renews the page's tables, `make bench` does so after each part. The simulation
knows queues and failures, not telephony: calls arrive at random, each takes its costs from processors that
are shared out, and one exchange and one controller fail on the way.
"""

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Final

from tests.bench.figures import percentile
from tests.bench.report import Result, load

PAGE: Final = Path(__file__).parents[2] / "docs/scale.md"
RATE: Final = 1000.0
"""Calls a second that are planned for."""
_MARKS: Final = ("<!-- plan: begin -->\n", "<!-- plan: end -->\n")
_USED: Final = 0.6
"""The share of a processor that is planned for: room for bursts, and for what fails."""
_CORES: Final = 16
"""Of one machine with exchanges."""
_SPARE: Final = 1
_UP_A_CONTROLLER: Final = 10_000
"""The highest `call.max_in_progress`."""
_PACKET_BITS: Final = (160 + 12 + 8 + 20 + 18) * 8
_PACKETS_A_SECOND: Final = 50
_STEPS: Final = 4
"""In so many pieces a controller's work for a call comes: at its beginning, at its end, and between."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What a call costs, as measured; milliseconds of one processor."""

    pbx_ms: float = 160.0
    controller_ms: float = 39.0
    database_ms: float = 20.0
    accept_ms: float = 5.0
    """The part of the controller's before the answer to the request."""
    verify_ms: float = 1.5
    length_s: float = 41.0
    """From answer to end."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """How many machines and processes."""

    pbx_machines: int
    controllers: int
    """Processes; each has one processor."""
    database_cores: int


@dataclass(frozen=True, slots=True)
class Held:
    """What became of the calls in a simulation."""

    calls: int
    refused: int
    """Those for which no exchange or no controller had room."""
    accept_p99_ms: float
    pbx_used: float
    """The highest share of an exchange's processors in any second."""
    controller_used: float
    up: int
    """Calls up at most."""

    @property
    def is_good(self) -> bool:
        """Is every call carried, in time?"""
        return (
            self.refused == 0 and self.accept_p99_ms < 50 and self.pbx_used < 1 and self.controller_used < 1
        )


def measured(results: Sequence[Result]) -> Costs:
    """Return the costs of results that are valid; what was not measured is as it was before."""
    values = {
        (result.part, figure.name): figure.value
        for result in results
        if result.is_valid
        for figure in result.figures
    }
    places = {
        "pbx_ms": ("floor", "Voicegate: PBX"),
        "controller_ms": ("floor", "controller"),
        "database_ms": ("database", "1 controller: PostgreSQL"),
        "accept_ms": ("api", "accept: processor time"),
        "verify_ms": ("api", "verify: processor time"),
    }
    return replace(Costs(), **{name: values[place] for name, place in places.items() if place in values})


def plan(costs: Costs, rate: float = RATE) -> Fleet:
    """Return what carries so many calls a second, with one machine and one controller to spare."""
    up = rate * costs.length_s
    controllers = max(
        ceil(rate * (costs.controller_ms + costs.verify_ms) / 1000 / _USED), ceil(up / _UP_A_CONTROLLER)
    )
    return Fleet(
        pbx_machines=ceil(rate * costs.pbx_ms / 1000 / _USED / _CORES) + _SPARE,
        controllers=controllers + _SPARE,
        database_cores=ceil(rate * costs.database_ms / 1000 / _USED),
    )


def simulate(fleet: Fleet, costs: Costs, *, rate: float = RATE, seconds: int = 120, seed: int = 1) -> Held:
    """Return how a fleet holds so many calls a second; half-way one exchange and one controller fail."""
    return _Simulation(fleet, costs, random.Random(seed)).run(rate, seconds)


class _Simulation:
    def __init__(self, fleet: Fleet, costs: Costs, chance: random.Random) -> None:
        self._costs, self._chance = costs, chance
        self._pbxs, self._controllers = list(range(fleet.pbx_machines)), list(range(fleet.controllers))
        self._up = [0] * fleet.pbx_machines
        self._held = [0] * fleet.controllers
        self._free_at = [0.0] * fleet.controllers
        self._work = [0.0] * fleet.controllers
        self._later: list[tuple[float, int, int, bool]] = []
        self._step_s = max(0.0, costs.controller_ms + costs.verify_ms - costs.accept_ms) / 1000 / _STEPS
        self._waits: list[float] = []
        self._refused = 0
        self._used = [0.0, 0.0]
        self._most = 0

    def run(self, rate: float, seconds: int) -> Held:
        """Let the calls come."""
        at, count, second = 0.0, 0, 0
        while (at := at + self._chance.expovariate(rate)) < seconds:
            while at >= second + 1:
                second += 1
                self._look()
                if second == seconds // 2:
                    # What comes goes to the others; what they hold is not seen to end early.
                    self._pbxs.pop()
                    self._controllers.pop()
            self._step(at)
            self._call(at)
            count += 1
        waits = percentile(self._waits, 0.99) * 1000 + self._costs.accept_ms
        return Held(count, self._refused, waits, self._used[0], self._used[1], self._most)

    def _call(self, at: float) -> None:
        # As a balancer does that knows nothing of load, and as routes do that count calls.
        controller = self._chance.choice(self._controllers)
        pbx = min(self._chance.sample(self._pbxs, min(2, len(self._pbxs))), key=self._up.__getitem__)
        if self._held[controller] >= _UP_A_CONTROLLER:
            self._refused += 1
            return
        began = max(at, self._free_at[controller])
        self._waits.append(began - at)
        self._free_at[controller] = began + self._costs.accept_ms / 1000
        self._work[controller] += self._costs.accept_ms / 1000
        self._up[pbx] += 1
        self._held[controller] += 1
        for step in range(_STEPS):
            due = at + self._costs.length_s * step / (_STEPS - 1)
            heapq.heappush(self._later, (due, pbx, controller, step == _STEPS - 1))

    def _step(self, at: float) -> None:
        while self._later and self._later[0][0] <= at:
            _, pbx, controller, is_end = heapq.heappop(self._later)
            self._work[controller] += self._step_s
            self._free_at[controller] = max(self._free_at[controller], at) + self._step_s
            self._up[pbx] -= is_end
            self._held[controller] -= is_end

    def _look(self) -> None:
        a_second = self._costs.pbx_ms / 1000 / self._costs.length_s
        self._used[0] = max(self._used[0], max(self._up) * a_second / _CORES)
        self._used[1] = max(self._used[1], *self._work)
        self._most = max(self._most, sum(self._up))
        self._work = [0.0] * len(self._work)


def tables(costs: Costs) -> str:
    """Return the page's tables: the costs, the plan, and how the simulation held it."""
    fleet = plan(costs)
    held = simulate(fleet, costs)
    up = RATE * costs.length_s
    bandwidth = up * _PACKETS_A_SECOND * _PACKET_BITS / 1e9
    rows = (
        ("exchanges", f"{fleet.pbx_machines} machines of {_CORES} cores", f"{costs.pbx_ms:.0f} ms a call"),
        ("controllers", f"{fleet.controllers} processes", f"{costs.controller_ms:.1f} ms a call"),
        ("PostgreSQL", f"{fleet.database_cores} cores", f"{costs.database_ms:.1f} ms a call"),
        (
            "channels at the carriers",
            f"{channels(up):,}",
            f"{costs.length_s:.0f} s a call, 1 in 1000 blocked",
        ),
        ("network, each way", f"{bandwidth:.1f} Gbit/s", "G.711, 20 ms a packet, Ethernet"),
    )
    lines = [f"For {RATE:.0f} calls a second:", "", "| | needed | because of |", "|---|---|---|"]
    lines += [f"| {name} | {needed} | {why} |" for name, needed, why in rows]
    lines += [
        "",
        f"Simulated with {held.calls:,} calls; one exchange and one controller fail half-way: {held.refused}"
        f" refused, {held.up:,} up at most; in the worst second exchanges at {held.pbx_used:.0%} and"
        f" controllers at {held.controller_used:.0%}; accepted within {held.accept_p99_ms:.0f} ms (p99).",
    ]
    return "\n".join(lines) + "\n"


def channels(load: float, blocked: float = 0.001) -> int:
    """Return the channels with which no more than that share of calls finds none free (Erlang B)."""
    inverse, count = 1.0, 0
    # The reciprocal of the recursion, which does not underflow.
    while 1 / inverse > blocked:
        count += 1
        inverse = 1 + inverse * count / load
    return count


def renew(page: Path = PAGE) -> None:
    """Write the page's tables anew, from the results that are kept."""
    text = page.read_text("utf-8")
    before, _, rest = text.partition(_MARKS[0])
    _, _, after = rest.partition(_MARKS[1])
    page.write_text(f"{before}{_MARKS[0]}{tables(measured(load()))}{_MARKS[1]}{after}", "utf-8")


if __name__ == "__main__":
    renew()
