"""How another open server judges codes: privacyIDEA by gunicorn, beside Voicegate, by turns.

Not the same work to the last: it has many kinds of tokens and policies, we have one. Both look a code up in
SQLite, judge it, keep that it was used, and write an audit entry.
"""

import asyncio
import hashlib
import hmac
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.backend import HttpBackend, http_backend, http_backend_of
from tests.bench.drive import tell
from tests.bench.figures import paired_ratio
from tests.bench.machine import family_s, processors
from tests.bench.options import Options
from tests.bench.parts.api import TEST_NUMBERS, closed_loop, prepare
from tests.bench.report import Figure, Plot, Result, ratio
from tests.bench.sides import warm_up
from tests.bench.simulated import serving, simulated
from tests.bench.validity import judge_load
from tests.bench.watch import Watch
from voicegate.lab.deadlines import Deadline

_PEERS: Final = Path(__file__).parents[1] / "peers"
_TOKENS: Final = 16
"""One for each connection: its codes have to come one after the other."""
_SECONDS: Final = 5.0
_ROUNDS: Final = 3
_CODES: Final = 24000
_TRUNCATE: Final = 10**6
_SETTINGS: Final = """
SUPERUSER_REALM = ["super"]
SQLALCHEMY_DATABASE_URI = "sqlite:///{folder}/pi.db"
SECRET_KEY = "{secret}"
PI_PEPPER = "{secret}"
PI_ENCFILE = "{folder}/enckey"
PI_AUDIT_KEY_PRIVATE = "{folder}/private.pem"
PI_AUDIT_KEY_PUBLIC = "{folder}/public.pem"
PI_AUDIT_NO_SIGN = True
PI_LOGFILE = "{folder}/pi.log"
PI_LOGLEVEL = 40
"""


def measure(options: Options) -> Result:
    """Install it beside, and measure both by turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tell("installing privacyIDEA")
        secret = _install(folder)
        watch = Watch()
        theirs, ours = asyncio.run(_measure(folder, secret, options))
    rates = {"privacyIDEA": [rate for rate, _ in theirs], "Voicegate": [rate for rate, _ in ours]}
    costs = {"privacyIDEA": [ms for _, ms in theirs], "Voicegate": [ms for _, ms in ours]}
    return Result(
        part="privacyidea",
        title="How another open server judges codes",
        figures=[
            ratio("processor time of a code, Voicegate over privacyIDEA", paired_ratio(*_ours_first(costs))),
            ratio("codes in a second, Voicegate over privacyIDEA", paired_ratio(*_ours_first(rates))),
            *(Figure(f"{side}: codes judged", median(these), "1/s") for side, these in rates.items()),
            *(Figure(f"{side}: processor time of one", median(these), "ms") for side, these in costs.items()),
        ],
        plots=[
            Plot(
                "privacyidea",
                "Processor time of a code",
                "ms",
                "",
                bars={side: {"ms": median(these)} for side, these in costs.items()},
            )
        ],
        notes=[
            f"privacyIDEA 3.14 by gunicorn with {processors()} workers, HOTP tokens without PIN, over TCP;"
            " Voicegate as one process, by its Unix socket; both on SQLite, 16 connections that do not wait.",
        ],
        faults=judge_load(watch.load()),
        raw={"rates": rates, "costs": costs},
    )


def _ours_first(of: dict[str, list[float]]) -> tuple[list[float], list[float]]:
    return of["Voicegate"], of["privacyIDEA"]


def _install(folder: Path) -> bytes:
    """Make an environment and its data; return the tokens' secret."""
    # Without pip, which Debian splits from Python: ours installs into it from outside.
    venv.create(folder / "venv", symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "venv"), "install", "-q"]
    _run([*pip, "--disable-pip-version-check", "-r", str(_PEERS / "requirements-privacyidea.txt")], folder)
    secret = secrets.token_bytes(20)
    (folder / "pi.cfg").write_text(_SETTINGS.format(folder=folder, secret=secrets.token_hex(20)))
    for step in ("create_enckey", "create_audit_keys", "create_tables"):
        _run([str(folder / "venv/bin/pi-manage"), "setup", step], folder)
    script = str(_PEERS / "privacyidea_tokens.py")
    _run([str(folder / "venv/bin/python"), script, str(_TOKENS), secret.hex()], folder)
    return secret


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=_environment(folder))
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr[-800:] or done.stdout[-800:]}")


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PRIVACYIDEA_CONFIGFILE": str(folder / "pi.cfg")}


async def _measure(
    folder: Path, secret: bytes, options: Options
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Return the rate in 1/s and the processor time in ms of each round: theirs, and ours."""
    rounds, seconds = options.chosen_rounds(_ROUNDS), options.chosen_seconds(_SECONDS)
    controller = simulated(folder / "ours", more=TEST_NUMBERS)
    codes = list(await prepare(controller, _CODES))
    theirs, ours = [], []
    share = len(codes) // rounds
    async with serving(controller), http_backend(controller.socket) as mine, _peer(folder) as (pid, peer):
        await warm_up(mine)
        counters = [0] * _TOKENS
        await _closed_loop(peer, pid, secret, counters=counters, seconds=1)
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}")
            theirs.append(await _closed_loop(peer, pid, secret, counters=counters, seconds=seconds))
            rate, _, cost = await closed_loop(controller, mine, codes[number * share : (number + 1) * share])
            ours.append((rate, cost))
    return theirs, ours


@asynccontextmanager
async def _peer(folder: Path) -> AsyncIterator[tuple[int, HttpBackend]]:
    """A running privacyIDEA: its process, and who asks it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
    program = "privacyidea.app:create_app(config_name='production', silent=True)"
    command = [
        str(folder / "venv/bin/gunicorn"),
        "-w",
        str(processors()),
        "--bind",
        f"127.0.0.1:{port}",
        program,
    ]
    with (folder / "gunicorn.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=_environment(folder), cwd=folder)
    try:
        deadline = Deadline(60)
        while not accepts(port):
            if deadline.has_passed or process.poll() is not None:
                raise RuntimeError((folder / "gunicorn.log").read_text()[-800:])
            await asyncio.sleep(0.1)
        async with http_backend_of(f"http://127.0.0.1:{port}") as backend:
            yield process.pid, backend
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 30)


async def _closed_loop(
    peer: HttpBackend, pid: int, secret: bytes, *, counters: list[int], seconds: float
) -> tuple[float, float]:
    before, began, right = family_s(pid), time.monotonic(), 0

    async def work(token: int) -> None:
        nonlocal right
        while time.monotonic() - began < seconds:
            guess = {"serial": f"BENCH{token}", "pass": hotp(secret, counters[token])}
            counters[token] += 1
            _, answer = await peer.post("/validate/check", guess)
            if answer["result"].get("value") is not True:
                raise RuntimeError(f"a right code was refused: {answer['result']}")
            right += 1

    await asyncio.gather(*(work(token) for token in range(_TOKENS)))
    return right / (time.monotonic() - began), (family_s(pid) - before) * 1000 / right


def accepts(port: int) -> bool:
    """Return whether somebody listens at a port of loopback."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def hotp(secret: bytes, counter: int) -> str:
    """Return the code of a counter (RFC 4226)."""
    digest = hmac.digest(secret, counter.to_bytes(8, "big"), hashlib.sha1)
    place = digest[-1] & 15
    return f"{(int.from_bytes(digest[place : place + 4], 'big') & 0x7FFFFFFF) % _TRUNCATE:06}"
