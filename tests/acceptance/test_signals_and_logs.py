"""What the daemon's owner does to it while it runs: signals, and a standard error that nobody reads."""

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.test_daemon import SETTINGS
from tests.unit.adapters.http.test_keys_and_peers import make_certificate
from voicegate.lab.deadlines import at_most, within

REQUESTS = 600
"""Each is a log line; a pipe holds some 170."""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "voicegate.toml"
    file.write_text(SETTINGS.format(folder=tmp_path))
    return file


@dataclass
class Daemon:
    """A running daemon and what it logs."""

    process: subprocess.Popen[bytes]
    http: httpx.AsyncClient
    settings: Path
    errors: int
    """The end of the pipe that it writes to."""
    read: bytes = b""

    async def logs(self, event: str) -> dict[str, Any]:
        """Read on until it has logged such an event; return that."""
        async with within(20):
            while True:
                line, newline, rest = self.read.partition(b"\n")
                if not newline:
                    more = await asyncio.to_thread(os.read, self.errors, 65536)
                    assert more, f"it ended, and never logged: {event}"
                    self.read += more
                    continue
                self.read = rest
                if (found := dict(json.loads(line)))["event"] == event:
                    return found

    def set(self, *changes: tuple[str, str]) -> None:
        text = self.settings.read_text()
        for old, new in changes:
            text = text.replace(old, new) if old else f"{text}{new}"
        self.settings.write_text(text)
        self.process.send_signal(signal.SIGHUP)

    async def stopped(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, at_most(20))


@asynccontextmanager
async def started(settings: Path) -> AsyncIterator[Daemon]:
    """One whose standard error is a pipe, read only by `logs`."""
    errors, writes = os.pipe()
    command = [sys.executable, "-m", "voicegate", "--config", str(settings), "serve"]
    process = subprocess.Popen(command, stderr=writes)
    os.close(writes)
    transport = httpx.AsyncHTTPTransport(uds=str(settings.parent / "voicegate.sock"))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://d", timeout=at_most(20)) as http:
            yield Daemon(process, http, settings, errors)
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)
        os.close(errors)


async def test_a_standard_error_that_nobody_reads_holds_nothing_up(settings: Path) -> None:
    async with started(settings) as daemon:
        await daemon.logs("serving")
        for number in range(REQUESTS):
            assert (await daemon.http.get(f"/v1/calls/{number}")).status_code == 404
        # Nothing was lost: whoever reads late reads all of it.
        told = [(await daemon.logs("request"))["path"] for _ in range(REQUESTS)]
        assert set(told) == {"/v1/calls/{id}"}


async def test_told_to_stop_it_ends_though_nobody_reads_its_last_lines(settings: Path) -> None:
    async with started(settings) as daemon:
        await daemon.logs("serving")
        for _ in range(REQUESTS):
            await daemon.http.get("/v1/calls/none")
        assert await daemon.stopped() == 0


async def test_told_to_stop_it_writes_all_its_lines_before_it_ends(settings: Path) -> None:
    async with started(settings) as daemon:
        await daemon.logs("serving")
        created = (await daemon.http.post("/v1/verifications", json={"destination": "+12025550104"})).json()
        assert created["call"]["state"] == "queued"
        assert await daemon.stopped() == 0
        ended = await daemon.logs("call ended")
        assert (ended["call"], ended["outcome"]) == (created["call"]["id"], "interrupted")


async def test_a_hangup_signal_never_ends_it_and_another_log_level_holds_at_once(settings: Path) -> None:
    async with started(settings) as daemon:
        await daemon.logs("serving")
        daemon.set(("", '\n[log]\nlevel = "debug"\n'))
        assert (await daemon.logs("settings reloaded"))["log_level"] == "debug"
        daemon.set(('"debug"', '"loud"'))
        event = await daemon.logs("settings not reloaded: the previous ones stay in force")
        assert "log.level" in event["error"]
        daemon.set(
            ('"loud"', '"info"'),
            ('["US"]', '["CA"]'),
            ("[trunks.carrier]", "[routing]\nfailover_within_s = 3\n[trunks.carrier]"),
        )
        told = await daemon.logs("changed settings need a restart")
        assert told["settings"] == ["routing.failover_within_s"]
        await daemon.logs("settings reloaded")
        refused = await daemon.http.post("/v1/verifications", json={"destination": "+12025550104"})
        assert (refused.status_code, refused.json()["type"]) == (
            403,
            "urn:voicegate:problem:country_not_allowed",
        )
        assert (await daemon.http.get("/readyz")).status_code == 200
        assert await daemon.stopped() == 0


async def test_hangup_signals_while_it_starts_and_while_it_ends_do_nothing(settings: Path) -> None:
    async with started(settings) as daemon:
        async with within(20):
            while not is_minded(signal.SIGHUP, daemon.process.pid):
                await asyncio.sleep(0.001)
        hanging_up = asyncio.create_task(hang_up_for_ever(daemon.process.send_signal))
        try:
            await daemon.logs("settings reloaded")
            assert (await daemon.http.get("/readyz")).status_code == 200
            assert await daemon.stopped() == 0
        finally:
            hanging_up.cancel()


def is_minded(number: signal.Signals, pid: int) -> bool:
    """Ignored, or caught: by proc_pid_status(5). Before Python runs, nobody can have a word on signals."""
    words = Path(f"/proc/{pid}/status").read_text().split()
    masks = [int(words[words.index(name) + 1], 16) for name in ("SigIgn:", "SigCgt:")]
    return any(mask >> (number - 1) & 1 for mask in masks)


async def hang_up_for_ever(send: Callable[[int], None]) -> None:
    while True:
        send(signal.SIGHUP)
        await asyncio.sleep(0.02)


async def test_a_renewed_certificate_is_shown_after_a_hangup_signal(settings: Path) -> None:
    certificate, key = settings.with_name("certificate.pem"), settings.with_name("key.pem")
    make_certificate(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    secure = f'\n[tcp]\nenabled = true\nport = {port}\ncertificate = "{certificate}"\nkey = "{key}"\n'
    settings.write_text(settings.read_text() + secure)

    def shown() -> str:
        return ssl.get_server_certificate(("127.0.0.1", port), timeout=at_most(5))

    async with started(settings) as daemon:
        await daemon.logs("serving")
        first = await asyncio.to_thread(shown)
        make_certificate(certificate, key)
        daemon.set()
        await daemon.logs("settings reloaded")
        second = await asyncio.to_thread(shown)
        assert second != first
        certificate.write_text("none")
        daemon.set()
        assert (
            "tcp.certificate"
            in (await daemon.logs("certificate not reloaded: the previous one stays in force"))["error"]
        )
        assert await asyncio.to_thread(shown) == second
