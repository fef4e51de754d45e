"""Calls over a network that loses, delays or swallows packets, between a real PBX and the lab's carrier."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.settled import assert_all_is_settled
from tests.pbx.conftest import EACH_PBX, Backend
from tests.pbx.daemons import daemon
from tests.pbx.outcomes import last_call, outcome_on
from voicegate.lab.bad_network import BadNetwork, Weather, bad_network
from voicegate.lab.numbers import find_number
from voicegate.lab.settings import PbxKind
from voicegate.lab.world import Lab

pytestmark = [EACH_PBX, pytest.mark.soak]

PRESSES = find_number("presses-key")
LOSSY = ("443", "469", "478")
MOS_AT_MOST = 4.2
"""A clean line of this codec has 4.4."""


@asynccontextmanager
async def behind(
    lab: Lab, weather: Weather, **overrides: object
) -> AsyncIterator[tuple[Backend, BadNetwork]]:
    """A daemon whose only trunk leads over such a network."""
    ports = lab.settings.ports
    is_asterisk = PbxKind.ASTERISK in lab.settings.pbxs
    pbx_sip = ports.pbx_sip if is_asterisk else ports.freeswitch_sip
    async with (
        bad_network(weather, ports.stranger, pbx_sip=pbx_sip, carrier_sip=ports.carrier_sip) as network,
        daemon(lab, "stranger", **overrides) as backend,
    ):
        yield backend, network


async def test_five_percent_loss_and_jitter_end_calls_truthfully_and_are_told_in_their_figures(
    lab: Lab,
) -> None:
    async with behind(lab, Weather(loss=0.05, jitter_s=0.03)) as (backend, network):
        ended = await asyncio.gather(*(backend.call(PRESSES.american(area)) for area in LOSSY))
        settled = await assert_all_is_settled(backend.client)
    calls = [last_call(one) for one in ended]
    figures = [(call.outcome, call.quality and (call.quality.mos, call.quality.lost_sent)) for call in calls]
    print(f"{figures}, {network.counts}")
    # A person may not understand which key is asked for, or the network may lose it.
    assert set(settled.outcomes) <= {"delivered", "no_human"}
    assert settled.outcomes["delivered"]
    assert network.counts.lost > 0
    for call in calls:
        assert call.quality is not None
        assert call.quality.mos is not None
        assert call.quality.mos < MOS_AT_MOST
        assert call.quality.packets_received
        assert call.quality.lost_received
        assert 0.01 < call.quality.lost_received / call.quality.packets_received < 0.15
    for area in LOSSY:
        assert len(lab.recordings(PRESSES.american(area))) == 1


async def test_a_trunk_that_swallows_all_is_told_as_silent_and_nobody_is_called_again(lab: Lab) -> None:
    number = PRESSES.american("480")
    async with behind(lab, Weather(is_swallowing=True), **{"trunks.carrier.progress_timeout_s": 4}) as (
        backend,
        network,
    ):
        call = last_call(await backend.call(number))
        assert outcome_on(call) == ("trunk_silent", "none", "trunk")
        assert call.retry_safe is False
        (trunk,) = await backend.client.trunks()
        assert trunk.set_aside_until is not None
        await assert_all_is_settled(backend.client)
        assert network.counts.passed == 0
    assert lab.recordings(number) == []


async def test_a_network_that_ends_in_mid_call_leaves_no_call_without_its_end(lab: Lab) -> None:
    number = PRESSES.american("484")
    async with behind(lab, Weather(), **{"call.human_timeout_s": 15}) as (backend, network):
        created = await backend.created(number)
        await backend.reaches(created.id, "awaiting_human")
        network.weather.is_swallowing = True
        call = last_call(await backend.settled(created.id))
        settled = await assert_all_is_settled(backend.client)
    print(f"{outcome_on(call)}, {dict(settled.outcomes)}")
    assert call.evidence.announced == 0
    assert call.outcome != "delivered"
