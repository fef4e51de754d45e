"""Daemons to break: in a process of their own, with the simulator as their PBX."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.acceptance.test_daemon import SETTINGS, is_ready
from voicegate.client import AsyncClient
from voicegate.lab.deadlines import at_most, within

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
