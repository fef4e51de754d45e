"""Softphones for tests: a baresip that a test dials and answers with, and what it hears.

Seen with baresip 1.0.0 (Debian 12): without a sound card it needs no player, its module sndfile writes what
is heard as it is decoded, and it ends a call when its source's file ends. `ctrl_tcp` speaks netstrings.
"""

import asyncio
import json
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from voicegate.config import project_folder
from voicegate.lab.deadlines import within
from voicegate.lab.listener import RATE, KeyListener, Samples, find_sound
from voicegate.lab.packages import ensure_program
from voicegate.lab.telephones import AGAIN_S, REACTION_S

SAID_KEY: Final = "7"
"""Every softphone says all the time: "Press", and this digit."""
_SAYING_S: Final = 120
_HEADER_BYTES: Final = 44
_TIMEOUT_S: Final = 45
_LOOK_S: Final = 0.2
_STARTED: Final = 5 * RATE // 2
_MODULES: Final = (
    *(f"module {name}.so" for name in ("g711", "aufile", "sndfile")),
    *("module_app menu.so", "module_app ctrl_tcp.so"),
)

Event = dict[str, Any]


@dataclass(frozen=True)
class Login:
    """An account, and where this softphone may listen."""

    name: str
    """The account."""
    address: str
    """What it registers as: sip:name@host:port, perhaps with a transport."""
    password: str
    port: int
    """The first of ten ports for it: SIP, SIP over TLS, its control, RTP."""

    @property
    def settings(self) -> tuple[str, ...]:
        return (
            f"sip_listen 127.0.0.1:{self.port}",
            f"ctrl_tcp_listen 127.0.0.1:{self.port + 2}",
            f"rtp_ports {self.port + 4}-{self.port + 9}",
            "net_interface 127.0.0.1",
            "poll_method epoll",
        )


@dataclass
class Softphone:
    """A running baresip; it takes one call at a time."""

    login: Login
    folder: Path
    writer: asyncio.StreamWriter
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    earlier: frozenset[Path] = frozenset()
    """The recordings of the calls before: the present call's is only there once something is heard."""

    async def event(self, kind: str) -> Event:
        """Wait for the next event of a kind, and forget those before it."""
        async with within(_TIMEOUT_S):
            while (event := await self.events.get())["type"] != kind:
                pass
        return event

    async def register(self) -> None:
        """Register, and wait for the PBX to agree."""
        self._command("uanew", f"<{self.login.address}>;auth_pass={self.login.password}")
        await self.event("REGISTER_OK")

    async def dial(self, number: str) -> None:
        """Call, and wait for the answer."""
        self.earlier = self._recordings()
        self._command("dial", number)
        await self.event("CALL_ESTABLISHED")

    async def accept(self) -> None:
        """Wait for a call and take it."""
        await self.event("CALL_INCOMING")
        self.earlier = self._recordings()
        self._command("accept")
        await self.event("CALL_ESTABLISHED")

    def press(self, key: str) -> None:
        self._command("sndcode", key)

    async def hang_up(self) -> Path:
        """End the call; return what was heard on it."""
        self._command("hangup")
        return await self.closed()

    async def closed(self) -> Path:
        """Wait for the end of the call; return what was heard on it."""
        await self.event("CALL_CLOSED")
        return max(self._recordings() - self.earlier)

    async def asked_key(self) -> str:
        """Listen to the call in progress until a key is asked for."""
        listener, position = KeyListener(project_folder("sounds")), 0
        async with within(_TIMEOUT_S):
            while (key := await asyncio.to_thread(listener.asked_key)) is None:
                await asyncio.sleep(_LOOK_S)
                heard = self._heard()
                listener.feed(heard[position:])
                position = len(heard)
        return key

    async def hears(self, sound: Path) -> None:
        """Listen to the call in progress until a sound was begun as it should be."""
        pending = soundfile.read(sound, _STARTED, dtype="int16")[0]
        async with within(_TIMEOUT_S):
            while find_sound(self._heard(), pending) is None:
                await asyncio.sleep(_LOOK_S)

    async def take_call(self) -> Path:
        """Take a call as a person does: listen, press what is asked for, stay to the end; return what was
        heard."""
        await self.accept()
        key = await self.asked_key()
        for wait_s in (REACTION_S, AGAIN_S):
            await asyncio.sleep(wait_s)
            self.press(key)
        return await self.closed()

    def _recordings(self) -> frozenset[Path]:
        return frozenset(self.folder.glob("dump-*-dec.wav"))

    def _heard(self) -> Samples:
        """What was heard so far; the file's header counts it only at the end."""
        recordings = self._recordings() - self.earlier
        raw = max(recordings).read_bytes()[_HEADER_BYTES:] if recordings else b""
        return np.frombuffer(raw[: len(raw) // 2 * 2], np.dtype("<i2")).astype(np.int16)

    def _command(self, name: str, value: str = "") -> None:
        text = json.dumps({"command": name, "params": value} if value else {"command": name}).encode()
        self.writer.write(b"%d:%s," % (len(text), text))

    async def listen_for_events(self, reader: asyncio.StreamReader) -> None:
        while True:
            size = int((await reader.readuntil(b":"))[:-1])
            message = json.loads((await reader.readexactly(size + 1))[:-1])
            if message.get("event"):
                self.events.put_nowait(message)


@asynccontextmanager
async def softphone(login: Login, folder: Path) -> AsyncIterator[Softphone]:
    """A softphone that has registered, with files of its own in `folder`."""
    command = await asyncio.to_thread(ensure_program, "baresip", "baresip-core")
    await asyncio.to_thread(_write_settings, login, folder, program=Path(command[-1]))
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, "-f", str(folder), stdin=DEVNULL, stdout=log, stderr=log
        )
    try:
        reader, writer = await _reach(login.port + 2)
        phone = Softphone(login, folder, writer)
        events = asyncio.create_task(phone.listen_for_events(reader))
        try:
            await phone.register()
            yield phone
        finally:
            events.cancel()
            writer.close()
    finally:
        process.terminate()
        await process.wait()


async def _reach(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with within(_TIMEOUT_S):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)


def _write_settings(login: Login, folder: Path, *, program: Path) -> None:
    folder.mkdir()
    saying = folder / "saying.wav"
    soundfile.write(saying, _saying(), RATE)
    own = (f"module_path {program.parents[1] / 'lib/baresip/modules'}", f"snd_path {folder}")
    lines = (*login.settings, *own, f"audio_source aufile,{saying}", *_MODULES)
    (folder / "config").write_text("\n".join(lines) + "\n")


def _saying() -> Samples:
    english = project_folder("sounds") / "en"
    press, digit = (
        soundfile.read(english / f"{name}.wav", dtype="int16")[0] for name in ("press", f"digit_{SAID_KEY}")
    )
    pause = np.zeros(RATE // 8, np.int16)
    once = np.concatenate((press, pause, digit, pause, pause, pause, pause))
    return np.tile(once, _SAYING_S * RATE // len(once))
