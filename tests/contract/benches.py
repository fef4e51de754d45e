"""The exchanges that the suite of the `Pbx` port runs on, each with telephones that behave alike."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import soundfile

from tests.wire.switch import PASSWORD, Switch
from voicegate.adapters.pbx.asterisk.driver import AsteriskDriver
from voicegate.adapters.pbx.asterisk.settings import AsteriskSettings
from voicegate.adapters.pbx.common.call_supervisor import CallSupervisor
from voicegate.adapters.pbx.common.connection import Secret
from voicegate.adapters.pbx.freeswitch.driver import FreeSwitchDriver
from voicegate.adapters.pbx.freeswitch.settings import FreeSwitchSettings
from voicegate.adapters.pbx.simulator import SimulatedPbx
from voicegate.adapters.speech.mixer import Mixer, SpeechSettings
from voicegate.application.ports import Clip, Pbx
from voicegate.config import project_folder
from voicegate.domain.announcement import (
    HumanCheck,
    PromptName,
    compose_invitation,
    compose_reading,
)
from voicegate.domain.passcode import Passcode
from voicegate.domain.routing import CallerId, Hop, Trunk
from voicegate.lab.deadlines import within
from voicegate.lab.world import Lab


class Telephone(StrEnum):
    """What every bench must have; the value ends the number that behaves so."""

    PRESSES_KEY = "01"
    NEVER_PRESSES = "02"
    BUSY = "03"
    RINGS_FOR_EVER = "04"
    HANGS_UP_MIDWAY = "05"
    OFFICE = "06"
    """Takes the extension 4321; then as `01`."""
    NOT_IN_SERVICE = "08"


@dataclass(frozen=True, slots=True)
class PbxBench:
    """An exchange and what a test needs to call through it."""

    pbx: Pbx
    number_for: Callable[[Telephone], Hop]
    key: str
    """The key that the invitation asks for."""
    invitation: Clip
    reading: Clip
    """A code; `HANGS_UP_MIDWAY` does not listen to its end."""
    apology: Clip


def _clip(name: str, length: timedelta, code_end: float = 1.0) -> Clip:
    samples = round(length.total_seconds() * 8000)
    return Clip(name, samples, length, round(samples * code_end))


@asynccontextmanager
async def simulated(_: pytest.FixtureRequest) -> AsyncIterator[PbxBench]:
    """The simulator, fifty times as fast as life."""
    trunk = Trunk("simulated", "simulator", endpoint="carrier", caller_ids=(CallerId("+12025550100"),))

    def number_for(telephone: Telephone) -> Hop:
        number = f"+120255501{telephone}"
        return Hop(trunk, endpoint=trunk.endpoint, number=number, caller_id=trunk.caller_ids[0])

    yield PbxBench(
        pbx=SimulatedPbx(pace=0.02, endpoints=["carrier"]),
        number_for=number_for,
        key="5",
        invitation=_clip("invitation", timedelta(seconds=4)),
        reading=_clip("reading", timedelta(seconds=6), code_end=0.7),
        apology=_clip("apology", timedelta(seconds=2)),
    )


@asynccontextmanager
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[PbxBench]:
    """The lab's real Asterisk, spoken to by an adapter of our own beside the daemon's."""
    lab: Lab = request.getfixturevalue("asterisk_lab")
    here = lab.settings
    settings = AsteriskSettings(
        name="bench",
        ami_username="voicegate",
        ami_secret=Secret(here.secret_file.read_text().strip()),
        ami_port=here.ports.ami,
        agi_port=0,
    )
    async with CallSupervisor(partial(AsteriskDriver, settings)) as pbx, _speaking(lab, pbx) as bench:
        yield bench


@asynccontextmanager
async def freeswitch(request: pytest.FixtureRequest) -> AsyncIterator[PbxBench]:
    """The lab's real FreeSWITCH, spoken to likewise."""
    lab: Lab = request.getfixturevalue("freeswitch_lab")
    here = lab.settings
    secret = Secret(here.secret_file.read_text().strip())
    settings = FreeSwitchSettings(
        name="bench", esl_user="voicegate@127.0.0.1", esl_password=secret, esl_port=here.ports.esl
    )
    async with CallSupervisor(partial(FreeSwitchDriver, settings)) as pbx, _speaking(lab, pbx) as bench:
        yield bench


@asynccontextmanager
async def _speaking(lab: Lab, pbx: Pbx) -> AsyncIterator[PbxBench]:
    """A real PBX, once it is connected, with real sounds and the carrier's numbers."""
    here = lab.settings
    trunk = Trunk("carrier", "bench", endpoint="carrier", caller_ids=(CallerId("+12025550100"),))
    sounds = str(project_folder("sounds"))
    mixer = Mixer(
        SpeechSettings(
            sounds=project_folder("sounds"),
            audio_folder=here.volatile / "bench",
            pbx_audio_folder=str(here.volatile / "bench"),
            pbx_sounds_folder=sounds,
            service_name="Voicegate",
            state_folder=here.folder / "state",
        )
    )

    def number_for(telephone: Telephone) -> Hop:
        number = f"+120255501{telephone}"
        return Hop(trunk, endpoint=trunk.endpoint, number=number, caller_id=trunk.caller_ids[0])

    invitation = compose_invitation(HumanCheck.RANDOM_KEY, "5", mixer.phrasing("en"))
    reading = compose_reading(Passcode("4710"), mixer.phrasing("en"))
    async with mixer.mix("en", invitation, reading) as audio:
        async with within(30):
            while not pbx.is_connected:
                await asyncio.sleep(0.02)
        apology = mixer.prompt("en", PromptName.APOLOGY)
        yield PbxBench(pbx, number_for, "5", audio.invitation, audio.reading, apology)


@asynccontextmanager
async def scripted_freeswitch(request: pytest.FixtureRequest) -> AsyncIterator[PbxBench]:
    """The adapter against an event socket that answers as FreeSWITCH was recorded to."""
    folder: Path = request.getfixturevalue("tmp_path")
    trunk = Trunk("carrier", "bench", endpoint="carrier", caller_ids=(CallerId("+12025550100"),))

    def number_for(telephone: Telephone) -> Hop:
        number = f"+120255501{telephone}"
        return Hop(trunk, endpoint=trunk.endpoint, number=number, caller_id=trunk.caller_ids[0])

    def record(name: str, seconds: float, code_end: float = 1.0) -> Clip:
        clip = _clip(str(folder / name), timedelta(seconds=seconds), code_end)
        soundfile.write(f"{clip.path}.wav", np.zeros(clip.samples, np.int16), 8000)
        return clip

    async with Switch().serving() as switch:
        settings = FreeSwitchSettings("bench", Secret(PASSWORD), esl_port=switch.port)
        async with CallSupervisor(partial(FreeSwitchDriver, settings)) as pbx:
            async with within(10):
                while not pbx.is_connected:
                    await asyncio.sleep(0.002)
            clips = record("invitation", 0.4), record("reading", 0.6, 0.7), record("apology", 0.2)
            yield PbxBench(pbx, number_for, "5", *clips)


PBX_BENCHES: Final[Mapping[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[PbxBench]]]] = {
    "simulator": simulated,
    "asterisk": asterisk,
    "freeswitch": freeswitch,
    "freeswitch (scripted)": scripted_freeswitch,
}
"""By name; a new PBX is one line."""
