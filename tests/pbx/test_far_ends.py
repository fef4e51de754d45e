"""Far ends that behave as no telephone of the lab does, each call at its daemon and through a real PBX."""

import asyncio

import pytest

from tests.pbx.conftest import EACH_PBX
from tests.pbx.daemons import daemon
from tests.pbx.far_end import TONES_SDP, Habit, far_end
from tests.pbx.hung_up import all_end
from tests.pbx.verdicts import verdict
from voicegate.lab.world import Lab

pytestmark = EACH_PBX


@pytest.mark.parametrize("count", [60, pytest.param(600, marks=pytest.mark.soak)])
async def test_a_bye_right_behind_our_ack_leaves_nothing(lab: Lab, count: int) -> None:
    await all_end(lab, count)


async def test_a_line_that_returns_what_we_send_presses_no_key(lab: Lab) -> None:
    """Neither as events nor as tones, whatever key is asked for: nobody is there."""
    habits = {"+12025550101": Habit(echo=True), "+12025550102": Habit(echo=True, sdp=TONES_SDP)}
    patience = {"call.human_timeout_extension_s": 14}
    async with (
        far_end(lab.settings.ports.stranger, lambda number: habits[number]) as end,
        daemon(lab, "stranger", **patience) as backend,
    ):
        calls = [backend.call(number, extension="204", human_check="any_key") for number in habits]
        ended = await asyncio.gather(*calls)
        assert [dialog.media.events for dialog in end.dialogs.values() if dialog.habit.sdp != TONES_SDP] == [
            ["2", "0", "4"]
        ]
    assert [verdict(verification) for verification in ended] == [("no_human", "media", "callee")] * 2
