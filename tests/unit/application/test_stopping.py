"""What becomes of calls in progress when the controller stops."""

import asyncio
from dataclasses import dataclass

import pytest

from tests.unit.application.conftest import Bench
from tests.unit.application.scripted import ScriptedLeg, full
from voicegate.application import call_in_progress
from voicegate.application.ports import Clip
from voicegate.domain.call import Answered, Rang
from voicegate.lab.deadlines import within

APOLOGY = "apologise en/apology"


@dataclass
class StoppingLeg(ScriptedLeg):
    """Whoever listens hears the apology to its end, which takes the conversation's time for many things."""

    async def leave(self, apology: Clip) -> None:
        self.done.append(f"apologise {apology.path}")
        for _ in range(200):
            await asyncio.sleep(0)
        await self.hang_up()


async def test_nothing_more_is_said_and_nobody_hangs_up_while_it_is_sorry(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_in_progress, "_SEEING_OFF", call_in_progress._SEEING_OFF * 0)
    monkeypatch.setattr("tests.unit.application.scripted.ScriptedLeg", StoppingLeg)
    is_asked = asyncio.Event()

    async def never_presses(leg: ScriptedLeg) -> None:
        def hear(_keys: str) -> None:
            is_asked.set()

        leg.on_play = lambda clip, keys: full(clip)
        leg.on_wait = hear
        leg.tell(Rang(), Answered())

    bench.pbx.plots = [never_presses]
    bench = bench.rebuilt()
    async with bench.delivery, within(5):
        await bench.issue()
        await is_asked.wait()
    done = bench.pbx.legs[0].done
    assert done[done.index(APOLOGY) + 1 :] == ["hang up", "hang up"]
