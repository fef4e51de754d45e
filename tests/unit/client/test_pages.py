"""The client's page sessions, blocking and not, and the command line's, against a served bench."""

import asyncio

from tests.unit.adapters.http.serving import PAGES_URL, Served
from tests.unit.application.conftest import bench, limits, timings, trunks
from tests.unit.cli.conftest import Run, served, voicegate
from voicegate.application.page_queries import PageVisit
from voicegate.application.page_sessions import PageOpened
from voicegate.cli.exits import Exit
from voicegate.client import AsyncClient, Client, PageSession
from voicegate.domain.page_session import result_code

__all__ = ["bench", "limits", "served", "timings", "trunks", "voicegate"]


async def disowned(served: Served, made: PageSession) -> str:
    """The result code of a person who says that it was not them."""
    opened = await served.bench.app.pages.open(PageVisit(made.id, ""), made.url.rpartition("/")[2])
    assert isinstance(opened, PageOpened)
    await served.bench.app.pages.disown(PageVisit(made.id, opened.cookie or ""))
    return result_code(opened.cookie or "")


async def test_a_result_is_redeemed_blocking_and_not(served: Served) -> None:
    async with AsyncClient(socket=served.path) as client:
        made = await client.pages.create("alice", "enroll", reference="7")
        told = await client.pages.redeem(await disowned(served, made), made.state)
    assert (told.subscriber, told.result, told.reference) == ("alice", "not_me", "7")
    assert made.state not in repr(made)

    def create() -> PageSession:
        with Client(socket=served.path) as client:
            return client.pages.create("bob", "sign_in")

    made = await asyncio.to_thread(create)
    assert made.url.startswith(f"{PAGES_URL}/p/{made.id}/start/")


async def test_the_command_line_prints_the_url_of_a_page(voicegate: Run) -> None:
    printed = await voicegate("factors", "enroll", "alice", "--page")
    assert printed.exit_code == 0
    assert printed.stdout.startswith(f"{PAGES_URL}/p/pgs_")
    assert len(printed.stdout.splitlines()) == 1
    for wrong in (("alice",), ("alice", "+12025550143", "--page")):
        assert (await voicegate("factors", "enroll", *wrong)).exit_code == Exit.USAGE
