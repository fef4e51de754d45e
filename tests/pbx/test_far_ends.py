"""Far ends that behave as no telephone of the lab does, each call at its daemon and through a real PBX."""

import pytest

from tests.pbx.conftest import EACH_PBX
from tests.pbx.hung_up import all_end
from voicegate.lab.world import Lab

pytestmark = EACH_PBX


@pytest.mark.parametrize("count", [60, pytest.param(600, marks=pytest.mark.soak)])
async def test_a_bye_right_behind_our_ack_leaves_nothing(lab: Lab, count: int) -> None:
    await all_end(lab, count)
