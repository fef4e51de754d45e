"""Who asks to be called with a code is told so, let go, and called; nothing is asked for on the line."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from voicegate.client import ApiError, Unreachable
from voicegate.client.answers import Problem
from voicegate.lab import callback
from voicegate.lab.callback import CallBack
from voicegate.lab.ports import Ports, free_port_base


@dataclass
class Daemon:
    """The lab's daemon, as its client shows it."""

    fault: Exception | None = None
    refusal: Exception | None = None
    called: asyncio.Queue[tuple[str, str]] = field(default_factory=asyncio.Queue)

    def __call__(self, socket: Path) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def ready(self) -> None:
        if self.fault:
            raise self.fault

    async def create_verification(self, destination: str, *, reference: str) -> Self:
        self.called.put_nowait((destination, reference))
        if self.refusal:
            raise self.refusal
        return self

    id = "ver_1"


@dataclass
class Telephone:
    """The PBX's side of a call to the service."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def command(self) -> str:
        return (await self.reader.readline()).decode().strip()

    def say(self, line: str) -> None:
        self.writer.write(f"{line}\n".encode())

    async def let_go(self) -> None:
        """Hear the promise to its end, and be hung up."""
        self.say("200 result=0 endpos=100")
        assert await self.command() == "HANGUP"
        self.say("200 result=1")
        assert await self.command() == ""


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    daemon = Daemon()
    monkeypatch.setattr(callback, "AsyncClient", daemon)
    monkeypatch.setattr(callback, "_PAUSE_S", 0)
    return daemon


@pytest.fixture
async def port(daemon: Daemon, tmp_path: Path) -> AsyncIterator[int]:
    port = Ports(free_port_base()).callback
    server = asyncio.create_task(CallBack(tmp_path / "socket", tmp_path).serve(port))
    yield port
    server.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await server


@contextlib.asynccontextmanager
async def call(port: int, argument: str) -> AsyncIterator[Telephone]:
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(ConnectionError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            await asyncio.sleep(0)
        telephone = Telephone(reader, writer)
        telephone.say(f"agi_network: yes\nagi_network_script: code\n{argument}")
        try:
            yield telephone
        finally:
            writer.close()


async def test_who_asks_is_let_go_and_then_called(port: int, daemon: Daemon, tmp_path: Path) -> None:
    async with call(port, "agi_arg_1: tester1\n") as telephone:
        assert await telephone.command() == f'STREAM FILE "{tmp_path}/code" ""'
        assert daemon.called.empty()
        await telephone.let_go()
        assert await daemon.called.get() == ("tester1", "tester1 asked for it")


async def test_who_hangs_up_at_once_is_called_all_the_same(port: int, daemon: Daemon) -> None:
    async with call(port, "agi_arg_1: tester1\n") as telephone:
        await telephone.command()
        telephone.say("HANGUP")
        assert await telephone.command() == ""
        assert (await daemon.called.get())[0] == "tester1"


@pytest.mark.parametrize("fault", [Unreachable("nobody"), ApiError(503, Problem(title="not ready"))])
async def test_while_nobody_can_be_called_an_apology_is_heard(
    port: int, daemon: Daemon, fault: Exception
) -> None:
    daemon.fault = fault
    async with call(port, "agi_arg_1: tester1\n") as telephone:
        assert (await telephone.command()).endswith('/sounds/en/apology" ""')
        await telephone.let_go()
    assert daemon.called.empty()


async def test_one_refusal_does_not_end_the_service(
    port: int, daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.refusal = ApiError(429, Problem(title="too many"))
    for _ in range(2):
        async with call(port, "agi_arg_1: tester1\n") as telephone:
            await telephone.command()
            await telephone.let_go()
            await daemon.called.get()
    assert "tester1 is not called back: too many\n" in capsys.readouterr().err


async def test_without_a_known_caller_nobody_is_called(port: int, daemon: Daemon) -> None:
    async with call(port, "") as telephone:
        assert await telephone.command() == ""
    assert daemon.called.empty()
