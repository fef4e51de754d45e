"""The exchanges that the suite of the `Pbx` port runs on, each with telephones that behave alike."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from voicegate.adapters.simulator import SimulatedPbx
from voicegate.application.ports import Clip, Pbx
from voicegate.domain.routing import CallerId, Hop, Trunk


class Telephone(StrEnum):
    """What every bench must have; the value ends the number that behaves so."""

    PRESSES_KEY = "01"
    NEVER_PRESSES = "02"
    BUSY = "03"
    RINGS_FOR_EVER = "04"
    HANGS_UP_MIDWAY = "05"
    OFFICE = "06"
    """Takes the extension 4321; then as `01`."""
    NOT_IN_SERVICE = "08"


@dataclass(frozen=True, slots=True)
class PbxBench:
    """An exchange and what a test needs to call through it."""

    pbx: Pbx
    number_for: Callable[[Telephone], Hop]
    key: str
    """The key that the invitation asks for."""
    invitation: Clip
    reading: Clip
    """A code; `HANGS_UP_MIDWAY` does not listen to its end."""
    apology: Clip


def _clip(name: str, length: timedelta, code_end: float = 1.0) -> Clip:
    samples = round(length.total_seconds() * 8000)
    return Clip(name, samples, length, round(samples * code_end))


@asynccontextmanager
async def simulated() -> AsyncIterator[PbxBench]:
    """The simulator, fifty times as fast as life."""
    trunk = Trunk("simulated", "simulator", endpoint="carrier", caller_ids=(CallerId("+12025550100"),))

    def number_for(telephone: Telephone) -> Hop:
        number = f"+120255501{telephone}"
        return Hop(trunk, endpoint=trunk.endpoint, number=number, caller_id=trunk.caller_ids[0])

    yield PbxBench(
        pbx=SimulatedPbx(pace=0.02, endpoints=["carrier"]),
        number_for=number_for,
        key="5",
        invitation=_clip("invitation", timedelta(seconds=4)),
        reading=_clip("reading", timedelta(seconds=6), code_end=0.7),
        apology=_clip("apology", timedelta(seconds=2)),
    )


PBX_BENCHES: Final[Mapping[str, Callable[[], AbstractAsyncContextManager[PbxBench]]]] = {
    "simulator": simulated
}
"""By name; a new PBX is one line."""
