"""Calls that whoever runs the Asterisk ends there: our side's doing, never the called person's."""

import asyncio

import pytest

from tests.pbx.conftest import Backend
from tests.pbx.test_pbx_meddles import ended_by


@pytest.mark.parametrize(
    ("state", "area"), [("ringing", "941"), ("awaiting_human", "947"), ("announcing", "949")]
)
async def test_hanging_up_all_channels_interrupts_ours(backend: Backend, state: str, area: str) -> None:
    assert await ended_by(backend, state, area, "channel request hangup all") == ("interrupted", "us")


async def test_stopping_it_loses_the_call(backend: Backend) -> None:
    try:
        assert await ended_by(backend, "awaiting_human", "956", "core stop now") == ("pbx_lost", "us")
    finally:
        await asyncio.to_thread(backend.lab.kill_pbx)
        await asyncio.to_thread(backend.lab.start_pbx)
        await backend.trunk_is("available")
