"""What a real call through a real PBX leaves in the metrics."""

import asyncio
import re
import socket

import httpx

from tests.pbx.conftest import EACH_PBX, Backend
from tests.pbx.daemons import daemon
from voicegate.lab.deadlines import within
from voicegate.lab.numbers import find_number

pytestmark = EACH_PBX

PRESSES = find_number("presses-key")
STEPS = ("originate", "ring", "answer", "code")


def values(page: str, name: str) -> list[float]:
    return [float(value) for value in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", page, re.MULTILINE)]


async def test_a_delivered_call_is_timed_scored_and_counted(backend: Backend) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    measured = {"metrics.enabled": True, "metrics.port": port}
    async with (
        daemon(backend.lab, "carrier", **measured) as own,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        created = await own.created(PRESSES.american("818"))
        await own.settled(created.id)
        async with within(30):
            while not values(page := (await http.get("/metrics")).text, "voicegate_pbx_ping_seconds"):
                await asyncio.sleep(0.2)
    assert values(page, "voicegate_pbx_connected") == [1]
    assert 0 < values(page, "voicegate_pbx_ping_seconds")[0] < 5
    assert 'voicegate_calls_total{country="US",outcome="delivered",trunk="carrier"} 1.0' in page
    steps = [values(page, f"voicegate_call_time_to_{step}_seconds_sum") for step in STEPS]
    assert all(len(step) == 1 for step in steps)
    assert steps == sorted(steps), "each comes after the one before"
    assert 1 < values(page, "voicegate_call_mos_sum")[0] < 4.5
    assert values(page, "voicegate_calls_in_progress") == [0]
