"""Calls that whoever runs the Asterisk ends there: our side's doing, never the called person's."""

import pytest

from tests.pbx.conftest import Backend
from tests.pbx.test_pbx_meddles import ended_by


@pytest.mark.parametrize(
    ("state", "area"), [("ringing", "941"), ("awaiting_human", "947"), ("announcing", "949")]
)
async def test_hanging_up_all_channels_interrupts_ours(backend: Backend, state: str, area: str) -> None:
    assert await ended_by(backend, state, area, "channel request hangup all") == ("interrupted", "us")
