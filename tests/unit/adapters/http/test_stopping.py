"""Every door's own word for it while the daemon is being stopped and waits for its calls to end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.adapters.http.doors import doors_beside_the_native
from tests.unit.adapters.http.okta.serving import PHONE
from tests.unit.adapters.http.serving import Served, serving
from tests.unit.adapters.http.test_full_queue import nobody_answers, waits
from tests.unit.adapters.http.test_okta_hook import answer, event
from tests.unit.adapters.http.twilio.serving import BANK, told
from tests.unit.application.conftest import Bench
from tests.unit.application.scripted import answers

OTHER = "+12025550113"


@pytest.fixture
async def stopping(bench: Bench, tmp_path: Path) -> AsyncIterator[Served]:
    """All doors of a daemon that was told to stop while a call rings."""
    bench.pbx.plots = [nobody_answers]
    async with serving(bench, tmp_path, doors=doors_beside_the_native(bench)) as served:
        await served.create()
        draining = asyncio.create_task(bench.delivery.stopping.wait(timedelta(hours=1)))
        while not bench.delivery.stopping.is_on:
            await asyncio.sleep(0)
        yield served
        assert not draining.done()
        draining.cancel()


async def test_the_native_door_says_503_and_when(stopping: Served) -> None:
    response = await stopping.http.post("/v1/verifications", json={"destination": OTHER})
    assert (response.status_code, response.json()["type"]) == (503, "urn:voicegate:problem:stopping")
    assert waits(response.headers)


async def test_oktas_door_says_that_the_provider_cannot_now_and_when(stopping: Served) -> None:
    response = await stopping.http.post("/api/v1/users/alice/factors", json=PHONE)
    assert (response.status_code, response.json()["errorCode"]) == (503, "E0000139")
    assert waits(response.headers)


async def test_twilios_door_says_503_and_when(stopping: Served) -> None:
    form = {"To": OTHER, "Channel": "call"}
    response = await stopping.http.post(f"/v2/Services/{BANK}/Verifications", data=form)
    assert told(response) == (503, 20503)
    assert waits(response.headers)


async def test_oktas_hook_says_failed_so_that_another_provider_is_asked(stopping: Served) -> None:
    told_hook = await answer(stopping, event())
    assert (told_hook["status"], told_hook["transactionMetadata"]) == ("FAILED", "stopping")


async def test_a_providers_door_says_503_and_when(stopping: Served) -> None:
    response = await stopping.http.post("/hooks/providers/idp", json={"To": OTHER, "Body": "4711"})
    assert (response.status_code, response.json()["type"]) == (503, "urn:voicegate:problem:stopping")
    assert waits(response.headers)


async def test_readiness_says_so_and_health_does_not(stopping: Served) -> None:
    ready = await stopping.http.get("/readyz")
    assert (ready.status_code, ready.json()["failing"]) == (503, ["daemon: is being stopped"])
    assert (await stopping.remote.get("/healthz")).status_code == 200
    assert (await stopping.remote.get("/readyz")).status_code == 503  # without a key, on TCP


async def test_it_waits_for_a_call_to_end_and_no_longer(bench: Bench) -> None:
    bench.pbx.plots = [answers]
    stopped = bench.rebuilt()
    async with stopped.delivery:
        challenge_id = await stopped.issue()
        assert await stopped.delivery.stopping.wait(timedelta(hours=1)) == 0
        (call,) = (await stopped.settled(challenge_id)).calls
    assert call.outcome is not None
    assert call.outcome.outcome == "delivered"


async def test_a_call_that_takes_too_long_is_left_to_be_interrupted(bench: Bench) -> None:
    bench.pbx.plots = [nobody_answers]
    stopped = bench.rebuilt()
    async with stopped.delivery:
        challenge_id = await stopped.issue()
        assert await stopped.delivery.stopping.wait(timedelta()) == 1
    (call,) = (await stopped.settled(challenge_id)).calls
    assert call.outcome is not None
    assert call.outcome.outcome == "interrupted"
