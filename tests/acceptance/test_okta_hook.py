"""Okta's hook under load: the real daemon with the simulator, 50 events a second, many of them repeated."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.test_daemon import daemon, settings

__all__ = ["settings"]

RATE, SECONDS = 50, 8
AREAS = ("202", "212", "213", "214")
PROMISED_S = 1.0


def event(number: int) -> dict[str, Any]:
    # A telephone of its own for each: one that rings is not called again.
    area, line = AREAS[number // 100], 100 + number % 100
    message = {"phoneNumber": f"+1{area}555{line:04}", "otpCode": f"{number:06}", "locale": "en"}
    return {
        "eventId": f"event-{number}",
        "eventType": "com.okta.telephony.provider",
        "data": {"messageProfile": message},
    }


async def test_at_50_events_a_second_each_is_answered_within_a_second_and_called_once(settings: Path) -> None:
    # None has ended when the last one begins. The settings end with the trunk's.
    lines = RATE * SECONDS
    # Its numbers follow one another, which in real life few people's do.
    text = settings.read_text().replace("[policy]", "[policy]\nsequential_numbers = 0")
    text = text.replace("[call]\n", f"[call]\nmax_in_progress = {lines}\n")
    settings.write_text(f"{text}max_calls = {lines}\n")
    transport = httpx.AsyncHTTPTransport(uds=str(settings.with_name("voicegate.sock")))
    took: list[float] = []
    transactions: dict[int, set[str]] = {}

    async def send(http: httpx.AsyncClient, number: int) -> None:
        began = time.monotonic()
        response = await http.post("/hooks/okta/telephony", json=event(number))
        took.append(time.monotonic() - began)
        ((value,),) = (command["value"] for command in response.json()["commands"])
        assert value["status"] == "PENDING", value
        transactions.setdefault(number, set()).add(value["transactionId"])

    async with (
        daemon(settings) as (client, _),
        httpx.AsyncClient(transport=transport, base_url="http://v") as http,
    ):
        async with asyncio.TaskGroup() as sending:
            for turn in range(RATE * SECONDS):
                # Every fifth is one that came before.
                sending.create_task(send(http, turn - 1 if turn % 5 == 4 else turn))
                await asyncio.sleep(1 / RATE)
        found = [await client.verification(next(iter(ids))) for ids in transactions.values()]
    assert max(took) < PROMISED_S, f"the slowest of {len(took)} answers took {max(took):.2f} s"
    assert all(len(ids) == 1 for ids in transactions.values())
    assert len({verification.id for verification in found}) == len(transactions)
    assert {len(verification.calls) for verification in found} == {1}
