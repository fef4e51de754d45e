"""A receiver of webhooks that takes connections and never answers: no call waits for it, no other receiver,
and it is told all once it answers."""

import asyncio
import json
from collections import Counter
from pathlib import Path

from aiohttp import web

from tests.faults.daemons import fast, noted, number_of, running, sign_in, write_settings
from tests.faults.settled import Memory, assert_all_is_settled
from tests.unit.adapters.test_webhook_sender import Backend, backend, new_secret
from voicegate.client import AsyncClient
from voicegate.lab.deadlines import within

COUNT = 12
ENDS_S = 3
"""How much longer a sign-in may take at most while messages wait; a try lasts a second."""


def settings_with(folder: Path, **receivers: Backend) -> Path:
    (folder / "secret").write_text(new_secret())
    more = "[webhook_delivery]\nhttp_on_loopback = true\ntimeout_s = 1\nretry_s = 1\nretry_max_s = 1\n"
    for name, receiver in receivers.items():
        url = f"http://127.0.0.1:{receiver.port}/"
        more += (
            f'[webhooks.{name}]\nurl = "{url}"\nsecret_file = "{folder}/secret"\nevents = ["call.ended"]\n'
        )
    return write_settings(folder, more)


def told(receiver: Backend) -> set[str]:
    """The calls whose end a receiver was told."""
    return {json.loads(body)["data"]["call_id"] for _, body in receiver.taken}


async def test_a_receiver_that_never_answers_delays_no_call_and_no_other_receiver(tmp_path: Path) -> None:
    answers = asyncio.Event()

    async def hold(_request: web.Request) -> web.Response:
        await answers.wait()
        return web.Response()

    async with backend(hold) as slow, backend() as swift:
        settings = settings_with(tmp_path, slow=slow, swift=swift)
        async with running(settings, fast(tmp_path)) as (client, process):
            rested = max([await sign_in(client, number_of(index)) for index in range(2)])
            memory = Memory.of(process.pid)
            slowest = max([await sign_in(client, number_of(index)) for index in range(2, COUNT)])
            settled = await assert_all_is_settled(
                client, audio=tmp_path / "audio", rung=noted(tmp_path, "originated"), memory=memory
            )
            calls = {call.id for one in settled.verifications for call in one.calls}
            await all_told(swift, calls)
            assert slowest < rested + ENDS_S
            assert await pending(client) == {"slow": COUNT}
            answers.set()
            await all_told(slow, calls)
            async with within(60):
                while await pending(client):
                    await asyncio.sleep(0.1)
            grown = (await assert_all_is_settled(client, memory=memory)).grown_mb
    print(f"{COUNT} sign-ins, {slowest:.2f} s at most ({rested:.2f} at rest), {grown:+.1f} MB")


async def all_told(receiver: Backend, calls: set[str]) -> None:
    async with within(60):
        while told(receiver) != calls:
            await asyncio.sleep(0.1)


async def pending(client: AsyncClient) -> Counter[str]:
    """How many messages wait for each receiver."""
    return Counter({one.name: one.pending for one in await client.webhooks.list() if one.pending})
