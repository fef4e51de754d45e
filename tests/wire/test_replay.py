"""Recorded sessions through the real connection: its thread, its queues, its order."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from tests.wire.recordings import NAMES, Block, received
from voicegate.adapters.pbx.freeswitch.esl_link import EslLink
from voicegate.adapters.pbx.freeswitch.esl_wire import Frame
from voicegate.lab.deadlines import within

REPLIES = ("command/reply", "api/response")


class Replay:
    """A peer that sends what was recorded, in chunks of any size, each reply only once it was asked for."""

    def __init__(self, blocks: Sequence[Block], dice: random.Random) -> None:
        self._blocks = blocks
        self._dice = dice

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for block in self._blocks:
            if block.kind in REPLIES:
                await reader.readuntil(b"\n\n")
            data = block.data
            while data:
                size = self._dice.randint(1, 4000)
                writer.write(data[:size])
                data = data[size:]
                await asyncio.sleep(0)
        writer.close()


@pytest.mark.parametrize("name", NAMES)
async def test_a_recorded_session_comes_through_as_it_was(name: str) -> None:
    blocks = received(name)
    replay = Replay(blocks, random.Random(name))
    server = await asyncio.start_server(replay.serve, "127.0.0.1", 0)
    told: list[Frame] = []
    link = EslLink("lab", told.append)
    async with server, within(20):
        await link.open("127.0.0.1", server.sockets[0].getsockname()[1])
        asked = [
            link.send(f"api {number}") for number, block in enumerate(b for b in blocks if b.kind in REPLIES)
        ]
        replies = [await reply for reply in asked]
        await link.lost.wait()
        link.close()
    assert [reply.kind for reply in replies] == [block.kind for block in blocks if block.kind in REPLIES]
    greeting, *events = [block for block in blocks if block.kind not in REPLIES]
    assert (await link.greeting).kind == greeting.kind == "auth/request"
    assert [frame.body for frame in told] == [block.text.partition("\n\n")[2] for block in events]
    assert link.reason is None
