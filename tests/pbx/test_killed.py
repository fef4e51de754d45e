"""kill -9 of the controller, and of the Asterisk, in each state of a real call; of FreeSWITCH in
`test_freeswitch_faults`. In each state the telephone is rung once, and the call has its end."""

import asyncio
from typing import Final

import pytest

from tests.faults.settled import Memory, assert_all_is_settled
from tests.pbx.conftest import EACH_PBX, Backend
from tests.pbx.outcomes import last_call
from voicegate.lab.behaviour import LabNumber
from voicegate.lab.numbers import find_number

PRESSES, OFFICE, LATE = (find_number(name) for name in ("presses-key", "office", "rings-late"))
STATES: Final = {
    "originating": LATE,
    "ringing": PRESSES,
    "sending_extension": OFFICE,
    "awaiting_human": PRESSES,
    "announcing": PRESSES,
}
# Area codes, so that each call has a number that nobody else calls.
CONTROLLER: Final = dict(zip(STATES, ("515", "516", "517", "518", "520"), strict=True))
ASTERISK: Final = dict(zip(STATES, ("530", "541", "551", "559", "561"), strict=True))
AFTERWARDS: Final = "562"

pytestmark = pytest.mark.soak


async def reached(backend: Backend, number: LabNumber, area: str, state: str) -> tuple[str, str]:
    """The id and the telephone of a call that is in that state."""
    telephone = number.american(area)
    created = await backend.created(telephone, extension=number.extension)
    await backend.reaches(created.id, state)
    return created.id, telephone


@EACH_PBX
@pytest.mark.parametrize("state", STATES)
async def test_a_controller_that_is_killed_leaves_no_call_and_calls_nobody_again(
    backend: Backend, state: str
) -> None:
    lab = backend.lab
    made, telephone = await reached(backend, STATES[state], CONTROLLER[state], state)
    await asyncio.to_thread(lab.kill_controller)
    await asyncio.to_thread(lab.start_controller)
    call = last_call(await backend.settled(made))
    assert (call.outcome, call.blame, call.evidence.announced) == ("interrupted", "us", 0)
    await backend.quiet()
    await assert_all_is_settled(backend.client, audio=lab.settings.audio)
    assert len(lab.recordings(telephone)) <= 1


@pytest.mark.parametrize("state", STATES)
async def test_an_asterisk_that_is_killed_has_lost_its_call(backend: Backend, state: str) -> None:
    lab = backend.lab
    (controller,) = (part.pid for part in lab.status() if part.name == "controller")
    assert controller is not None
    memory = Memory.of(controller)
    made, telephone = await reached(backend, STATES[state], ASTERISK[state], state)
    await asyncio.to_thread(lab.kill_pbx)
    await asyncio.to_thread(lab.start_pbx)
    call = last_call(await backend.settled(made))
    assert (call.outcome, call.blame, call.evidence.announced) == ("pbx_lost", "us", 0)
    await backend.trunk_is("available")
    await assert_all_is_settled(backend.client, audio=lab.settings.audio, memory=memory)
    assert len(lab.recordings(telephone)) <= 1


async def test_after_all_that_the_next_call_goes_through(backend: Backend) -> None:
    assert last_call(await backend.call(PRESSES.american(AFTERWARDS))).outcome == "delivered"
