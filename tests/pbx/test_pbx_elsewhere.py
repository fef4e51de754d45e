"""An Asterisk that shares no folder with us: it fetches each sound over HTTP, and deletes a call's own."""

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.pbx.conftest import Backend
from tests.pbx.daemons import daemon
from tests.pbx.diagnosing import wrong
from voicegate.application.diagnostics import Level
from voicegate.lab.deadlines import within
from voicegate.lab.numbers import find_number
from voicegate.lab.world import Lab

MODULES = ("res_curl", "res_http_media_cache")
STRAY = f"vg-{'0' * 32}.wav"
RIGHTS = "write = call,originate"


@pytest.fixture
def url() -> str:
    """Where the daemon is reached by the PBX."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def fetching(lab: Lab) -> Iterator[Path]:
    """The lab's Asterisk as one that may fetch sounds and delete them; what it fetched lies in the folder."""
    accounts = lab.settings.folder / "pbx/etc/manager.conf"
    as_before = accounts.read_text("utf-8")
    accounts.write_text(as_before.replace(f"\n{RIGHTS}\n", f"\n{RIGHTS},command\n"), "utf-8")
    for module in MODULES:
        lab.pbx_command(f"module load {module}.so")
    lab.pbx_command("manager reload")
    yield lab.settings.volatile / "pbx"
    accounts.write_text(as_before, "utf-8")
    lab.pbx_command("manager reload")
    for module in reversed(MODULES):
        lab.pbx_command(f"module unload {module}.so")


@contextmanager
def served(folder: Path, url: str) -> Iterator[None]:
    """Let the PBX fetch the folder's files, as a daemon that was killed did."""
    make = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", int(url.rpartition(":")[2])), make) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def settings_of(url: str) -> dict[str, object]:
    return {"audio.url": url, "tcp.enabled": True, "tcp.port": int(url.rpartition(":")[2])}


def kept(lab: Lab, url: str) -> list[str]:
    """Return the sounds of calls that the PBX has."""
    return re.findall(rf"{url}/sounds/calls/\S+", lab.pbx_command("media cache show all"))


def played(lab: Lab) -> list[str]:
    """Return the names of all sounds that it was told to play."""
    return re.findall(r"Playing '([^']+)'", (lab.settings.folder / "pbx/log/full").read_text("utf-8"))


async def test_a_code_is_heard_from_a_pbx_that_reads_no_file_of_ours(
    backend: Backend, fetching: Path, url: str
) -> None:
    lab, number = backend.lab, find_number("never-presses").american("708")
    before = len(await asyncio.to_thread(played, lab))
    async with daemon(lab, "carrier", **settings_of(url)) as elsewhere:
        created = await elsewhere.created(number, passcode="274906", human_check="none")
        await elsewhere.reaches(created.id, "announcing")
        assert len(await asyncio.to_thread(kept, lab, url)) == 2  # the invitation, and the code
        record = await elsewhere.settled(created.id)
        assert await elsewhere.hear(number) == "274906"
        await elsewhere.quiet()
        async with within(10):
            while await asyncio.to_thread(kept, lab, url):
                await asyncio.sleep(0.05)
    assert record.calls[0].outcome == "delivered"
    assert record.calls[0].evidence.announced == 2
    sounds = (await asyncio.to_thread(played, lab))[before:]
    assert sounds
    assert {sound.partition("/sounds/")[0] for sound in sounds} == {url}
    # What is left are phrases, which are no secret.
    left = {file.read_bytes() for file in fetching.glob("bucket-*")}
    assert left <= {file.read_bytes() for file in Path("sounds/en").glob("*.wav")}


async def test_what_a_killed_daemon_left_is_deleted(
    lab: Lab, fetching: Path, url: str, tmp_path: Path
) -> None:
    for name in ("calls", "prompts"):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        (tmp_path / "sounds" / name / STRAY).write_bytes(b"sound")
    stray, phrase = (f"{url}/sounds/{name}/{STRAY}" for name in ("calls", "prompts"))
    with served(tmp_path, url):
        for path in (stray, phrase):
            await asyncio.to_thread(lab.pbx_command, f"media cache refresh {path}")
    assert await asyncio.to_thread(kept, lab, url) == [stray]
    async with daemon(lab, "carrier", **settings_of(url)):
        assert not await asyncio.to_thread(kept, lab, url)
    assert phrase in await asyncio.to_thread(lab.pbx_command, "media cache show all")
    assert [file.read_bytes() for file in fetching.glob("bucket-*")].count(b"sound") == 1


async def test_doctor_misses_the_right_to_delete(lab: Lab, url: str) -> None:
    found = await asyncio.to_thread(wrong, lab, audio={"url": url})
    assert ("AMI rights", Level.ERROR) in found
