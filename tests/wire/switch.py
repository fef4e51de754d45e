"""A scripted FreeSWITCH: an event socket that answers as 1.10.12 was recorded to, traps included.

Its telephones are `telephones`'s; here are connections, commands and subscriptions, and what was asked.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import quote
from uuid import uuid4

from tests.wire.telephones import Behaviour, Channel, Order, behaviour_of
from voicegate.lab.deadlines import within

PASSWORD = "open sesame"
USER = "voicegate@lab"
_GATEWAYS = {"carrier": "UP", "down": "DOWN"}
Answer = Callable[["Switch", str], str | None]


@dataclass
class Connection:
    """One client."""

    writer: asyncio.StreamWriter
    events: set[str] = field(default_factory=set)
    filters: list[tuple[str, str]] = field(default_factory=list)
    is_known: bool = False
    is_stalled: bool = False
    """Replies come in order: after one that does not come, none does."""

    def wants(self, headers: Mapping[str, str]) -> bool:
        """Is the event subscribed, and let through by one of the filters?"""
        if headers["Event-Name"] not in self.events:
            return False
        return not self.filters or any(_fits(headers.get(key), value) for key, value in self.filters)


@dataclass
class Switch:
    """The PBX."""

    asked: list[str] = field(default_factory=list)
    """Every command, headers and all."""
    answers: dict[str, Answer] = field(default_factory=dict)
    """What stands in for an API command or a first word; None is silence."""
    gateways: dict[str, str] = field(default_factory=lambda: dict(_GATEWAYS))
    allowed: dict[str, str] = field(default_factory=dict)
    """What `userauth` tells of its rights."""
    status: str = (
        "FreeSWITCH (Version 1.10.12-release  64bit) is ready\n"
        "0 session(s) per Sec out of max 30, peak 0, last 5min 0 \n1000 session(s) max\n"
    )
    codecs: str = "PCMU,PCMA"
    dtmf_mode: str = "rfc2833"
    variables: dict[str, str] = field(default_factory=dict)
    """Of every gateway."""
    pingfreq: int = 30
    channels: dict[str, Channel] = field(default_factory=dict)
    rung: list[str] = field(default_factory=list)
    """Every number that was dialed."""
    told: list[str] = field(default_factory=list)
    """Every event, as it was sent."""
    logins: int = 0
    connections: int = 0
    port: int = 0
    greeting: bytes = b"Content-Type: auth/request\n\n"
    news: asyncio.Event = field(default_factory=asyncio.Event)
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    _open: list[Connection] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Switch"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            for task in list(self._tasks):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    @property
    def open_connections(self) -> int:
        return sum(not connection.writer.is_closing() for connection in self._open)

    def cut(self) -> None:
        """Drop every connection; channels live on."""
        for connection in self._open:
            connection.writer.transport.abort()
        self._open.clear()

    def say(self, data: str | bytes) -> None:
        """Send to whoever is connected, as it stands."""
        for connection in self._open:
            connection.writer.write(data if isinstance(data, bytes) else data.encode())

    def resume(self) -> None:
        """Answer again."""
        for connection in self._open:
            connection.is_stalled = False

    def event(self, name: str, headers: Mapping[str, str], body: str = "") -> None:
        """Send an event to those who want it."""
        lines = {"Event-Name": name, **headers}
        text = "".join(f"{key}: {quote(value, safe='/,()+.-_')}\n" for key, value in lines.items())
        text += f"Content-Length: {len(body.encode())}\n\n{body}" if body else "\n"
        self.told.append(text)
        frame = f"Content-Length: {len(text.encode())}\nContent-Type: text/event-plain\n\n{text}"
        for connection in self._open:
            if connection.wants(lines):
                connection.writer.write(frame.encode())

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something that was asked makes `condition` true."""
        async with within(10):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def until_asked(self, start: str, times: int = 1) -> str:
        """Wait for the command that begins so for the `times`th time."""
        await self.until(lambda: len(self.all_asked(start)) >= times)
        return self.all_asked(start)[times - 1]

    def all_asked(self, start: str) -> list[str]:
        return [command for command in self.asked if command.startswith(start)]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = Connection(writer)
        self._open.append(connection)
        self.connections += 1
        writer.write(self.greeting)
        self.news.set()
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    self._take(connection, (await reader.readuntil(b"\n\n")).decode().strip("\n"))
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    def _take(self, connection: Connection, command: str) -> None:
        self.asked.append(command)
        line, *rest = command.split("\n")
        verb, _, argument = line.partition(" ")
        headers = dict(row.split(": ", 1) for row in rest)
        answer = self.answers.get(argument.partition(" ")[0] if verb in ("api", "bgapi") else verb)
        if answer is not None:
            text = answer(self, argument)
        elif verb == "api":
            text = self._api(argument)
        else:
            text = self._command(connection, verb, argument, headers)
        connection.is_stalled = connection.is_stalled or text is None
        if text is not None and not connection.is_stalled:
            connection.writer.write(_api_frame(text) if verb == "api" else _reply_frame(text))
        self.news.set()

    def _command(self, connection: Connection, verb: str, argument: str, headers: Mapping[str, str]) -> str:
        if verb in ("auth", "userauth"):
            if argument not in (PASSWORD, f"{USER}:{PASSWORD}"):
                connection.writer.write(_reply_frame("-ERR invalid") + _goodbye())
                connection.writer.close()
                return ""
            connection.is_known = True
            self.logins += 1
            return "+OK accepted" + "".join(
                f"\nAllowed-{what}: {rights}" for what, rights in self.allowed.items()
            )
        if not connection.is_known:
            return "-ERR command not found"
        if verb == "event":
            connection.events |= set(argument.split(" ")[1:])
            return "+OK event listener enabled plain"
        if verb == "filter":
            key, _, value = argument.partition(" ")
            connection.filters.append((key, value))
            return f"+OK filter added. [{key}]=[{value}]"
        if verb == "bgapi":
            job = headers["Job-UUID"]
            self._originate(argument.partition(" ")[2], job)
            return f"+OK Job-UUID: {job}\nJob-UUID: {job}"
        if verb == "sendmsg":
            channel = self.channels.get(argument)
            if channel is None:
                return f"-ERR invalid session id [{argument}]"
            channel.execute(headers)
            return "+OK"
        return "-ERR command not found"

    def _api(self, argument: str) -> str:
        name, _, rest = argument.partition(" ")
        if name == "module_exists":
            return "true"
        if name == "status":
            return self.status
        if name == "sofia_gateway_data":
            return self.variables.get(rest.rpartition(" ")[2], "")
        if rest.startswith("xmlstatus profile"):
            codecs, keys = self.codecs, self.dtmf_mode
            told = f"<outbound-codecs>{codecs}</outbound-codecs>\n<dtmf-mode>{keys}</dtmf-mode>"
            return f"<profile>{told}</profile>\n"
        if name == "sofia":
            return _gateways_xml(self.gateways, self.pingfreq)
        call_id, _, value = rest.partition(" ")
        channel = self.channels.get(call_id)
        if channel is None:
            return "-ERR Cannot locate session!\n" if name == "uuid_send_dtmf" else "-ERR No such channel!\n"
        return channel.api(name, value)

    def _originate(self, text: str, job: str) -> None:
        dial, application, *rest = split_words(text)
        _, _, caller_name, caller_number, timeout = rest or ("", "", "", "", "60")
        braces, _, target = dial[1:].partition("}")
        order = Order(
            variables=dict(pair.split("=", 1) for pair in braces.split(",")),
            application=application,
            caller=(caller_name, caller_number),
            timeout=float(timeout),
            job=job,
        )
        kind, *way = target.split("/")
        gateway, number = (way[1], way[2]) if kind == "sofia" else ("carrier", way[0])
        if kind == "null":
            number = "nobody02"
        state = self.gateways.get(gateway)
        uuid = order.channel_id or str(uuid4())
        if state != "UP" or uuid in self.channels:
            reason = "INVALID_GATEWAY" if state is None else "GATEWAY_DOWN"
            self.job(order, f"-ERR {reason if state != 'UP' else 'DESTINATION_OUT_OF_ORDER'}\n")
            return
        self.rung.append(number)
        channel = self.channels[uuid] = Channel(self, order, number, behaviour_of(number), uuid)
        self.spawn(channel.live())

    def job(self, order: Order, body: str) -> None:
        """Send the BACKGROUND_JOB of an originate."""
        self.event("BACKGROUND_JOB", {"Job-UUID": order.job, "Job-Command": "originate"}, body)


def split_words(text: str) -> list[str]:
    """Cut at blanks as FreeSWITCH does: quotes hold together, a backslash escapes."""
    words, word, is_quoted, is_escaped = [], "", False, False
    for character in text + " ":
        if is_escaped:
            word, is_escaped = word + character, False
        elif character == "\\":
            is_escaped = True
        elif character == "'":
            is_quoted = not is_quoted
        elif character == " " and not is_quoted:
            words.append(word)
            word = ""
        else:
            word += character
    return words


def _fits(value: str | None, wanted: str) -> bool:
    if value is None:
        return False
    if wanted.startswith("/"):
        return re.search(wanted.strip("/"), value) is not None
    return value.casefold() == wanted.casefold()


def _reply_frame(text: str) -> bytes:
    return f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode()


def _api_frame(text: str) -> bytes:
    return f"Content-Type: api/response\nContent-Length: {len(text.encode())}\n\n{text}".encode()


def _goodbye() -> bytes:
    text = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
    return f"Content-Type: text/disconnect-notice\nContent-Length: {len(text)}\n\n{text}".encode()


def _gateways_xml(gateways: Mapping[str, str], pingfreq: int) -> str:
    rows = "".join(
        f"  <gateway>\n    <name>{name}</name>\n    <profile>external</profile>\n"
        f"    <pingfreq>{pingfreq}</pingfreq>\n    <state>NOREG</state>\n"
        f"    <status>{status}</status>\n  </gateway>\n"
        for name, status in gateways.items()
    )
    return f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<gateways>\n{rows}</gateways>\n'


__all__ = ["PASSWORD", "Behaviour", "Connection", "Switch", "split_words"]
