"""Many calls to people who hang up in the moment they answer, and what is left of them: nothing."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.pbx.busy_hour import AREA_CODES
from tests.pbx.conftest import Backend
from tests.pbx.daemons import daemon
from tests.pbx.far_end import Habit, far_end
from tests.pbx.outcomes import outcome_of
from voicegate.lab.world import Lab

AT_ONCE: Final = 10
ENDS_WITHIN_S: Final = 10


async def all_end(lab: Lab, count: int, **overrides: str) -> None:
    """Have a daemon place so many calls; fail unless each ends in time, and nothing of any is left."""
    room, audio = asyncio.Semaphore(AT_ONCE), lab.settings.volatile / "hung-up-on"
    async with (
        far_end(lab.settings.ports.stranger, lambda _: Habit(hangs_up_at_ack=True)) as end,
        daemon(lab, "stranger", **overrides, **{"audio.folder": str(audio)}) as backend,
    ):
        calls = [_hung_up_on(backend, number, room) for number in _numbers(count)]
        ended = await asyncio.gather(*calls)
        outcomes = {outcome_of for outcome_of, _ in ended}
        assert outcomes == {("hung_up", "answered", "callee")}, outcomes
        assert max(lasted for _, lasted in ended) < ENDS_WITHIN_S
        assert len(end.dialogs) == count
        await _nothing_is_left(lab, audio)


def _numbers(count: int) -> Iterator[str]:
    for index in range(count):
        yield f"+1{AREA_CODES[index // 100]}55501{index % 100:02}"


async def _hung_up_on(backend: Backend, number: str, room: asyncio.Semaphore) -> tuple[object, float]:
    """What a call came to, and how long it lasted after answer."""
    async with room:
        created = await backend.created(number)
        verification = await backend.client.verification(created.id)
        while verification.status == "delivering":
            since = verification.revision
            verification = await backend.client.verification(verification.id, wait_s=60, since=since)
        call = verification.call
        assert call is not None
        assert call.answered_at is not None
        assert call.ended_at is not None
        return outcome_of(verification), (call.ended_at - call.answered_at).total_seconds()


async def _nothing_is_left(lab: Lab, audio: Path) -> None:
    deadline = time.monotonic() + ENDS_WITHIN_S
    while (channels := await asyncio.to_thread(lab.pbxs[0].channels)) or list(audio.glob("*.wav")):
        assert time.monotonic() < deadline, (channels, list(audio.iterdir()))
        await asyncio.sleep(0.1)
