"""`voicegate-agi` between a channel, which is us on its standard streams, and the controller's socket."""

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.adapters.pbx.asterisk.peers import (
    AgiCaller,
    AmiPeer,
    AsteriskPbx,
    an_order,
    connected,
    hang_up,
    next_signal,
    settings_for,
)
from voicegate.adapters.pbx.asterisk.agi import AgiServer
from voicegate.adapters.pbx.asterisk.relay import Lines
from voicegate.domain.call import Answered, Media
from voicegate.domain.errors import ConfigError
from voicegate.lab.deadlines import within

PROGRAM = "from voicegate.adapters.pbx.asterisk.relay import main; main()"
VARIABLES = {"VOICEGATE_AGI": "agi://127.0.0.1:4573/call", "VOICEGATE_TOKEN": "0badcafe"}


@dataclass
class Channel:
    """A channel of the PBX, with the program on its standard streams."""

    process: Process

    def send(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())

    async def command(self) -> str:
        assert self.process.stdout is not None
        async with within(10):
            return (await self.process.stdout.readline()).decode().removesuffix("\n")

    async def answer_head(self, unique_id: str = "call_1", variables: Mapping[str, str] = VARIABLES) -> None:
        self.send(f"agi_request: voicegate-agi\nagi_uniqueid: {unique_id}\nagi_callerid: x:y\n\n")
        for name, value in variables.items():
            assert await self.command() == f'GET VARIABLE "{name}"'
            self.send(f"200 result=1 ({value})\n")

    async def ended(self) -> int:
        async with within(10):
            return await self.process.wait()


@asynccontextmanager
async def channel(path: Path) -> AsyncIterator[Channel]:
    command = (sys.executable, "-c", PROGRAM, str(path))
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    try:
        yield Channel(process)
    finally:
        if process.returncode is None:
            process.kill()
        _, errors = await process.communicate()
    assert errors == b""


@dataclass
class Controller:
    """The controller's end of the socket."""

    connections: "asyncio.Queue[AgiCaller]"

    async def head(self) -> tuple[AgiCaller, dict[str, str]]:
        async with within(10):
            caller = await self.connections.get()
            text = (await caller.reader.readuntil(b"\n\n")).decode()
        return caller, dict(line.split(": ", 1) for line in text.strip().split("\n"))


@asynccontextmanager
async def controller(path: Path) -> AsyncIterator[Controller]:
    connections: asyncio.Queue[AgiCaller] = asyncio.Queue()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        AgiCaller.dialed.append(AgiCaller(reader, writer))
        connections.put_nowait(AgiCaller.dialed[-1])

    async with await asyncio.start_unix_server(take, path):
        try:
            yield Controller(connections)
        finally:
            AgiCaller.leave_all()


async def test_the_head_is_made_to_look_like_fastagis(tmp_path: Path) -> None:
    async with controller(tmp_path / "s") as here, channel(tmp_path / "s") as pbx:
        await pbx.answer_head()
        _, head = await here.head()
    assert head == {
        "agi_request": "voicegate-agi",
        "agi_uniqueid": "call_1",
        "agi_callerid": "x:y",
        "agi_network": "yes",
        "agi_network_script": "call",
        "agi_arg_1": "0badcafe",
    }


async def test_commands_and_replies_go_on_as_they_are(tmp_path: Path) -> None:
    async with controller(tmp_path / "s") as here, channel(tmp_path / "s") as pbx:
        await pbx.answer_head()
        caller, _ = await here.head()
        caller.send('STREAM FILE "x" ""\n')
        assert await pbx.command() == 'STREAM FILE "x" ""'
        pbx.send("200 result=-1 ")
        pbx.send("endpos=77\n")
        assert await caller.command() == "200 result=-1 endpos=77"
        caller.hang_up()
        assert await pbx.ended() == 0


async def test_the_hangups_signal_becomes_the_notice_between_whole_lines(tmp_path: Path) -> None:
    async with controller(tmp_path / "s") as here, channel(tmp_path / "s") as pbx:
        await pbx.answer_head()
        caller, _ = await here.head()
        pbx.send("200 result=-1 ")
        pbx.process.send_signal(signal.SIGHUP)
        assert await caller.command() == "HANGUP"
        pbx.send("endpos=77\n")
        assert await caller.command() == "200 result=-1 endpos=77"


async def test_the_channels_end_is_the_connections(tmp_path: Path) -> None:
    async with controller(tmp_path / "s") as here, channel(tmp_path / "s") as pbx:
        await pbx.answer_head()
        caller, _ = await here.head()
        assert pbx.process.stdin is not None
        pbx.process.stdin.close()
        assert await caller.is_closed()
        assert await pbx.ended() == 0


async def test_without_a_controller_the_dialplan_hears_of_it(tmp_path: Path) -> None:
    async with channel(tmp_path / "none") as pbx:
        await pbx.answer_head()
        assert await pbx.ended() == 1


async def test_a_channel_that_is_gone_already_is_no_error_to_speak_of(tmp_path: Path) -> None:
    async with controller(tmp_path / "s"), channel(tmp_path / "s") as pbx:
        pbx.send("agi_uniqueid: x\n\n")
        await pbx.command()
        pbx.send("511 Command Not Permitted on a dead channel\n")
        assert await pbx.ended() == 1


async def test_the_token_is_in_no_command_line(tmp_path: Path) -> None:
    async with controller(tmp_path / "s") as here, channel(tmp_path / "s") as pbx:
        await pbx.answer_head()
        await here.head()
        shown = await asyncio.to_thread(Path(f"/proc/{pbx.process.pid}/cmdline").read_bytes)
    assert b"0badcafe" not in shown


def test_only_whole_lines_pass() -> None:
    lines = Lines()
    assert [lines.feed(chunk) for chunk in (b"a", b"b\nc\nd", b"\n", b"")] == [b"", b"ab\nc\n", b"d\n", None]


@asynccontextmanager
async def listening(path: Path) -> AsyncIterator[tuple[AmiPeer, AsteriskPbx]]:
    async with (
        AmiPeer(answers={"Hangup": hang_up}).serving() as peer,
        connected(peer, agi_socket=path, agi_allowed_peers=()) as pbx,
    ):
        yield peer, pbx


async def test_a_call_is_taken_over_by_the_socket_as_by_tcp(tmp_path: Path) -> None:
    path = tmp_path / "agi.sock"
    async with listening(path) as (peer, pbx), pbx.originate(an_order()) as leg, channel(path) as line:
        variables = dict(text.split("=", 1) for text in peer.newest("Originate")["Variable"].split("\n"))
        await line.answer_head(
            peer.newest("Originate")["ChannelId"], {name: variables[name] for name in VARIABLES}
        )
        assert await next_signal(leg.signals()) == Answered()
        counting = asyncio.create_task(leg.media())
        assert (await line.command()).startswith("GET FULL VARIABLE")
        line.send("200 result=1 (3|4|0.0|0)\n")
        assert await counting == Media(received=3, sent=4)
        assert path.stat().st_mode & 0o777 == 0o660
    assert not path.exists()


async def test_a_living_controllers_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "agi.sock"
    async with listening(path) as (_, pbx):
        with pytest.raises(ConfigError, match="agi_socket"):
            async with AsteriskPbx(pbx.driver.settings):
                pass
        assert path.is_socket()


async def test_a_socket_that_a_crash_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "agi.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with listening(path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_a_socket_without_a_folder_names_its_setting(tmp_path: Path) -> None:
    async with AmiPeer().serving() as peer, asyncio.TaskGroup() as tasks:
        server = AgiServer(settings_for(peer, agi_socket=tmp_path / "none/s"), tasks)
        with pytest.raises(ConfigError, match=r"pbx\.lab\.agi_socket: "):
            await server.open()


async def test_a_file_at_the_sockets_place_is_left_alone_and_the_port_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "agi.sock"
    path.write_text("mine")
    async with AmiPeer().serving() as peer, asyncio.TaskGroup() as tasks:
        server = AgiServer(settings_for(peer, agi_socket=path), tasks)
        with pytest.raises(ConfigError, match=r"pbx\.lab\.agi_socket: .* exists and is not a socket"):
            await server.open()
        assert server._server is not None
        assert not server._server.is_serving()
    assert path.read_text() == "mine"


async def test_a_socket_that_another_controller_put_in_our_place_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "agi.sock"
    with socket.socket(socket.AF_UNIX) as other:
        async with listening(path):
            path.rename(tmp_path / "ours")
            other.bind(str(path))
        assert path.is_socket()
