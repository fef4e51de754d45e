"""The daemon, whose simulated calls stop for ever at a step that is written for them: `python -m
tests.faults.parked NOTES ARGUMENT…` takes, after the first, what `voicegate` takes.

NOTES is a folder. Its file `plan` has a line for each number: the number, the step's event, and `before` or
`after` its commit. To `parked` it adds each number that stopped, to `originated` each number that is called.
All calls take a fiftieth of their time, or what the variable PACE says.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from voicegate.adapters.pbx.simulator.pbx import SimulatedLeg, SimulatedPbx
from voicegate.adapters.storage import SqlStore
from voicegate.application.ports import CallRecord, Order
from voicegate.cli.main import main

PACE: Final = float(os.environ.get("PACE", "0.02"))
_ring: Final = SimulatedLeg.ring
_originate: Final = SimulatedPbx.originate
_record: Final = SqlStore.record


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

    async def park(self, record: CallRecord, when: str) -> None:
        """Stop for ever if that is this call's place."""
        number = record.call.destination.number
        event = record.timeline[-1].event if record.timeline else ""
        if self._plan.get(number) == f"{event} {when}":
            self.add("parked", number)
            await asyncio.Event().wait()


def patch(notes: Notes) -> None:
    async def ring(leg: SimulatedLeg, timeouts: timedelta) -> None:
        leg._pace = PACE
        await _ring(leg, timeouts)

    def originate(pbx: SimulatedPbx, order: Order) -> AbstractAsyncContextManager[SimulatedLeg]:
        notes.add("originated", str(order.hop.number))
        return _originate(pbx, order)

    async def record(store: SqlStore, record: CallRecord, *given: Any, **named: Any) -> None:
        await notes.park(record, "before")
        await _record(store, record, *given, **named)
        await notes.park(record, "after")

    SimulatedLeg.ring = ring  # type: ignore[assignment, method-assign]  # as unittest.mock would
    SimulatedPbx.originate = originate  # type: ignore[assignment, method-assign]
    SqlStore.record = record  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    patch(Notes(Path(sys.argv[1])))
    main(sys.argv[2:], prog_name="voicegate")
