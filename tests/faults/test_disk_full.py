"""Disks with not a byte left, under the database and under the sounds of calls: real ones, of a few
megabytes, in a mount namespace that needs no rights."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.test_daemon import is_ready
from tests.faults.daemons import (
    PASSCODE,
    begin_call,
    end_of,
    fast,
    noted,
    number_of,
    sign_in,
    write_settings,
)
from tests.faults.settled import Memory, assert_all_is_settled
from voicegate.client import ApiError, AsyncClient
from voicegate.lab.deadlines import within

NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
STATE, AUDIO = "state", "audio"


@dataclass
class SmallDisks:
    """A daemon with two of them, and whoever fills them."""

    client: AsyncClient
    process: int
    folder: Path
    filler: asyncio.subprocess.Process

    async def order(self, what: str, disk: str) -> int:
        """Have a disk filled, or freed of that again; return how many sounds are on it."""
        assert self.filler.stdin is not None
        assert self.filler.stdout is not None
        self.filler.stdin.write(f"{what} {self.folder / disk}\n".encode())
        return int(await self.filler.stdout.readline())


@pytest.fixture
async def disks(tmp_path: Path) -> AsyncIterator[SmallDisks]:
    if subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this kernel lets nobody have a mount namespace of their own")
    settings = write_settings(tmp_path, database=str(tmp_path / STATE / "voicegate.db"))
    for name in (STATE, AUDIO):
        (tmp_path / name).mkdir(exist_ok=True)
    async with (
        started(tmp_path, settings) as filler,
        AsyncClient(socket=tmp_path / "voicegate.sock") as client,
    ):
        assert filler.stdout is not None
        process = int(await filler.stdout.readline())
        async with within(30):
            while not await is_ready(client):
                assert filler.returncode is None, settings.with_suffix(".log").read_text()
                await asyncio.sleep(0.05)
        yield SmallDisks(client, process, tmp_path, filler)


@asynccontextmanager
async def started(folder: Path, settings: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    daemon = [sys.executable, "-m", *fast(folder), "--config", str(settings), "serve"]
    command = [*NAMESPACE, sys.executable, "-m", "tests.faults.small_disks"]
    command += [str(folder / STATE), str(folder / AUDIO), "--", *daemon]
    with settings.with_suffix(".log").open("ab") as log:
        filler = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log
        )
    try:
        yield filler
    finally:
        assert filler.stdin is not None
        filler.stdin.close()
        await filler.wait()


async def test_without_room_for_state_or_sound_calls_end_truthfully_and_all_goes_on_after(
    disks: SmallDisks,
) -> None:
    client = disks.client
    await sign_in(client, number_of(0))
    memory = Memory.of(disks.process)
    called = [await begin_call(client, index) for index in (1, 2)]
    await disks.order("fill", STATE)
    await refused_until_ended(client)
    await disks.order("free", STATE)
    for name in called:
        assert (await end_of(client, name)).calls[0].outcome == "delivered"
        assert (await client.check(name, PASSCODE)).status == "verified"
    await disks.order("fill", AUDIO)
    created = await client.create_verification(number_of(3), passcode=PASSCODE)
    (call,) = (await end_of(client, created.id)).calls
    assert (call.outcome, call.blame, call.evidence.announced) == ("playback_failed", "us", 0)
    assert await disks.order("free", AUDIO) == 0
    await sign_in(client, number_of(4))
    settled = await assert_all_is_settled(client, rung=noted(disks.folder, "originated"), memory=memory)
    assert settled.outcomes == {"delivered": 4, "playback_failed": 1}
    print(f"{dict(settled.outcomes)}, {settled.grown_mb:+.1f} MB")


async def refused_until_ended(client: AsyncClient) -> None:
    """Ask for calls while nothing can be stored: each is refused, and nobody is called."""
    for index in range(10, 14):
        with pytest.raises(ApiError) as refused:
            await client.create_verification(number_of(index))
        assert (refused.value.status, refused.value.problem.name) == (503, "store_unavailable")
    async with within(10):  # an answer of the database is good for a second
        while await is_ready(client):
            await asyncio.sleep(0.1)
