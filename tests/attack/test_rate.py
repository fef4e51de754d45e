"""More than can be done, on two busy cores: refused at once and in words, and what is accepted is in time."""

import asyncio
import contextlib
import itertools
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.attack.asking import Asking, header
from tests.attack.target import target

RATE, SECONDS = 200, 15
ACCEPTED_WITHIN_S = 1.0


def burn() -> None:
    for _ in itertools.count():
        pass


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    burners = [multiprocessing.Process(target=burn, daemon=True) for _ in range(os.cpu_count() or 1)]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.join()


class Hook:
    """Okta, which asks at a rate."""

    def __init__(self, socket: Path) -> None:
        self._asking = Asking(lambda: asyncio.open_unix_connection(str(socket)))
        self.answers: Counter[str] = Counter()
        self.accepted_s: list[float] = []

    async def run(self) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(RATE * SECONDS):
                await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
                group.create_task(self._ask(number))
        self._asking.close()

    async def _ask(self, number: int) -> None:
        began = time.monotonic()
        profile = {"phoneNumber": f"+1202555{1000 + number % 9000}", "otpCode": "471029"}
        event = {
            "eventType": "com.okta.telephony.provider",
            "eventId": f"e{number}",
            "data": {"messageProfile": profile},
        }
        try:
            answer = await self._asking.ask(
                "POST",
                "/hooks/okta/telephony",
                body=msgspec.json.encode(event),
                media_type="application/json",
            )
        except (OSError, EOFError) as error:
            self.answers[type(error).__name__] += 1
            return
        word = str(answer.status)
        if answer.status == 503 and header(answer.head, b"retry-after") is None:
            word = "503 without Retry-After"
        elif answer.status == 200:
            word = msgspec.json.decode(answer.body)["commands"][0]["value"][0]["status"]
        self.answers[word] += 1
        if word == "PENDING":
            self.accepted_s.append(time.monotonic() - began)


@pytest.mark.soak
async def test_two_hundred_requests_a_second_are_all_answered(tmp_path: Path) -> None:
    async with target(tmp_path) as daemon:
        hook = Hook(tmp_path / "voicegate.sock")
        with busy_cores():
            await hook.run()
        slowest = sorted(hook.accepted_s)[int(len(hook.accepted_s) * 0.99)]
        print(f"{dict(hook.answers)}, {daemon.peak_mb():.0f} MB; accepted within {slowest:.2f} s")
    assert set(hook.answers) <= {"PENDING", "FAILED", "429", "503"}
    assert hook.answers["PENDING"]
    assert slowest < ACCEPTED_WITHIN_S
