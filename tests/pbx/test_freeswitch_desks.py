"""Desks of a real FreeSWITCH with several telephones, or none: all ring, whoever answers hears the code."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.pbx.conftest import Backend
from tests.pbx.examining import edited
from voicegate.client import Verification
from voicegate.lab.numbers import find_number
from voicegate.lab.world import Lab

DESK, NOBODYS = "4021", "4999"
PRESSES, RINGS, BUSY = (
    f"sofia/gateway/carrier/{find_number(name).american(area)}"
    for name, area in (("presses-key", "972"), ("rings-for-ever", "973"), ("busy", "978"))
)


@pytest.fixture
def lab(freeswitch_lab: Lab) -> Lab:
    return freeswitch_lab


@contextmanager
def desk_with(lab: Lab, dial_string: str) -> Iterator[None]:
    """The desk, with such telephones."""
    text = (lab.settings.folder / "pbx/etc/freeswitch.xml").read_text("utf-8")
    found = re.search(rf'"sofia/voicegate/{DESK}@[^"]*"', text)
    assert found is not None
    with edited(
        lab,
        "freeswitch.xml",
        found[0],
        f'"{dial_string}"',
        reload=lambda: lab.pbx_command("reloadxml"),
    ):
        yield


def outcome(verification: Verification) -> tuple[str | None, str | None, int | None]:
    call = verification.call
    assert call is not None
    return call.outcome, call.blame, call.sip_status


@pytest.mark.parametrize("telephones", [f"{RINGS},{PRESSES}", f"{BUSY},{PRESSES}", f"{BUSY}|{PRESSES}"])
async def test_whichever_telephone_answers_hears_the_code(backend: Backend, telephones: str) -> None:
    with desk_with(backend.lab, telephones):
        verification = await backend.call(DESK)
    assert outcome(verification) == ("delivered", "nobody", None)
    await backend.quiet()


async def test_a_desk_all_of_whose_telephones_are_busy_is_busy(backend: Backend) -> None:
    with desk_with(backend.lab, f"{BUSY},{BUSY}"):
        assert outcome(await backend.call(DESK)) == ("busy", "callee", 486)


async def test_canceling_stops_every_telephone(backend: Backend) -> None:
    with desk_with(backend.lab, f"{RINGS},{RINGS}"):
        created = await backend.client.create_verification(DESK)
        await backend.reaches(created.id, "ringing")
        assert await asyncio.to_thread(backend.lab.pbxs[0].channels) == 2
        await backend.client.cancel(created.id)
        assert outcome(await backend.settled(created.id))[0] == "canceled"
        await backend.quiet()


async def test_a_killed_controllers_call_at_a_desk_is_ended_by_the_next(backend: Backend) -> None:
    with desk_with(backend.lab, f"{RINGS},{PRESSES}"):
        created = await backend.client.create_verification(DESK)
        await backend.reaches(created.id, "awaiting_human")
        await asyncio.to_thread(backend.lab.kill_controller)
        await asyncio.to_thread(backend.lab.start_controller)
        assert outcome(await backend.settled(created.id))[0] == "interrupted"
        await backend.quiet()


async def test_a_desk_where_no_telephone_is_registered_is_unavailable(backend: Backend) -> None:
    with desk_with(backend.lab, "error/user_not_registered"):
        assert outcome(await backend.call(DESK)) == ("unavailable", "callee", None)


async def test_a_tester_who_has_not_registered_is_unavailable(backend: Backend) -> None:
    assert outcome(await backend.call("tester6")) == ("unavailable", "callee", None)


async def test_a_desk_that_the_directory_does_not_know_is_no_number(backend: Backend) -> None:
    assert outcome(await backend.call(NOBODYS)) == ("invalid_number", "number", None)
