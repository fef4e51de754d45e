"""Every door's own word for it when all lines are busy and no more calls may wait for one."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.adapters.http.doors import doors_beside_the_native
from tests.unit.adapters.http.okta.serving import PHONE
from tests.unit.adapters.http.serving import Served, serving
from tests.unit.adapters.http.test_okta_hook import answer, event
from tests.unit.adapters.http.twilio.serving import BANK, told
from tests.unit.application.conftest import Bench
from voicegate.application.queueing import CallLimits


@pytest.fixture
def limits() -> CallLimits:
    return CallLimits(in_progress=1, queued=1, queue_timeout=timedelta(hours=1))


async def nobody_answers(_: object) -> None:
    """The plot of a call at which nothing happens."""


@pytest.fixture
async def full(bench: Bench, tmp_path: Path) -> AsyncIterator[Served]:
    """All doors of a daemon with one call in progress and one that waits, both of the client who asks."""
    bench.pbx.plots = [nobody_answers]
    async with serving(bench, tmp_path, doors=doors_beside_the_native(bench)) as served:
        for number in ("+12025550111", "+12025550112"):
            await served.create(destination=number)
        yield served


def waits(headers: Any) -> bool:
    return bool(headers.get("Retry-After") == "10")


async def test_the_native_door_says_503_and_when(full: Served) -> None:
    response = await full.http.post("/v1/verifications", json={"destination": "+12025550113"})
    assert (response.status_code, response.json()["type"]) == (503, "urn:voicegate:problem:queue_full")
    assert waits(response.headers)
    assert response.json()["retry_after_s"] == 10


async def test_oktas_door_says_that_the_provider_cannot_now_and_when(full: Served) -> None:
    response = await full.http.post("/api/v1/users/alice/factors", json=PHONE)
    assert (response.status_code, response.json()["errorCode"]) == (503, "E0000139")
    assert waits(response.headers)
    assert "X-Rate-Limit-Reset" in response.headers


async def test_twilios_door_says_503_and_when(full: Served) -> None:
    form = {"To": "+12025550113", "Channel": "call"}
    response = await full.http.post(f"/v2/Services/{BANK}/Verifications", data=form)
    assert told(response) == (503, 20503)
    assert waits(response.headers)


async def test_oktas_hook_says_failed_so_that_another_provider_is_asked(full: Served) -> None:
    assert (await answer(full, event()))["status"] == "FAILED"
    assert (await answer(full, event("event-2")))["transactionMetadata"] == "queue_full"


async def test_a_providers_door_says_503_and_when(full: Served) -> None:
    response = await full.http.post("/hooks/providers/idp", json={"To": "+12025550113", "Body": "4711"})
    assert (response.status_code, response.json()["type"]) == (503, "urn:voicegate:problem:queue_full")
    assert waits(response.headers)
