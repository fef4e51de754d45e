"""Two controllers on one PostgreSQL and one real Asterisk, one of them killed: the carrier counts."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, LiteralString

import psycopg
import pytest

from tests.bench.lab import BenchLab, Controller, running
from tests.bench.numbers import all_numbers
from tests.postgresql import running_server
from voicegate.client import AsyncClient
from voicegate.lab.deadlines import within

pytestmark = pytest.mark.soak

CALLS: Final = 50
LINES: Final = 12
"""The trunk's: fewer than calls, so that many wait when a controller dies."""
EVERY_S: Final = 0.2


@dataclass(frozen=True)
class Company:
    """An Asterisk with its carrier, and two controllers."""

    lab: BenchLab
    one: Controller
    other: Controller
    url: str

    def calls(self, query: LiteralString) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()

    def ids(self, which: LiteralString) -> set[object]:
        return {row[0] for row in self.calls("SELECT id FROM calls WHERE " + which)}


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with ExitStack() as stack:
        server = stack.enter_context(running_server())
        url = stack.enter_context(server.database())
        lab = stack.enter_context(running(tmp_path))
        shared: dict[str, object] = {
            "storage.database": url,
            "storage.key_file": str(tmp_path / "key"),
            "trunks.carrier.max_calls": LINES,
            "call.queue_timeout_s": 300,
            "policy.calls_per_number": 3,
        }
        one, other = (lab.controller(name, shared) for name in ("one", "other"))
        for controller in (one, other):
            stack.callback(controller.stop)
            controller.start()
        yield Company(lab, one, other, url)


async def test_of_fifty_calls_the_carrier_sees_each_once_though_a_controller_is_killed(
    company: Company,
) -> None:
    numbers = all_numbers()[:CALLS]
    own = await asked(company, numbers)
    async with within(60):
        while not {call.number for call in company.lab.far_end.calls() if call.answered_at} & own:
            await asyncio.sleep(0.1)
    company.one.daemon.kill()
    killed_at = time.monotonic()
    highest = await ended(company)
    print(f"settled {time.monotonic() - killed_at:.0f} s after the kill; at most {highest} lines at once")
    invited = Counter(call.number for call in company.lab.far_end.calls())
    outcomes = {
        str(number): outcome for number, outcome in company.calls("SELECT number, outcome FROM calls")
    }
    print(f"{sum(invited.values())} INVITEs for {CALLS} calls; {Counter(outcomes.values())}")
    assert len(outcomes) == CALLS
    assert max(invited.values()) == 1
    assert highest <= LINES
    interrupted = {number[-10:] for number, outcome in outcomes.items() if outcome == "interrupted"}
    # Only the killed one's, and of them only those that had begun: what waited was placed by the other.
    assert 0 < len(interrupted) <= LINES
    assert interrupted <= own
    assert set(outcomes.values()) == {"delivered", "interrupted"}
    assert set(invited) >= {number[-10:] for number in numbers} - interrupted
    assert not company.ids("state != 'ended'")


async def asked(company: Company, numbers: tuple[str, ...]) -> set[str]:
    """Have each number called, by turns through both; return whom the first one was asked to call."""
    async with AsyncClient(socket=company.one.socket) as one, AsyncClient(socket=company.other.socket) as two:
        for index, number in enumerate(numbers):
            await (one, two)[index % 2].create_verification(number)
            await asyncio.sleep(EVERY_S)
    return {number[-10:] for number in numbers[::2]}


async def ended(company: Company) -> int:
    """Wait until all calls have ended; return how many were under way at once, at most."""
    highest = 0
    async with within(400):
        while await asyncio.to_thread(company.ids, "state != 'ended'"):
            live = await asyncio.to_thread(company.ids, "state NOT IN ('queued', 'ended')")
            highest = max(highest, len(live))
            await asyncio.sleep(0.2)
    return highest
