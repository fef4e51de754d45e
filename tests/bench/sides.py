"""What is compared: sides that place calls through the same exchange, and how each is asked for one.

The floor is the least that a call with a sound costs: an originate, one µ-law file, a hangup.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select

from tests.bench.backend import HttpBackend, http_backend
from tests.bench.lab import BenchLab, Controller
from voicegate.adapters.storage import engines
from voicegate.adapters.storage.tables import calls
from voicegate.lab.settings import PbxKind

Place = Callable[[str], Coroutine[Any, Any, bool]]
"""Places a call to a number; returns whether it was accepted."""
_ACCEPTED: Final = 202
_STEP_S: Final = 0.05
WARM_UP_CALLS: Final = 2
"""Of `warm_up`, delivered to a test number."""
TEST_NUMBER: Final = "+15005550101"
"""Rings nowhere, and is answered."""
_BYTES_A_SECOND: Final = 8000
_BYTES_A_PERIOD: Final = 20


@dataclass(frozen=True, slots=True)
class OpenSide:
    """A side that is ready for calls."""

    place: Place
    parts: Mapping[str, int] = field(default_factory=dict)
    """Its own processes by name, beside the PBX; they count."""
    proven: Callable[[datetime], int] | None = None
    """How many calls since then it says were delivered; None: it cannot say."""
    idle_s: float = 1.0
    """How long after the last call it has work."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison."""

    name: str
    open: Callable[[BenchLab], AbstractAsyncContextManager[OpenSide]]


def write_sound(file: Path, seconds: float) -> None:
    """Write a low hum of that length as µ-law: what it says is all the same to a PBX."""
    hum = b"\xd0" * (_BYTES_A_PERIOD // 2) + b"\x50" * (_BYTES_A_PERIOD // 2)
    file.write_bytes(hum * round(seconds * _BYTES_A_SECOND / _BYTES_A_PERIOD))


def floor(sound: Path, *, endpoint: str = "carrier") -> Side:
    """The PBX alone: it is told to call and to play `sound` (named without its suffix)."""

    @asynccontextmanager
    async def opened(lab: BenchLab) -> AsyncIterator[OpenSide]:
        if lab.settings.pbxs[0] is PbxKind.FREESWITCH:
            async with _event_socket(lab) as send:
                yield OpenSide(_freeswitch_floor(send, sound, endpoint))
        else:
            async with manager(lab) as actions:
                yield OpenSide(_asterisk_floor(actions, sound, endpoint))

    return Side("floor", opened)


def voicegate(
    name: str = "Voicegate", *, make: Callable[[BenchLab], Controller] | None = None, **options: object
) -> Side:
    """A controller, started and stopped with the side; `options` go into each request."""

    @asynccontextmanager
    async def opened(lab: BenchLab) -> AsyncIterator[OpenSide]:
        controller = make(lab) if make else lab.controller("voicegate")
        await asyncio.to_thread(controller.start)
        try:
            async with http_backend(controller.socket) as backend:
                await warm_up(backend)

                async def place(number: str) -> bool:
                    return await backend.create(number, **options) == _ACCEPTED

                yield OpenSide(
                    place, {"controller": controller.pid}, lambda since: delivered(controller, since)
                )
        finally:
            await asyncio.to_thread(controller.stop)

    return Side(name, opened)


async def warm_up(backend: HttpBackend) -> None:
    """Do what only a controller's first calls have to: calls to a test number, and guesses."""
    for _ in range(WARM_UP_CALLS):
        _, created = await backend.post(
            "/v1/verifications", {"destination": TEST_NUMBER, "human_check": "none"}
        )
        path = f"/v1/verifications/{created['id']}"
        while (await backend.get(path))[1]["status"] == "delivering":
            await asyncio.sleep(_STEP_S)
        await backend.post(f"{path}/check", {"passcode": "123456"})


def delivered(controller: Controller, since: datetime) -> int:
    """Return how many calls that were asked for since then ended as delivered, by the database."""
    location = engines.locate(controller.database)
    engine = engines.connect_readers(location)
    try:
        with engine.connect() as connection:
            found = select(func.count()).where(calls.c.outcome == "delivered", calls.c.created_at >= since)
            return int(connection.execute(found).scalar_one())
    finally:
        engine.dispose()


def since_now() -> datetime:
    """Return the time from which on calls count."""
    return datetime.now(UTC) - timedelta(milliseconds=5)


class Actions:
    """The least client of an Asterisk's manager interface: actions, and whether each was accepted."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._waiting: dict[str, asyncio.Future[bool]] = {}
        self._ids = count(1)

    async def act(self, name: str, fields: Mapping[str, str]) -> bool:
        """Send an action; return whether the answer is a success."""
        action_id = str(next(self._ids))
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[action_id] = answered
        lines = {"Action": name, "ActionID": action_id, **fields}
        self._writer.write("".join(f"{key}: {value}\r\n" for key, value in lines.items()).encode() + b"\r\n")
        return await answered

    async def read(self) -> None:
        """Read answers until cancelled."""
        await self._reader.readline()
        while True:
            text = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(line.partition(": ")[::2] for line in text.splitlines())
            if (waiting := self._waiting.pop(fields.get("ActionID", ""), None)) and not waiting.done():
                waiting.set_result(fields.get("Response") == "Success")


@asynccontextmanager
async def manager(lab: BenchLab) -> AsyncIterator[Actions]:
    """A connection to the Asterisk's manager interface."""
    reader, writer = await asyncio.open_connection("127.0.0.1", lab.settings.ports.ami)
    actions = Actions(reader, writer)
    reading = asyncio.create_task(actions.read())
    account = {"Username": "voicegate", "Secret": lab.settings.keep_secret(), "Events": "off"}
    try:
        if not await actions.act("Login", account):
            raise RuntimeError("the manager interface refuses us")
        yield actions
    finally:
        reading.cancel()
        writer.close()


def _asterisk_floor(actions: Actions, sound: Path, endpoint: str) -> Place:
    async def place(number: str) -> bool:
        channel = f"PJSIP/{number}@{endpoint}"
        fields = {"Channel": channel, "Application": "Playback", "Data": str(sound), "Async": "true"}
        return await actions.act("Originate", fields)

    return place


@asynccontextmanager
async def _event_socket(lab: BenchLab) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", lab.settings.ports.esl)
    turn = asyncio.Lock()

    async def send(command: str) -> str:
        async with turn:
            writer.write(f"{command}\n\n".encode())
            return (await reader.readuntil(b"\n\n")).decode()

    await reader.readuntil(b"\n\n")
    await send(f"auth {lab.settings.keep_secret()}")
    try:
        yield send
    finally:
        writer.close()


def _freeswitch_floor(send: Callable[[str], Awaitable[str]], sound: Path, endpoint: str) -> Place:
    async def place(number: str) -> bool:
        path = f"sofia/gateway/{endpoint}/{number}"
        return "+OK" in await send(f"bgapi originate {path} &playback({sound}.PCMU)")

    return place
