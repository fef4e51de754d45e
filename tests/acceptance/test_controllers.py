"""Two daemons on one PostgreSQL database, as an admin runs them on two machines."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from tests.acceptance.test_daemon import BUSY, RINGS_FOR_EVER, SETTINGS, daemon, end_of, ended, ringing
from tests.postgresql import running_server
from voicegate.client import ApiError, AsyncClient
from voicegate.lab.deadlines import within

LINES = 12
TRUNK = """
[trunks.carrier]
pbx = "main"
endpoint = "carrier"
max_calls = 12
caller_ids = [{ number = "+12025550100" }]
"""


@dataclass(frozen=True)
class Installation:
    """Two machines' settings, and the database that they share."""

    one: Path
    other: Path
    url: str

    def calls(self, query: LiteralString) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()

    def ids(self, which: LiteralString) -> set[object]:
        return {row[0] for row in self.calls("SELECT id FROM calls WHERE " + which)}


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installation]:
    with running_server() as server, server.database() as url:
        files = []
        for name in ("one", "other"):
            folder = tmp_path / name
            folder.mkdir()
            text = SETTINGS.format(folder=folder).replace(f"{folder}/voicegate.db", url)
            text = text.replace(f"{folder}/key", f"{tmp_path}/key")
            file = folder / "voicegate.toml"
            text = text.replace("[call]", "[call]\nqueue_timeout_s = 90")
            file.write_text(text[: text.index("[trunks.carrier]")] + TRUNK)
            files.append(file)
        yield Installation(files[0], files[1], url)


@pytest.fixture
async def clients(installed: Installation) -> AsyncIterator[tuple[AsyncClient, AsyncClient]]:
    async with AsyncExitStack() as stack:
        one, _ = await stack.enter_async_context(daemon(installed.one))
        other, _ = await stack.enter_async_context(daemon(installed.other))
        yield one, other


async def test_what_happens_through_one_is_heard_of_through_the_other(
    clients: tuple[AsyncClient, AsyncClient],
) -> None:
    one, other = clients
    created = await one.create_verification(BUSY)
    async with within(30):
        # Each step, as it happens: the last is the end.
        steps = [step.state async for step in other.watch(created.id)]
    assert {"ringing", "ended"} <= set(steps)
    assert (await end_of(one, created.id)).status == "undeliverable"


async def test_a_call_of_one_is_canceled_through_the_other(clients: tuple[AsyncClient, AsyncClient]) -> None:
    one, other = clients
    verification_id = await ringing(one, RINGS_FOR_EVER)
    assert (await other.cancel(verification_id)).status == "canceled"
    async with within(10):
        (call,) = (await end_of(one, verification_id)).calls
    assert call.outcome == "canceled"


async def test_a_trunk_drained_through_one_gets_no_calls_through_the_other(
    clients: tuple[AsyncClient, AsyncClient],
) -> None:
    one, other = clients
    await one.drain_trunk("carrier", "works on it")
    async with within(10):
        while not (await other.trunks())[0].drained:
            await asyncio.sleep(0.05)
    with pytest.raises(ApiError):
        await other.create_verification("+12025550101")


async def test_a_controller_with_another_key_file_is_refused(installed: Installation) -> None:
    text = installed.other.read_text()
    installed.other.write_text(
        text.replace(f"{installed.one.parent.parent}/key", f"{installed.one.parent.parent}/own")
    )
    async with daemon(installed.one):
        code, error = await ended(installed.other)
    assert code != 0
    assert "storage.key_file: the controller " in error
    assert "all controllers need the same key file" in error


async def test_of_calls_through_two_controllers_none_is_placed_twice_or_lost_though_one_is_killed(
    installed: Installation,
) -> None:
    async with AsyncExitStack() as stack:
        one, process = await stack.enter_async_context(daemon(installed.one))
        other, _ = await stack.enter_async_context(daemon(installed.other))
        # A busy telephone's call takes four seconds.
        numbers = [f"+1202556{n:02}03" for n in range(60)]
        asked = [await (one, other)[n % 2].create_verification(number) for n, number in enumerate(numbers)]
        own = {created.call.id for created in asked[::2]}
        async with within(30):
            while not own & installed.ids("state = 'ringing'"):
                await asyncio.sleep(0.1)
        process.kill()
        waiting = own & installed.ids("state = 'queued'")
        highest = 0
        async with within(120):
            while installed.ids("state != 'ended'"):
                highest = max(highest, len(installed.ids("state NOT IN ('queued', 'ended')")))
                await asyncio.sleep(0.1)
    assert 0 < highest <= LINES
    rows = installed.calls("SELECT id, outcome FROM calls")
    assert len(rows) == 60
    started = "SELECT call_id, count(*) FROM timeline WHERE event = 'originated' GROUP BY call_id"
    assert {count for _, count in installed.calls(started)} == {1}
    assert {outcome for call, outcome in rows if call not in own} == {"busy"}
    assert {outcome for call, outcome in rows if call in own} == {"busy", "interrupted"}
    # What had not begun was placed by the other one.
    assert waiting
    assert waiting <= installed.ids("outcome = 'busy'")
