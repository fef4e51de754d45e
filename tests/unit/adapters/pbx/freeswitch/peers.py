"""The adapter beside a scripted FreeSWITCH, at a pace for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import soundfile

from tests.wire.switch import PASSWORD, Switch
from voicegate.adapters.pbx.common.call_supervisor import CallSupervisor
from voicegate.adapters.pbx.common.connection import ReconnectPolicy, Secret
from voicegate.adapters.pbx.freeswitch.driver import FreeSwitchDriver
from voicegate.adapters.pbx.freeswitch.settings import FreeSwitchSettings
from voicegate.application.ports import Clip, LegSignal, Order
from voicegate.domain.routing import CallerId, Hop, Trunk
from voicegate.lab.deadlines import within

BRISK = ReconnectPolicy(
    first_delay=timedelta(milliseconds=20),
    longest_delay=timedelta(milliseconds=100),
    refused_delay=timedelta(milliseconds=50),
    quiet=timedelta(milliseconds=100),
)
APOLOGY = Clip("en/apology", 8000, timedelta(seconds=1), 8000)
_ids = count(1)


def settings_for(switch: Switch, **changes: object) -> FreeSwitchSettings:
    values: dict[str, object] = {
        "name": "lab",
        "esl_password": Secret(PASSWORD),
        "esl_port": switch.port,
        "command_timeout": timedelta(milliseconds=400),
        "lost_grace": timedelta(milliseconds=600),
        "pace": BRISK,
    }
    return FreeSwitchSettings(**(values | changes))  # type: ignore[arg-type]


def freeswitch_pbx(settings: FreeSwitchSettings) -> CallSupervisor:
    return CallSupervisor(partial(FreeSwitchDriver, settings))


@asynccontextmanager
async def connected(switch: Switch, **changes: object) -> AsyncIterator[CallSupervisor]:
    """A PBX adapter, logged in."""
    async with freeswitch_pbx(settings_for(switch, **changes)) as pbx:
        await until_connected(pbx)
        yield pbx


async def until_connected(pbx: CallSupervisor) -> None:
    async with within(5):
        while not pbx.is_connected:
            await asyncio.sleep(0.002)


async def until_lost(pbx: CallSupervisor) -> None:
    async with within(5):
        while pbx.is_connected:
            await asyncio.sleep(0.002)


def an_order(last_two: object = "01", **changes: object) -> Order:
    """An order to the telephone whose number ends so."""
    ring_timeout = changes.pop("ring_timeout", timedelta(seconds=5))
    caller = CallerId("+12025550100", "Example")
    trunk = Trunk("carrier", "lab", "carrier", [caller], ring_timeout=ring_timeout)  # type: ignore[arg-type]
    values: dict[str, object] = {
        "trunk": trunk,
        "endpoint": "carrier",
        "number": f"+120255501{last_two}",
        "caller_id": caller,
    }
    return Order(f"call_{next(_ids)}", Hop(**(values | changes)), APOLOGY)  # type: ignore[arg-type]


def a_clip(folder: Path, name: str = "reading", seconds: float = 0.5) -> Clip:
    """A sound that lies in `folder`."""
    samples = round(seconds * 8000)
    soundfile.write(folder / f"{name}.wav", np.zeros(samples, np.int16), 8000)
    return Clip(str(folder / name), samples, timedelta(seconds=seconds), round(samples * 0.7))


async def next_signal(signals: AsyncIterator[LegSignal]) -> LegSignal:
    async with within(5):
        return await anext(signals)


async def all_signals(signals: AsyncIterator[LegSignal]) -> list[LegSignal]:
    async with within(10):
        return [signal async for signal in signals]
