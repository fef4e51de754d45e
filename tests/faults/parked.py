"""The daemon, whose simulated calls stop for ever at a step that is written for them: `python -m
tests.faults.parked NOTES ARGUMENT…` takes, after the first, what `voicegate` takes.

NOTES is a folder. Its file `plan` has a line for each number: the number, the step's event, and `before` or
`after` its commit. To `parked` it adds each number that stopped, to `originated` each number that is called.
All calls take a fiftieth of their time, or what the variable PACE says.
"""

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from voicegate.adapters.pbx.simulator.pbx import SimulatedLeg, SimulatedPbx
from voicegate.application.call_log import CallLog
from voicegate.application.lines import LineCaps, NoLine
from voicegate.application.ports import Order
from voicegate.cli.main import main
from voicegate.domain.call import Call, CallEvent

PACE: Final = float(os.environ.get("PACE", "0.02"))
_ring: Final = SimulatedLeg.ring
_originate: Final = SimulatedPbx.originate
_begin: Final = CallLog.begin
_write: Final = CallLog.write
_close: Final = CallLog.close


class Notes:
    """The folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        lines = (folder / "plan").read_text().splitlines() if (folder / "plan").exists() else []
        self._plan: Mapping[str, str] = dict(line.split(" ", 1) for line in lines)

    def add(self, name: str, text: str) -> None:
        """Add a line, which is there though the process is killed in the next moment."""
        notes = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(notes, f"{text}\n".encode())
        os.close(notes)

    def has_plan(self, call: Call, event: str, when: str) -> bool:
        """Return whether that is this call's place."""
        return self._plan.get(call.destination.number) == f"{event} {when}"

    async def park(self, call: Call, event: str, when: str) -> None:
        """Stop for ever if that is this call's place."""
        if self.has_plan(call, event, when):
            self.add("parked", call.destination.number)
            await asyncio.Event().wait()


def patch(notes: Notes) -> None:
    async def ring(leg: SimulatedLeg, timeouts: timedelta) -> None:
        leg._pace = PACE
        await _ring(leg, timeouts)

    def originate(pbx: SimulatedPbx, order: Order) -> AbstractAsyncContextManager[SimulatedLeg]:
        notes.add("originated", str(order.hop.number))
        return _originate(pbx, order)

    async def begin(call_log: CallLog, caps: LineCaps) -> NoLine | None:
        await notes.park(call_log.call, "originated", "before")
        refused = await _begin(call_log, caps)
        await notes.park(call_log.call, "originated", "after")
        return refused

    async def write(call_log: CallLog, event: CallEvent) -> None:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
        await notes.park(call_log.call, name, "before")
        await _write(call_log, event)
        # What follows here comes after the commit; who does not park there does not wait, as ever.
        while notes.has_plan(call_log.call, name, "after") and not await is_stored(call_log, name):
            await asyncio.sleep(0.01)
        await notes.park(call_log.call, name, "after")

    async def is_stored(call_log: CallLog, name: str) -> bool:
        stored = await call_log._store.call(call_log.call.id)
        return stored is not None and any(step.event == name for step in stored.timeline)

    async def close(call_log: CallLog, *given: Any, **named: Any) -> None:
        await notes.park(call_log.call, "ended", "before")
        await _close(call_log, *given, **named)
        await notes.park(call_log.call, "ended", "after")

    SimulatedLeg.ring = ring  # type: ignore[assignment, method-assign]  # as unittest.mock would
    SimulatedPbx.originate = originate  # type: ignore[assignment, method-assign]
    CallLog.begin = begin  # type: ignore[assignment, method-assign]
    CallLog.write = write  # type: ignore[assignment, method-assign]
    CallLog.close = close  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    patch(Notes(Path(sys.argv[1])))
    main(sys.argv[2:], prog_name="voicegate")
