"""A landline's extension arrives whole and at its pace, as the far end's log of digits tells."""

import asyncio
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import pytest

from tests.pbx.conftest import EACH_PBX, Backend
from voicegate.lab.deadlines import within
from voicegate.lab.numbers import find_number
from voicegate.lab.world import Lab

pytestmark = EACH_PBX

EXTENSION = "1234567890W12"
LOG = "digits"
# Each digit sounds for 120 ms, and the next follows 250 ms later, unless told to wait.
PACE_S, PAUSE_S = 0.37, 1.0
_STARTED = re.compile(r"\[([-\d]+ [:.\d]+)\].* DTMF begin '(.)' received on (\S+)")


@pytest.fixture
def digit_log(lab: Lab) -> Iterator[None]:
    lab.carrier_command(f"logger add channel {LOG} dtmf")
    yield
    lab.carrier_command(f"logger remove channel {LOG}")


def digits_at(lab: Lab, endpoint: str) -> list[tuple[str, datetime]]:
    """Each digit that a telephone got, and when."""
    told = (lab.settings.folder / "carrier/log" / LOG).read_text("utf-8")
    return [
        (digit, datetime.fromisoformat(at))
        for at, digit, channel in _STARTED.findall(told)
        if endpoint in channel
    ]


@pytest.mark.usefixtures("digit_log")
@pytest.mark.parametrize("name", ["speaks-ulaw", "speaks-g722"])
async def test_a_long_extension_arrives_whole_and_keeps_its_pause(backend: Backend, name: str) -> None:
    created = await backend.created(find_number(name).american("325"), extension=EXTENSION)
    await backend.reaches(created.id, "awaiting_human")
    # Its logger writes when it comes to it.
    async with within(5):
        while len(heard := digits_at(backend.lab, name)) < len(EXTENSION) - 1:
            await asyncio.sleep(0.1)
    await backend.client.cancel(created.id)
    await backend.settled(created.id)
    assert "".join(digit for digit, _ in heard) == EXTENSION.replace("W", "")
    waits = [(later - sooner).total_seconds() for (_, sooner), (_, later) in pairwise(heard)]
    assert waits[9] > PACE_S + PAUSE_S / 2
    assert sum(waits) < 11 * PACE_S + PAUSE_S + 1
