"""Calls that whoever runs the PBX ends there: our side's doing, and never told as the called person's."""

import asyncio
import time

import pytest

from tests.pbx.conftest import Backend
from tests.pbx.diagnosing import edited
from voicegate.lab.deadlines import Deadline
from voicegate.lab.numbers import find_number
from voicegate.lab.world import Lab

PRESSES, RINGS = find_number("presses-key"), find_number("rings-for-ever")
IN_STATE = {"ringing": RINGS, "awaiting_human": PRESSES, "announcing": PRESSES}


@pytest.fixture
def lab(freeswitch_lab: Lab) -> Lab:
    return freeswitch_lab


def anew(lab: Lab) -> None:
    """Have the changed gateway read as docs/install/freeswitch.md says."""
    lab.pbx_command("sofia profile voicegate killgw carrier")
    deadline = Deadline(20)
    while "::carrier" in lab.pbx_command("sofia status"):
        assert not deadline.has_passed
        time.sleep(0.1)
    lab.pbx_command("sofia profile voicegate rescan")


def change_gateway(lab: Lab) -> None:
    """Change one, see that it was, and change it back."""
    before, after = (f'name="ping" value="{seconds}"' for seconds in (5, 7))
    with edited(lab, "profile.xml", before, after, reload=lambda: anew(lab)):
        assert "<pingfreq>7<" in lab.pbx_command("sofia xmlstatus gateway carrier")


async def ended_by(backend: Backend, state: str, area: str, command: str) -> tuple[str | None, str | None]:
    """The outcome and the blame of a call that such a command at the PBX's console ends in that state."""
    created = await backend.created(IN_STATE[state].american(area))
    await backend.reaches(created.id, state)
    # A profile is not restarted before it is ten seconds old; the answer says so.
    while "must be up for" in await asyncio.to_thread(backend.lab.pbx_command, command):
        await asyncio.sleep(0.2)
    call = (await backend.settled(created.id)).call
    assert call is not None
    return call.outcome, call.blame


@pytest.mark.parametrize(
    ("state", "area", "command"),
    [
        ("ringing", "941", "hupall"),
        ("awaiting_human", "947", "hupall"),
        ("announcing", "949", "hupall"),
        ("awaiting_human", "951", "hupall NORMAL_CLEARING"),
    ],
)
async def test_hanging_up_all_calls_interrupts_ours(
    backend: Backend, state: str, area: str, command: str
) -> None:
    assert await ended_by(backend, state, area, command) == ("interrupted", "us")


@pytest.mark.parametrize(("state", "area"), [("ringing", "952"), ("awaiting_human", "954")])
async def test_restarting_a_sip_profile_interrupts_its_calls(backend: Backend, state: str, area: str) -> None:
    restart = "sofia profile voicegate restart"
    assert await ended_by(backend, state, area, restart) == ("interrupted", "us")
    await backend.trunk_is("available")


async def test_a_changed_gateway_is_taken_as_told_and_costs_no_call(backend: Backend) -> None:
    lab = backend.lab
    created = await backend.created(PRESSES.american("971"))
    await backend.reaches(created.id, "awaiting_human")
    await asyncio.to_thread(change_gateway, lab)
    call = (await backend.settled(created.id)).call
    assert call is not None
    assert call.outcome == "delivered"
    await backend.trunk_is("available")


@pytest.mark.parametrize(("command", "area"), [("fsctl shutdown now", "956"), ("fsctl shutdown", "970")])
async def test_shutting_down_loses_the_call(backend: Backend, command: str, area: str) -> None:
    ended = asyncio.create_task(ended_by(backend, "awaiting_human", area, command))
    try:
        assert await ended == ("pbx_lost", "us")
    finally:
        await asyncio.to_thread(backend.lab.kill_pbx)
        await asyncio.to_thread(backend.lab.start_pbx)
        await backend.trunk_is("available")
