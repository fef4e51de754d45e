"""Daemons in this process, beside the lab's own, that go other ways through the same PBX."""

import asyncio
import dataclasses
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

from tests.pbx.conftest import Backend
from voicegate import bootstrap, config
from voicegate.client import ApiError, AsyncClient, Unreachable
from voicegate.lab.deadlines import within
from voicegate.lab.rendering import render_controller
from voicegate.lab.settings import PbxKind
from voicegate.lab.world import Lab

_NUMBER = count(1)


@asynccontextmanager
async def daemon(lab: Lab, *trunks: str, **overrides: object) -> AsyncIterator[Backend]:
    """One that uses `trunks` in that order, ready for calls. Not two at once: alembic has one stage."""
    own = lab.settings.volatile / f"daemon-{next(_NUMBER)}"
    apart: dict[str, object] = {
        "storage.database": f"{own}.db",
        "storage.key_file": f"{own}.key",
        "socket.path": f"{own}.sock",
        "audio.folder": str(own),
        "tcp.enabled": False,
    }
    if PbxKind.ASTERISK in lab.settings.pbxs:
        apart["pbx.main.agi_port"] = 0
    differing = {**lab.settings.overrides, **apart, **overrides}
    settings = dataclasses.replace(lab.settings, trunks=trunks, overrides=differing)
    parsed = config.parse(tomllib.loads(render_controller(settings)))
    async with asyncio.TaskGroup() as tasks, AsyncClient(socket=parsed.socket.path) as client:
        backend = Backend(client, lab)
        serving = tasks.create_task(
            bootstrap.serve(parsed, bootstrap.Signals(told_to_stop=backend.told_to_stop))
        )
        async with within(10):
            while not await _is_ready(client):
                await asyncio.sleep(0.05)
        yield backend
        if not backend.told_to_stop.is_set():  # else it ends by itself
            serving.cancel()


async def _is_ready(client: AsyncClient) -> bool:
    with suppress(ApiError, Unreachable):
        return (await client.ready()).status == "ok"
    return False
