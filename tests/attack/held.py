"""The daemon, whose simulated calls do not ring before SIGUSR1: then one after another, `RATE` in a second.

`python -m tests.attack.held` takes what `voicegate` takes; the variable PACE multiplies the calls' times. So
however many people can be watching before the first telephone rings.
"""

import asyncio
import os
import signal
from datetime import timedelta
from typing import Final

from voicegate.adapters.pbx.simulator.pbx import SimulatedLeg
from voicegate.cli.main import main

RATE: Final = 25
"""Calls that begin to ring in a second; one lasts about 40 seconds, so that 500 are in progress at once."""
_ring: Final = SimulatedLeg.ring


class Gate:
    """Where calls wait."""

    def __init__(self) -> None:
        self._opened_at: asyncio.Future[float] | None = None
        self._count = 0

    async def pass_(self, ended: asyncio.Event) -> None:
        """Wait for a call's turn, or its end."""
        loop = asyncio.get_running_loop()
        if self._opened_at is None:
            self._opened_at = loop.create_future()
            loop.add_signal_handler(signal.SIGUSR1, lambda at: at.set_result(loop.time()), self._opened_at)
        place, self._count = self._count, self._count + 1
        ending = asyncio.create_task(ended.wait())
        await asyncio.wait((self._opened_at, ending), return_when=asyncio.FIRST_COMPLETED)
        if self._opened_at.done():
            due = self._opened_at.result() + place / RATE
            await asyncio.wait((ending,), timeout=max(0.0, due - loop.time()))
        ending.cancel()


_gate: Final = Gate()


async def _ring_in_turn(leg: SimulatedLeg, timeouts: timedelta) -> None:
    leg._pace = float(os.environ.get("PACE", "1"))
    await _gate.pass_(leg._ended)
    await _ring(leg, timeouts)


if __name__ == "__main__":
    SimulatedLeg.ring = _ring_in_turn  # type: ignore[assignment, method-assign]  # as unittest.mock would
    main(prog_name="voicegate")
