"""The daemon and what the machine gives it: files, descriptors, and memory that is nobody else's."""

import asyncio
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path

import httpx
import phonenumbers
import pytest

from tests.acceptance import every_door
from tests.acceptance.test_daemon import BUSY, SETTINGS
from voicegate.client import AsyncClient
from voicegate.config import load
from voicegate.lab.deadlines import at_most, within


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "voicegate.toml"
    file.write_text(SETTINGS.format(folder=tmp_path) + every_door.SETTINGS)
    return file


def lower_limits() -> None:
    """A soft limit as a login has it, and core dumps as somebody who looks for a fault wants them."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1000))
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


@asynccontextmanager
async def daemon(
    settings: Path, *command: str
) -> AsyncIterator[tuple[httpx.AsyncClient, subprocess.Popen[bytes]]]:
    """A daemon that is ready, and a client of it; ended in the end."""
    launch = [sys.executable, "-m", *(command or ("voicegate",)), "--config", str(settings), "serve"]
    transport = httpx.AsyncHTTPTransport(uds=str(settings.parent / "voicegate.sock"))
    with settings.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(launch, stderr=log, preexec_fn=lower_limits)  # noqa: PLW1509  # no thread forks
    try:
        async with httpx.AsyncClient(
            transport=transport, base_url="http://voicegate", timeout=at_most(20)
        ) as http:
            async with within(30):
                while not await is_ready(http):
                    assert process.poll() is None, settings.with_suffix(".log").read_text()
                    await asyncio.sleep(0.05)
            yield http, process
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)


async def is_ready(http: httpx.AsyncClient) -> bool:
    with suppress(httpx.TransportError):
        return (await http.get("/readyz")).is_success
    return False


async def test_nothing_is_imported_or_opened_for_the_first_time_once_it_serves(settings: Path) -> None:
    notes, audio = settings.with_name("notes"), load(settings).audio.folder
    async with daemon(settings, "tests.acceptance.watched", str(notes)) as (http, process):
        pending = notes.stat().st_size
        statuses = await every_door.walk(http)
        assert not [status for status in statuses if status >= 500]
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, at_most(20)) == 0
    later = notes.read_bytes()[pending:].decode().splitlines()
    # The sounds of calls, of which there were some, are made while they ring.
    assert [line for line in later if line.startswith(f"open {audio}/")]
    assert [line for line in later if not line.startswith(f"open {audio}/")] == []


def lasting_descriptors(pid: int) -> set[int]:
    """What a process keeps open: a descriptor that is open for a moment only would be one to spare later."""
    looks = []
    for _ in range(10):
        looks.append({int(file.name) for file in Path(f"/proc/{pid}/fd").iterdir()})
        time.sleep(0.05)
    return set.intersection(*looks)


@contextmanager
def no_descriptor(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave the daemon no descriptor but those that it has."""
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    used = lasting_descriptors(process.pid)
    lowest = next(number for number in count() if number not in used)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, before)


async def ask_of_every_region(http: httpx.AsyncClient) -> list[int]:
    regions = sorted(
        phonenumbers.SUPPORTED_REGIONS | phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS - {0}, key=str
    )
    numbers = [
        phonenumbers.example_number_for_non_geo_entity(region)
        if isinstance(region, int)
        else phonenumbers.example_number(region)
        for region in regions
    ]
    written = [
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        for number in numbers
        if number is not None and number.country_code != 1
    ]
    assert len(written) > 220
    return [
        (await http.post("/v1/verifications", json={"destination": number})).status_code for number in written
    ]


async def test_out_of_descriptors_it_judges_every_number_and_afterwards_serves_as_before(
    settings: Path,
) -> None:
    async with daemon(settings) as (http, process):
        # The connection of who shows who he is stays open, and without a descriptor there is no other.
        assert (await http.get("/v1/trunks")).is_success
        with no_descriptor(process):
            assert set(await ask_of_every_region(http)) == {403}
            created = (await http.post("/v1/verifications", json={"destination": BUSY})).json()
            ended = await settled(http, created["id"])
            # No sound can be written now: that is our fault, and is said to be.
            assert (ended["call"]["outcome"], ended["call"]["blame"]) == ("playback_failed", "us")
        await serves_as_before(http, settings, process)


async def test_who_came_while_there_was_no_descriptor_is_served_once_there_is(settings: Path) -> None:
    async with daemon(settings) as (http, process):
        # Nobody is connected who could be let go.
        with no_descriptor(process):
            reader, writer = await asyncio.open_unix_connection(settings.with_name("voicegate.sock"))
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: voicegate\r\n\r\n")
            async with within(20):
                while (log := settings.with_suffix(".log").read_text()).count("no connection can be") < 2:
                    await asyncio.sleep(0.05)
            # It is said now and then, however often it is tried, and trying costs next to nothing.
            assert log.count("no connection can be") == 2
            tries = json.loads(log.splitlines()[-1])["times"]
            assert 1 < tries <= 110
        async with within(20):
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
        await serves_as_before(http, settings, process)


async def serves_as_before(http: httpx.AsyncClient, settings: Path, process: subprocess.Popen[bytes]) -> None:
    """Every door serves, newcomers too, and the daemon ends when it is told to."""
    async with within(20), AsyncClient(socket=settings.with_name("voicegate.sock")) as other:
        assert (await other.ready()).status == "ok"
    statuses = await every_door.walk(http)
    assert not [status for status in statuses if status >= 500]
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, at_most(20)) == 0


async def settled(http: httpx.AsyncClient, verification_id: str) -> dict[str, dict[str, object]]:
    async with within(20):
        while True:
            found = (await http.get(f"/v1/verifications/{verification_id}")).json()
            if found["call"]["state"] == "ended":
                return dict(found)
            await asyncio.sleep(0.05)


async def test_it_takes_all_descriptors_that_it_may_and_leaves_no_core_dump(settings: Path) -> None:
    async with daemon(settings) as (_, process):
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (1000, 1000)
        assert resource.prlimit(process.pid, resource.RLIMIT_CORE) == (0, 0)


def test_its_memory_is_handed_to_nobody() -> None:
    """Not by the limit, and not to a core pattern that is a pipe, to which limits mean nothing."""
    asked = (
        "import ctypes, resource; from voicegate.adapters import process; process.keep_memory_private();"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    told = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=at_most(20)
    )
    assert told.stdout == "(0, 0) 0\n"
