"""Thousands of connections that say nothing, while people sign in: the oldest of them yield, none is reset,
and nothing of them is left."""

import asyncio
import resource
import socket
from pathlib import Path
from typing import Final

import pytest

from tests.faults.daemons import fast, noted, number_of, running, sign_in, write_settings
from tests.faults.settled import Memory, assert_all_is_settled
from voicegate.client import AsyncClient
from voicegate.lab.deadlines import within

HERE: Final = "127.0.0.1"
SOURCES: Final = 20
AT_ONCE: Final = 50
PEOPLE: Final = 5


class Silent(asyncio.Protocol):
    """A connection that says nothing, and how it ended."""

    def __init__(self, ends: list[str]) -> None:
        self._ends = ends

    def connection_lost(self, exc: Exception | None) -> None:
        self._ends.append(type(exc).__name__ if exc else "closed")


class Crowd:
    """Very many of them, from some addresses."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._room = asyncio.Semaphore(AT_ONCE)
        self.ends: list[str] = []
        self._transports: list[asyncio.BaseTransport] = []

    async def come(self, count: int) -> None:
        await asyncio.gather(*(self._connect(index) for index in range(count)))

    async def _connect(self, index: int) -> None:
        source = (f"127.0.0.{2 + index % SOURCES}", 0)
        async with self._room:
            transport, _ = await asyncio.get_running_loop().create_connection(
                lambda: Silent(self.ends), HERE, self._port, local_addr=source
            )
        self._transports.append(transport)

    def leave(self) -> None:
        for transport in self._transports:
            transport.close()


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_very_many_connections_that_say_nothing_keep_nobody_from_signing_in(
    tmp_path: Path, count: int
) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < count + 500:
        pytest.skip(f"needs {count + 500} open files: ulimit -n")
    with socket.create_server((HERE, 0)) as free:
        port = free.getsockname()[1]
    # A seventh of them may be open, as 1500 of ten thousand may by default.
    caps = f"[http]\nmax_connections = {count * 3 // 20}\nmax_waiting = 50\n"
    settings = write_settings(tmp_path, f"{caps}[tcp]\nenabled = true\nport = {port}\n")
    async with running(settings, fast(tmp_path)) as (admin, process):
        key = (await admin.add_client("honest", ["verifications"])).key
        rested = await signed_in(port, key, 0)
        memory = Memory.of(process.pid)
        crowd = Crowd(port)
        coming = asyncio.create_task(crowd.come(count))
        slowest = max([await signed_in(port, key, index) for index in range(1, PEOPLE)])
        await coming
        slowest = max(slowest, await signed_in(port, key, PEOPLE))
        async with within(60):
            while len(crowd.ends) < count:  # those that did not yield were closed for their silence
                await asyncio.sleep(0.1)
        crowd.leave()
        async with within(30):
            while open_at(port):
                await asyncio.sleep(0.1)
        settled = await assert_all_is_settled(
            admin, audio=tmp_path / "audio", rung=noted(tmp_path, "originated"), memory=memory
        )
    assert set(crowd.ends) == {"closed"}, {end: crowd.ends.count(end) for end in set(crowd.ends)}
    assert settled.outcomes == {"delivered": PEOPLE + 1}
    print(
        f"{count} silent, all closed, none reset; sign-ins {slowest:.2f} s at most"
        f" ({rested:.2f} at rest), {settled.grown_mb:+.1f} MB"
    )


async def signed_in(port: int, key: str, index: int) -> float:
    """How long a sign-in took, over a connection of its own."""
    async with AsyncClient(base_url=f"http://{HERE}:{port}", key=key) as client:
        return await sign_in(client, number_of(index))


def open_at(port: int) -> int:
    """How many connections a server's port has that are open or that it has not closed (proc(5))."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] in ("01", "08") for row in rows)
