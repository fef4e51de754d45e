"""What a call asks its PBX, and does not ask twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.adapters.pbx.asterisk.peers import READING, AmiPeer, an_order, connected, hang_up
from tests.unit.adapters.pbx.asterisk.test_asterisk_pbx import talking


@pytest.fixture
async def peer() -> AsyncIterator[AmiPeer]:
    async with AmiPeer(answers={"Hangup": hang_up}).serving() as peer:
        yield peer


async def test_a_sound_behind_another_begins_with_the_count_of_that_ones_end(peer: AmiPeer) -> None:
    async with talking(peer) as line, asyncio.TaskGroup() as tasks:
        stream = f'STREAM FILE "{READING.path}"'
        for before, after in ((10, 35), (None, 60)):
            playing = tasks.create_task(line.leg.play(READING))
            if before is not None:
                await line.caller.count(sent=before)
            await line.caller.answer(stream, f"200 result=0 endpos={READING.samples}\n")
            await line.caller.count(sent=after)
            assert (await playing).packets == 25
        waiting = tasks.create_task(line.leg.wait_key("*", timedelta(seconds=1)))
        await line.caller.answer("WAIT FOR DIGIT", "200 result=42\n")
        assert await waiting == "*"
        # Something may have been sent meanwhile: counted anew.
        playing = tasks.create_task(line.leg.play(READING))
        await line.caller.count(sent=70)
        await line.caller.answer(stream, f"200 result=0 endpos={READING.samples}\n")
        await line.caller.count(sent=95)
        assert (await playing).packets == 25


async def test_an_endpoint_that_was_there_is_not_asked_for_with_the_next_call(peer: AmiPeer) -> None:
    async with connected(peer) as pbx:
        for call_id in ("call_1", "call_2"):
            async with pbx.originate(replace(an_order(endpoint="carrier"), call_id=call_id)):
                pass
    asked = [message.get("Variable") for message in peer.asked if message["Action"] == "Getvar"]
    assert asked.count("DEVICE_STATE(PJSIP/carrier)") == 1
    assert peer.names().count("Originate") == 2
