"""An auth backend at a lab's daemon: a real PBX of each kind, the real daemon over its real socket."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

import pytest

from voicegate.client import ApiError, AsyncClient, Created, Verification
from voicegate.client.requests import Options
from voicegate.lab.deadlines import within
from voicegate.lab.ear import hear_code
from voicegate.lab.settings import PbxKind
from voicegate.lab.world import Lab

ASKED_ABOUT = "+12025559901"
"""Nobody calls this one."""
EACH_PBX = pytest.mark.parametrize("lab", PbxKind, indirect=True, scope="session")
"""For tests that call through a PBX of each kind; others have the Asterisk."""


@dataclass
class Backend:
    """What an auth backend does, and what the far telephone heard of it."""

    client: AsyncClient
    lab: Lab
    told_to_stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Stops a daemon of this process, as a signal stops the lab's own."""

    async def call(self, number: str, **options: Unpack[Options]) -> Verification:
        """Ask for a call and wait for its end."""
        return await self.settled((await self.created(number, **options)).id)

    async def created(self, number: str, **options: Unpack[Options]) -> Created:
        """Ask for a call; again where the daemon says that too much is asked of it at once."""
        while True:
            try:
                return await self.client.create_verification(number, **options)
            except ApiError as refused:
                if refused.problem.name != "overloaded":
                    raise
                await asyncio.sleep(refused.problem.retry_after_s or 1)

    async def settled(self, verification_id: str) -> Verification:
        async for _ in self.client.watch(verification_id):
            pass
        return await self.client.verification(verification_id)

    async def reaches(self, verification_id: str, state: str) -> None:
        """Wait until the newest call is in `state`; fail when it ends without."""
        async for step in self.client.watch(verification_id):
            if step.state == state:
                return
        pytest.fail(f"the call never was {state}")

    async def recording(self, number: str, count: int = 1) -> Path:
        """Wait for the far telephone's recording of the `count`th call to `number`."""
        async with within(15):
            while len(found := self.lab.recordings(number)) < count:
                await asyncio.sleep(0.05)
        return found[-1]

    async def listens(self, number: str) -> None:
        """Wait until the far telephone, which has picked up, has heard something."""
        async with within(15):
            while not await asyncio.to_thread(
                self.lab.listen_in, number, self.lab.settings.folder / "so-far.wav"
            ):
                await asyncio.sleep(0.05)

    async def hear(self, number: str, count: int = 1) -> str | None:
        """What the independent ear reads from that recording."""
        return await asyncio.to_thread(hear_code, await self.recording(number, count), 6)

    async def trunk_is(self, state: str) -> None:
        """Have the PBX look at its trunk until that is its state."""
        async with within(40):
            while (await self.client.trunks())[0].state != state:
                await asyncio.to_thread(self.lab.pbxs[0].look_for_carrier)
                # One at a time: a look that is still under way would speak of the past, and last.
                for _ in range(40):
                    await asyncio.sleep(0.1)
                    if (await self.client.trunks())[0].state == state:
                        break
        await self.would_say("trunks_down" if state == "unreachable" else "")

    async def would_say(self, refusal: str) -> None:
        """Wait until a request would be refused so; empty: until it would call. The daemon asks its PBX now
        and then only."""
        async with within(40):
            while await self._refusal() != refusal:
                await asyncio.sleep(0.2)

    async def _refusal(self) -> str:
        try:
            await self.client.dry_run(ASKED_ABOUT)
        except ApiError as refused:
            return refused.problem.name
        return ""

    async def quiet(self) -> None:
        """Wait until the PBX has no channel."""
        async with within(20):
            while await asyncio.to_thread(self.lab.pbxs[0].channels):
                await asyncio.sleep(0.1)


@pytest.fixture
async def backend(lab: Lab) -> AsyncIterator[Backend]:
    async with AsyncClient(socket=lab.settings.socket) as client:
        yield Backend(client, lab)
