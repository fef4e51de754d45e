"""The daemon under attack: over TLS on loopback, with one client that is honest and one that is not."""

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegate.client import AsyncClient, Unreachable
from voicegate.lab.deadlines import within
from voicegate.lab.ports import reserve_port_base

SETTINGS: Final = """
[storage]
database = "{folder}/voicegate.db"
key_file = "{folder}/key"
state_folder = "{folder}/state"
[socket]
path = "{folder}/voicegate.sock"
[tcp]
enabled = true
port = {port}
certificate = "{folder}/both.pem"
[audio]
folder = "{folder}/audio"
[policy]
allowed_countries = ["US"]
calls_per_prefix = 0
sequential_numbers = 0
conversion_floor = 0
[call]
drain_timeout_s = 0
[pbx.main]
kind = "simulator"
[trunks.carrier]
pbx = "main"
endpoint = "carrier"
caller_ids = [{{ number = "+12025550100" }}]
[providers.any]
number = "number"
code = "code"
[twilio.bank]
sid = "VA00000000000000000000000000000001"
friendly_name = "Voicegate"
"""
_HERE: Final = "127.0.0.1"
_STOPS_WITHIN_S: Final = 30
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Target:
    """A running daemon, and what the kernel says of it."""

    process: int
    """Its process id."""
    port: int
    """Where it listens, on 127.0.0.1."""
    certificate: Path
    """Its own certificate."""
    socket: Path
    """Its Unix socket, where we may ask anything."""
    honest: str
    """The key of the client that signs people in."""
    hostile: str
    """The key of the client that abuses it."""

    @property
    def url(self) -> str:
        return f"https://{_HERE}:{self.port}"

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)

    def peak_mb(self) -> float:
        """The most memory it ever had resident."""
        return self._status_kb("VmHWM") / 1024

    def resident_mb(self) -> float:
        return self._status_kb("VmRSS") / 1024

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process}/fd").iterdir()))

    def processor_s(self) -> float:
        """What it has cost the processors by now (proc(5), fields 14 and 15)."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def _status_kb(self, name: str) -> int:
        lines = Path(f"/proc/{self.process}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


@asynccontextmanager
async def target(
    folder: Path, settings_text: str = SETTINGS, *, module: str = "voicegate"
) -> AsyncIterator[Target]:
    """Start the daemon, or a module that stands for it, in a folder of its own, and stop it in the end."""
    certificate = folder / "both.pem"
    _certify(certificate)
    settings = folder / "voicegate.toml"
    with reserve_port_base() as port, (folder / "daemon.log").open("w") as log:
        settings.write_text(settings_text.format(folder=folder, port=port))
        command = [sys.executable, "-m", module, "--config", str(settings), "serve"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        try:
            async with AsyncClient(socket=folder / "voicegate.sock") as admin:
                await _is_ready(admin)
                scopes = ["verifications", "factors", "hooks"]
                honest, hostile = [await admin.add_client(name, scopes) for name in ("honest", "hostile")]
            yield Target(
                process.pid, port, certificate, settings.with_name("voicegate.sock"), honest.key, hostile.key
            )
        finally:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, _STOPS_WITHIN_S)
            finally:
                process.kill()


async def _is_ready(admin: AsyncClient) -> None:
    async with within(20):
        while True:
            try:
                await admin.ready()
            except Unreachable:
                await asyncio.sleep(0.05)
            else:
                return


def _certify(file: Path) -> None:
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"
        f" -addext subjectAltName=IP:{_HERE} -days 2 -keyout {file}.key -out {file}.crt"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    file.write_text(Path(f"{file}.key").read_text() + Path(f"{file}.crt").read_text())
