"""Daemons to break: in a process of their own, with the simulator as their PBX."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.acceptance.test_daemon import SETTINGS, is_ready
from voicegate.client import AsyncClient, Verification
from voicegate.lab.deadlines import at_most, within

PASSCODE: Final = "471029"
UNLIMITED: Final = """[policy]
calls_per_prefix = 0
sequential_numbers = 0
conversion_floor = 0
"""
"""Limits that a test which asks for many calls from one place would meet."""


def write_settings(folder: Path, more: str = "", *, database: str | None = None) -> Path:
    """The settings file of a daemon in a folder of its own."""
    text = SETTINGS.format(folder=folder).replace("[policy]\n", UNLIMITED)
    if database is not None:
        text = text.replace(f"{folder}/voicegate.db", database)
    file = folder / "voicegate.toml"
    file.write_text(text + more)
    return file


def fast(folder: Path) -> tuple[str, str]:
    """The module of a daemon whose simulated calls take a fiftieth of their time; it keeps notes there."""
    return ("tests.faults.parked", str(folder))


def noted(folder: Path, name: str) -> list[str]:
    """What such a daemon noted: `originated`, or `parked`."""
    return (folder / name).read_text().split() if (folder / name).exists() else []


def number_of(index: int) -> str:
    """One of eighty thousand numbers whose telephone is answered."""
    return f"+1202{200 + index // 100:03}{index % 100:02}01"


async def sign_in(client: AsyncClient, number: str) -> float:
    """Sign a person in while the code is read; return how long it took until the code was right."""
    began = time.monotonic()
    created = await client.create_verification(number, passcode=PASSCODE)
    async for step in client.watch(created.id):
        if step.event in ("reading_started", "ended"):
            break
    assert (await client.check(created.id, PASSCODE)).status == "verified"
    return time.monotonic() - began


async def begin_call(client: AsyncClient, index: int) -> str:
    """The id of a verification whose telephone rings."""
    created = await client.create_verification(number_of(index), passcode=PASSCODE)
    async for step in client.watch(created.id):
        if step.event == "rang":
            break
    return created.id


async def end_of(client: AsyncClient, name: str) -> Verification:
    async for _ in client.watch(name):
        pass
    return await client.verification(name)


@asynccontextmanager
async def running(
    settings: Path, module: Sequence[str] = ("voicegate",), *, environment: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[AsyncClient, subprocess.Popen[bytes]]]:
    """A daemon that is ready, as this module with these first arguments; stopped in the end."""
    command = [sys.executable, "-m", *module, "--config", str(settings), "serve"]
    with settings.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, env=environment)
    try:
        async with AsyncClient(socket=settings.parent / "voicegate.sock") as client:
            async with within(30):
                while not await is_ready(client):
                    assert process.poll() is None, settings.with_suffix(".log").read_text()
                    await asyncio.sleep(0.05)
            yield client, process
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait, at_most(30))
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)
