"""A desk with several telephones: each is ordered by a call of its own, and one of them is the call."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.unit.adapters.pbx.asterisk.peers import (
    AgiCaller,
    AmiPeer,
    AsteriskPbx,
    Message,
    an_order,
    connected,
    hang_up,
    next_signal,
)
from voicegate.application.ports import DtmfTiming, Leg
from voicegate.domain.call import Answered, Rang
from voicegate.domain.call_outcome import Hangup


@pytest.fixture
async def peer() -> AsyncIterator[AmiPeer]:
    async with AmiPeer(answers={"Hangup": hang_up}).serving() as peer:
        yield peer


@asynccontextmanager
async def ringing_desk(peer: AmiPeer) -> AsyncIterator[tuple[AsteriskPbx, Leg, Message, Message]]:
    """A call to a desk with two telephones, and the order to each."""
    contacts = "PJSIP/100/sip:100@192.0.2.1:5060&PJSIP/100/sip:100@192.0.2.2:5060;ob&PJSIP/101/sip:x@y"
    told = {"PJSIP_DIAL_CONTACTS(100)": contacts}
    peer.answers["Getvar"] = lambda _, asked: f"Response: Success\r\nValue: {told.get(asked['Variable'], 1)}"
    async with connected(peer) as pbx, pbx.originate(an_order(endpoint="100", number=None)) as leg:
        first, second = [message for message in peer.asked if message["Action"] == "Originate"]
        yield pbx, leg, first, second


async def test_all_telephones_of_a_desk_ring_and_who_answers_first_is_the_call(peer: AmiPeer) -> None:
    async with ringing_desk(peer) as (pbx, leg, first, second), asyncio.TaskGroup() as tasks:
        assert first["Channel"] == "PJSIP/100/sip:100@192.0.2.1:5060"
        assert second["Channel"] == "PJSIP/100/sip:100@192.0.2.2:5060;ob"
        assert second["ChannelId"] == f"{first['ChannelId']}_2"
        signals = leg.signals()
        for originate in (first, second):
            peer.event("Newstate", Uniqueid=originate["ChannelId"], ChannelState="5")
        assert await next_signal(signals) == Rang()
        caller = await AgiCaller.enter(pbx, second)
        assert await next_signal(signals) == Answered()
        assert (await peer.until_asked("Hangup"))["Channel"] == first["ChannelId"]
        sending = tasks.create_task(leg.send_digits("1", DtmfTiming()))
        await caller.answer("EXEC SendDTMF", "200 result=0\n")
        await sending
        for event in ("HangupRequest", "Hangup"):
            peer.event(event, Uniqueid=second["ChannelId"], Cause="16")
        assert await next_signal(signals) == Hangup(cause=16)


async def test_a_desk_that_declines_at_one_telephone_rings_at_the_other_until_that_ends(
    peer: AmiPeer,
) -> None:
    async with ringing_desk(peer) as (_, leg, first, second):
        signals = leg.signals()
        for originate, cause, status in ((first, "17", "486"), (second, "19", "480")):
            call_id = originate["ChannelId"]
            peer.event("HangupRequest", Uniqueid=call_id, Cause=cause, TechCause=status)
            peer.event("Hangup", Uniqueid=call_id, Cause=cause, TechCause=status)
            peer.event("OriginateResponse", ActionID=originate["ActionID"], Response="Failure", Reason="0")
        assert await next_signal(signals) == Hangup(17, 486)


async def test_a_desks_calls_of_an_earlier_run_are_all_hung_up(peer: AmiPeer) -> None:
    async with connected(peer) as pbx:
        await pbx.hang_up("call_orphan")
    asked = [message["Channel"] for message in peer.asked if message["Action"] == "Hangup"]
    assert asked[:2] == ["call_orphan", "call_orphan_2"]
