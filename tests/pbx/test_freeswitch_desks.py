"""Desks of a real FreeSWITCH with several telephones, or none: all ring, whoever answers hears the code."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.pbx.conftest import Backend
from tests.pbx.diagnosing import edited
from voicegate.client import Verification
from voicegate.lab.deadlines import within
from voicegate.lab.numbers import find_number
from voicegate.lab.world import Lab

NOBODYS = "4999"
PRESSES, RINGS, BUSY = (
    f"sofia/gateway/carrier/{find_number(name).american(area)}"
    for name, area in (("presses-key", "972"), ("rings-for-ever", "973"), ("busy", "978"))
)


@pytest.fixture
def lab(freeswitch_lab: Lab) -> Lab:
    return freeswitch_lab


@contextmanager
def desk_with(lab: Lab, desk: str, dial_string: str) -> Iterator[str]:
    """A desk of that number, with such telephones; each test has its own, which nobody called before."""
    text = (lab.settings.folder / "pbx/etc/freeswitch.xml").read_text("utf-8")
    found = re.search(r'<user id="4021">.*?"dial-string" value="[^"]*"', text, re.DOTALL)
    assert found is not None
    user = re.sub(r'value="sofia[^"]*"', f'value="{dial_string}"', found[0]).replace("4021", desk)
    with edited(lab, "freeswitch.xml", found[0], user, reload=lambda: lab.pbx_command("reloadxml")):
        yield desk


def outcome(verification: Verification) -> tuple[str | None, str | None, int | None]:
    call = verification.call
    assert call is not None
    return call.outcome, call.blame, call.sip_status


@pytest.mark.parametrize(
    ("number", "telephones"),
    [("4031", f"{RINGS},{PRESSES}"), ("4032", f"{BUSY},{PRESSES}"), ("4033", f"{BUSY}|{PRESSES}")],
)
async def test_whichever_telephone_answers_hears_the_code(
    backend: Backend, number: str, telephones: str
) -> None:
    with desk_with(backend.lab, number, telephones) as desk:
        verification = await backend.call(desk)
    assert outcome(verification) == ("delivered", "nobody", None)
    await backend.quiet()


async def test_a_desk_all_of_whose_telephones_are_busy_is_busy(backend: Backend) -> None:
    with desk_with(backend.lab, "4034", f"{BUSY},{BUSY}") as desk:
        assert outcome(await backend.call(desk)) == ("busy", "callee", 486)


async def test_canceling_stops_every_telephone(backend: Backend) -> None:
    with desk_with(backend.lab, "4035", f"{RINGS},{RINGS}") as desk:
        created = await backend.created(desk)
        async with within(10):
            while await asyncio.to_thread(backend.lab.pbxs[0].channels) != 2:
                await asyncio.sleep(0.05)
        await backend.client.cancel(created.id)
        assert outcome(await backend.settled(created.id))[0] == "canceled"
        await backend.quiet()


async def test_a_killed_controllers_call_at_a_desk_is_ended_by_the_next(backend: Backend) -> None:
    with desk_with(backend.lab, "4036", f"{RINGS},{PRESSES}") as desk:
        created = await backend.created(desk)
        await backend.reaches(created.id, "awaiting_human")
        await asyncio.to_thread(backend.lab.kill_controller)
        await asyncio.to_thread(backend.lab.start_controller)
        assert outcome(await backend.settled(created.id))[0] == "interrupted"
        await backend.quiet()


async def test_a_desk_where_no_telephone_is_registered_is_unavailable(backend: Backend) -> None:
    with desk_with(backend.lab, "4037", "error/user_not_registered") as desk:
        assert outcome(await backend.call(desk)) == ("unavailable", "callee", None)


async def test_a_tester_who_has_not_registered_is_unavailable(backend: Backend) -> None:
    assert outcome(await backend.call("tester6")) == ("unavailable", "callee", None)


async def test_a_desk_that_the_directory_does_not_know_is_no_number(backend: Backend) -> None:
    assert outcome(await backend.call(NOBODYS)) == ("invalid_number", "number", None)
