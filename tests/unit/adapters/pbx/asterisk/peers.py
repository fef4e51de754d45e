"""The PBX's side of both wires, on loopback sockets, saying exactly what a test writes."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import ClassVar

from voicegate.adapters.pbx.asterisk.driver import AsteriskDriver
from voicegate.adapters.pbx.asterisk.settings import AsteriskSettings
from voicegate.adapters.pbx.common.call_supervisor import CallSupervisor
from voicegate.adapters.pbx.common.connection import ConnectionListener, ReconnectPolicy, Secret
from voicegate.application.ports import Clip, LegSignal, Order
from voicegate.bootstrap.asterisk import tls_context
from voicegate.domain.routing import CallerId, Hop, Trunk
from voicegate.lab.certificates import Certificates
from voicegate.lab.deadlines import within

APOLOGY = Clip("en/apology", 8000, timedelta(seconds=1), 8000)
READING = Clip("/run/voicegate/x", 4000, timedelta(milliseconds=500), 3000)
BRISK = ReconnectPolicy(
    first_delay=timedelta(milliseconds=20),
    longest_delay=timedelta(milliseconds=100),
    refused_delay=timedelta(milliseconds=50),
    quiet=timedelta(milliseconds=100),
)
CHALLENGE, SECRET = "840415273", "open sesame"
_ids = count(1)

Message = Mapping[str, str]
Answer = Callable[["AmiPeer", Message], str | None]


@dataclass
class AmiPeer:
    """A manager interface that answers by a script and remembers what it was asked."""

    asked: list[Message] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)
    """Every byte it was sent, over all connections."""
    answers: dict[str, Answer] = field(default_factory=dict)
    greeting: bytes = b"Asterisk Call Manager/11.0.0\r\n"
    logins: int = 0
    connections: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def say(self, text: str | bytes) -> None:
        """Send to whoever is connected, as it stands."""
        data = text if isinstance(text, bytes) else text.encode()
        for writer in self._writers:
            writer.write(data)

    def event(self, name: str, **headers: str) -> None:
        lines = [f"Event: {name}", *(f"{key.replace('_', '-')}: {value}" for key, value in headers.items())]
        self.say("\r\n".join(lines) + "\r\n\r\n")

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def names(self) -> list[str]:
        return [message["Action"] for message in self.asked]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something that was asked makes `condition` true."""
        async with within(5):
            while not condition():
                self.news.clear()
                await self.news.wait()

    def newest(self, action: str) -> Message:
        """What was asked last of that kind; others, such as "Ping", may have come since."""
        return next(message for message in reversed(self.asked) if message["Action"] == action)

    async def until_asked(self, action: str, times: int = 1) -> Message:
        await self.until(lambda: self.names().count(action) >= times)
        return [message for message in self.asked if message["Action"] == action][times - 1]

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["AmiPeer"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            AgiCaller.leave_all()
            # Cut off, they end by themselves.
            await asyncio.gather(*self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.append(writer)
        self.connections += 1
        self.news.set()
        writer.write(self.greeting)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    self._take(await reader.readuntil(b"\r\n\r\n"))
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    def _take(self, block: bytes) -> None:
        self.raw += block
        message: dict[str, str] = {}
        for line in block.decode().strip().split("\r\n"):
            key, _, value = line.partition(": ")
            message[key] = f"{message[key]}\n{value}" if key in message else value
        self.asked.append(message)
        answer = self.answers.get(message["Action"], _ANSWERS.get(message["Action"]))
        text = answer(self, message) if answer is not None else None
        if text is not None:
            self.say(f"{text}\r\nActionID: {message['ActionID']}\r\n\r\n")
        self.news.set()


def _log_in(peer: AmiPeer, message: Message) -> str:
    assert message["Key"] == hashlib.md5(f"{CHALLENGE}{SECRET}".encode()).hexdigest()
    peer.logins += 1
    return "Response: Success\r\nMessage: Authentication accepted"


_ANSWERS: dict[str, Answer] = {
    "Challenge": lambda peer, message: f"Response: Success\r\nChallenge: {CHALLENGE}",
    "Login": _log_in,
    "Ping": lambda peer, message: "Response: Success\r\nPing: Pong",
    "Getvar": lambda peer, message: "Response: Success\r\nValue: 1",
    "Originate": lambda peer, message: "Response: Success\r\nMessage: Originate successfully queued",
    "Hangup": lambda peer, message: "Response: Success\r\nMessage: Channel Hungup",
    "Status": lambda peer, message: "Response: Error\r\nMessage: No such channel",
}


def silent(peer: AmiPeer, message: Message) -> None:
    """An answer that never comes."""


def hang_up(peer: AmiPeer, message: Message) -> str:
    """End the channel, as the PBX does when told to."""
    peer.event("Hangup", Uniqueid=message["Channel"], Cause="0")
    return "Response: Success\r\nMessage: Channel Hungup"


def settings_for(peer: AmiPeer, **changes: object) -> AsteriskSettings:
    values: dict[str, object] = {
        "name": "lab",
        "ami_username": "voicegate",
        "ami_secret": Secret(SECRET),
        "ami_port": peer.port,
        "agi_port": 0,
        "action_timeout": timedelta(milliseconds=400),
        "lost_grace": timedelta(milliseconds=600),
        "pace": BRISK,
    }
    return AsteriskSettings(**(values | changes))  # type: ignore[arg-type]


class AsteriskPbx(CallSupervisor):
    """The supervisor with its driver at hand."""

    driver: AsteriskDriver

    def __init__(self, settings: AsteriskSettings) -> None:
        def make(listener: ConnectionListener) -> AsteriskDriver:
            self.driver = AsteriskDriver(settings, listener)
            return self.driver

        super().__init__(make)


def tls_of(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's, and what believes it."""
    made = Certificates(folder)
    made.ensure()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.carrier, made.carrier_key)
    return server, tls_context(str(made.authority), "ami_tls_ca")


@asynccontextmanager
async def connected(peer: AmiPeer, **changes: object) -> AsyncIterator[AsteriskPbx]:
    """A PBX adapter, logged in."""
    async with AsteriskPbx(settings_for(peer, **changes)) as pbx:
        await until_connected(pbx)
        yield pbx


async def until_connected(pbx: AsteriskPbx) -> None:
    async with within(5):
        while not pbx.is_connected:
            await asyncio.sleep(0.002)


async def until_lost(pbx: AsteriskPbx) -> None:
    async with within(5):
        while pbx.is_connected:
            await asyncio.sleep(0.002)


def an_order(**changes: object) -> Order:
    trunk = Trunk("carrier", "lab", "carrier", [CallerId("+12025550100", "Example")])
    values: dict[str, object] = {
        "trunk": trunk,
        "endpoint": "carrier",
        "number": "+12025550143",
        "caller_id": trunk.caller_ids[0],
    }
    return Order(f"call_{next(_ids)}", Hop(**(values | changes)), APOLOGY)  # type: ignore[arg-type]


@dataclass
class AgiCaller:
    """A channel of the PBX, connected to our FastAGI server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    dialed: ClassVar[list["AgiCaller"]] = []

    @classmethod
    async def dial(cls, pbx: AsteriskPbx) -> "AgiCaller":
        port = int(pbx.driver.agi.address.rpartition(":")[2].partition("/")[0])
        cls.dialed.append(cls(*await asyncio.open_connection("127.0.0.1", port)))
        return cls.dialed[-1]

    @classmethod
    def leave_all(cls) -> None:
        for caller in cls.dialed:
            caller.writer.transport.abort()
        cls.dialed.clear()

    @classmethod
    async def enter(cls, pbx: AsteriskPbx, originate: Message, **changes: str) -> "AgiCaller":
        """Connect as the dialplan does for the call that `originate` asked for."""
        variables = dict(line.split("=", 1) for line in originate["Variable"].split("\n"))
        head = {
            "agi_network": "yes",
            "agi_network_script": "call",
            "agi_request": variables["VOICEGATE_AGI"],
            "agi_uniqueid": originate["ChannelId"],
            "agi_arg_1": variables["VOICEGATE_TOKEN"],
        }
        caller = await cls.dial(pbx)
        caller.send("".join(f"{key}: {value}\n" for key, value in (head | changes).items()) + "\n")
        return caller

    def send(self, text: str | bytes) -> None:
        self.writer.write(text if isinstance(text, bytes) else text.encode())

    async def command(self) -> str:
        async with within(5):
            return (await self.reader.readline()).decode().removesuffix("\n")

    async def answer(self, expected: str, reply: str | bytes) -> None:
        command = await self.command()
        assert command.startswith(expected), command
        self.send(reply)

    async def count(self, sent: int | str, received: int | str = 0, cause: int = 0) -> None:
        await self.answer("GET FULL VARIABLE", f"200 result=1 ({received}|{sent}|0.000000|{cause})\n")

    @property
    def is_open(self) -> bool:
        """Has nobody closed the connection so far?"""
        return not self.reader.at_eof()

    async def is_closed(self) -> bool:
        async with within(5):
            with suppress(ConnectionError):
                return await self.reader.read() == b""
        return True

    def hang_up(self) -> None:
        self.writer.close()


async def next_signal(signals: AsyncIterator[LegSignal]) -> LegSignal:
    async with within(5):
        return await anext(signals)
