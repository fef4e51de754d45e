"""The roads along which the benchmark sends calls: two floors, and Voicegate.

All lead through one PBX to the same telephones, and each call lasts as long as Voicegate's. The
floors are the least that a call with a sound costs: an AMI Originate, one µ-law file, a hangup.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from panoramisk import Manager

from voicegate.adapters.pbx.asterisk import variables
from voicegate.client import AsyncClient
from voicegate.lab.world import Lab

Road = Callable[[str], Awaitable[None]]
"""Places a call to a number; returns once it is accepted."""


@asynccontextmanager
async def open_roads(lab: Lab, sound: Path) -> AsyncIterator[Mapping[str, Road]]:
    """Yield the roads by name, the floor first; the floors play `sound`, named without its suffix."""
    async with (
        AsyncClient(socket=lab.settings.socket) as client,
        _manager(lab) as manager,
        _bare_script(sound) as address,
    ):

        async def voicegate(number: str) -> None:
            await client.create_verification(number, human_check="none")

        yield {
            "dialplan": _floor(manager, {"Application": "Playback", "Data": str(sound)}),
            "bare FastAGI": _floor(manager, _to_script(address)),
            "voicegate": voicegate,
        }


def _floor(manager: Any, fields: Mapping[str, str]) -> Road:
    async def road(number: str) -> None:
        action = {"Action": "Originate", "Channel": f"PJSIP/{number}@carrier", "Async": "true", **fields}
        manager.send_action(action)

    return road


def _to_script(address: str) -> Mapping[str, str]:
    """By our own dialplan: an account that may originate may not have AGI run otherwise."""
    return {
        "Context": variables.ANSWERED_CONTEXT,
        "Exten": variables.ANSWERED_EXTEN,
        "Priority": variables.ANSWERED_PRIORITY,
        "Variable": f"{variables.AGI_VARIABLE}={address}",
    }


@asynccontextmanager
async def _manager(lab: Lab) -> AsyncIterator[Any]:
    secret = lab.settings.secret_file.read_text("ascii")
    manager = Manager(host="127.0.0.1", port=lab.settings.ports.ami, username="voicegate", secret=secret)
    await manager.connect()
    try:
        yield manager
    finally:
        manager.close()


@asynccontextmanager
async def _bare_script(sound: Path) -> AsyncIterator[str]:
    """A FastAGI server that plays and hangs up, and nothing else; yields its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\n\n")
        for command in (f'STREAM FILE {sound} ""', "HANGUP"):
            writer.write(f"{command}\n".encode())
            await reader.readline()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"agi://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
