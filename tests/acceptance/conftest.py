"""What both makes of SDK are told: they live at the same time, for they mostly wait for telephones."""

import asyncio
from dataclasses import dataclass

import pytest

from tests.acceptance import test_okta_sdk as okta
from tests.acceptance import test_twilio_sdk as twilio
from tests.acceptance.okta_sdk.environment import python_with
from voicegate.lab.world import Lab


@dataclass(frozen=True)
class Sdks:
    """What each was told."""

    okta: dict[str, list[okta.Step]]
    twilio: twilio.Day


@pytest.fixture(scope="session")
def sdks(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Sdks:
    # Before the calls: it may fetch packages, and lets nothing else run.
    pythons = [python_with(flow.version) for flow in okta.flows(lab)]

    async def live() -> Sdks:
        async with asyncio.TaskGroup() as tasks:
            lives = tasks.create_task(okta.live_all(lab, pythons, tmp_path_factory))
            day = tasks.create_task(twilio.live_a_day(lab, tmp_path_factory.mktemp("twilio")))
        return Sdks(lives.result(), day.result())

    return asyncio.run(live())
