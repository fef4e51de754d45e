"""Who asks to be called with a code is told so, let go, and called; nothing is asked for on the line.

All of it at a PBX of each kind.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import quote

import pytest

from voicegate.client import ApiError, Unreachable
from voicegate.client.models import Problem
from voicegate.lab import callback
from voicegate.lab.callback import CallBack
from voicegate.lab.deadlines import within
from voicegate.lab.ports import Ports, free_port_base
from voicegate.lab.settings import PbxKind


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
class Telephone(ABC):
    """The PBX's side of a call to the service."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @abstractmethod
    async def begin(self, caller: str | None) -> None:
        """Say who calls."""

    @abstractmethod
    async def hears(self) -> str:
        """Which sound is to be played."""

    @abstractmethod
    async def let_go(self) -> None:
        """Hear it to its end, and be hung up."""

    @abstractmethod
    async def hang_up(self) -> None:
        """Do so before its end."""

    async def is_over(self) -> bool:
        return await self.reader.read() == b""

    async def receive(self, end: bytes) -> str:
        return (await self.reader.readuntil(end)).decode().strip()

    def say(self, line: str) -> None:
        self.writer.write(f"{line}\n".encode())


class AtAsterisk(Telephone):
    async def begin(self, caller: str | None) -> None:
        argument = f"agi_arg_1: {caller}\n" if caller else ""
        self.say(f"agi_network: yes\nagi_network_script: code\n{argument}")

    async def hears(self) -> str:
        command, sound, _, _, _ = (await self.receive(b"\n")).split('"')
        assert command == "STREAM FILE "
        return sound

    async def let_go(self) -> None:
        self.say("200 result=0 endpos=100")
        assert await self.receive(b"\n") == "HANGUP"
        self.say("200 result=1")
        assert await self.is_over()

    async def hang_up(self) -> None:
        self.say("HANGUP")
        assert await self.is_over()


class AtFreeSwitch(Telephone):
    async def begin(self, caller: str | None) -> None:
        assert await self.receive(b"\n\n") == "connect"
        known = f"variable_tester: {quote(caller)}\n" if caller else ""
        self.say(f"Event-Name: CHANNEL_DATA\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n{known}")

    async def hears(self) -> str:
        sound, suffix, _ = (await self._order("playback")).rpartition(".wav")
        assert suffix
        return sound

    async def let_go(self) -> None:
        self._obey()
        assert await self._order("hangup") == ""
        self._obey()
        assert await self.is_over()

    async def hang_up(self) -> None:
        text = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
        self.writer.write(
            f"Content-Type: text/disconnect-notice\nContent-Length: {len(text)}\n\n{text}".encode()
        )
        await self.writer.drain()
        # Our order to hang up comes too late for it to be read.
        self.writer.transport.abort()

    async def _order(self, application: str) -> str:
        command, *lines = (await self.receive(b"\n\n")).split("\n")
        headers = dict(line.split(":", 1) for line in lines)
        assert (command, headers["call-command"].strip()) == ("sendmsg", "execute")
        assert headers["execute-app-name"].strip() == application
        return headers["execute-app-arg"].strip()

    def _obey(self) -> None:
        self.say("Content-Type: command/reply\nReply-Text: +OK\n")


TELEPHONES = {PbxKind.ASTERISK: AtAsterisk, PbxKind.FREESWITCH: AtFreeSwitch}


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    daemon = Daemon()
    monkeypatch.setattr(callback, "AsyncClient", daemon)
    monkeypatch.setattr(callback, "_PAUSE_S", 0)
    return daemon


@pytest.fixture(params=PbxKind)
def kind(request: pytest.FixtureRequest) -> PbxKind:
    kind: PbxKind = request.param
    return kind


@dataclass
class Service:
    """Where it is reached, and by whom."""

    kind: PbxKind
    port: int

    @contextlib.asynccontextmanager
    async def call(self, caller: str | None) -> AsyncIterator[Telephone]:
        async with within(10):
            while True:
                with contextlib.suppress(ConnectionError):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    break
                await asyncio.sleep(0)
            telephone = TELEPHONES[self.kind](reader, writer)
            try:
                await telephone.begin(caller)
                yield telephone
            finally:
                writer.close()


@pytest.fixture
async def service(kind: PbxKind, daemon: Daemon, tmp_path: Path) -> AsyncIterator[Service]:
    port = Ports(free_port_base()).callback
    server = asyncio.create_task(CallBack(kind, tmp_path / "socket", tmp_path).serve(port))
    yield Service(kind, port)
    server.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await server


async def test_who_asks_is_let_go_and_then_called(service: Service, daemon: Daemon, tmp_path: Path) -> None:
    async with service.call("tester1") as telephone:
        assert await telephone.hears() == f"{tmp_path}/code"
        assert daemon.called.empty()
        await telephone.let_go()
        assert await daemon.called.get() == ("tester1", "tester1 asked for it")


async def test_who_hangs_up_at_once_is_called_all_the_same(service: Service, daemon: Daemon) -> None:
    async with service.call("tester1") as telephone:
        await telephone.hears()
        await telephone.hang_up()
        assert (await daemon.called.get())[0] == "tester1"


@pytest.mark.parametrize("fault", [Unreachable("nobody"), ApiError(503, Problem(title="not ready"))])
async def test_while_nobody_can_be_called_an_apology_is_heard(
    service: Service, daemon: Daemon, fault: Exception
) -> None:
    daemon.fault = fault
    async with service.call("tester1") as telephone:
        assert (await telephone.hears()).endswith("/sounds/en/apology")
        await telephone.let_go()
    assert daemon.called.empty()


async def test_one_refusal_does_not_end_the_service(
    service: Service, daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.refusal = ApiError(429, Problem(title="too many"))
    for _ in range(2):
        async with service.call("tester1") as telephone:
            await telephone.hears()
            await telephone.let_go()
            await daemon.called.get()
    assert "tester1 is not called back: too many\n" in capsys.readouterr().err


async def test_without_a_known_caller_nobody_is_called(service: Service, daemon: Daemon) -> None:
    async with service.call(None) as telephone:
        assert await telephone.is_over()
    assert daemon.called.empty()
