"""A person whose call the controller cannot take, or no longer can, hears that from an Asterisk by itself."""

import asyncio
from pathlib import Path

import pytest
import soundfile

from tests.pbx.conftest import EACH_PBX, Backend
from tests.pbx.second_daemon import Raw, begin, follow, is_over, second_daemon
from tests.unit.application.conftest import TESTER
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.sign_in import IssueRequest
from voicegate.config import project_folder
from voicegate.domain.phone_number import Destination
from voicegate.lab.listener import RATE, find_sound
from voicegate.lab.numbers import find_number

NEVER_PRESSES = find_number("never-presses")


def apologised(recording: Path) -> bool:
    """Is the apology's second second in it? The first words come as the telephone is picked up."""
    heard, apology = (
        soundfile.read(file, dtype="int16")[0]
        for file in (recording, project_folder("sounds") / "en/apology.wav")
    )
    return find_sound(heard, apology[RATE : 2 * RATE]) is not None


async def test_when_the_controller_dies_in_mid_call_the_person_hears_an_apology(backend: Backend) -> None:
    number = NEVER_PRESSES.american("316")
    created = await backend.created(number)
    await backend.reaches(created.id, "awaiting_human")
    await asyncio.to_thread(backend.lab.kill_controller)
    try:
        recording = await backend.recording(number)
    finally:
        await asyncio.to_thread(backend.lab.start_controller)
    assert apologised(recording)
    call = (await backend.settled(created.id)).call
    assert call is not None
    assert call.outcome == "interrupted"


@EACH_PBX
@pytest.mark.parametrize("name", ["never-presses", "presses-key"])
async def test_when_the_controller_is_stopped_in_mid_call_the_person_hears_an_apology(
    backend: Backend, name: str
) -> None:
    """While it asks for the key, and while it reads the code, which is broken off."""
    number = find_number(name).american("319")
    created = await backend.created(number)
    await backend.reaches(created.id, "announcing" if name == "presses-key" else "awaiting_human")
    await asyncio.to_thread(backend.lab.stop_controller)
    try:
        recording = await backend.recording(number)
    finally:
        await asyncio.to_thread(backend.lab.start_controller)
    assert apologised(recording)
    call = (await backend.settled(created.id)).call
    assert call is not None
    assert (call.outcome, call.blame) == ("interrupted", "us")


async def test_when_the_pbx_cannot_reach_the_controller_the_person_hears_an_apology(backend: Backend) -> None:
    def misdirect(raw: Raw) -> None:
        raw["pbx"]["main"]["agi_advertised_host"] = "127.0.0.9"

    number = NEVER_PRESSES.american("317")
    async with second_daemon(backend.lab, misdirect) as app:
        request = IssueRequest(TESTER, ChallengeSpec(Destination.parse(number)))
        record = await follow(app, await begin(app, request), is_over)
    assert apologised(await backend.recording(number))
    (call,) = record.calls
    assert call.outcome is not None
    assert (call.outcome.outcome, call.outcome.blame) == ("controller_unreachable", "us")
