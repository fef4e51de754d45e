"""What only the simulator does: telephones that no laboratory has, and a pace of its own."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from voicegate.adapters.pbx.simulator import Behaviour, SimulatedPbx
from voicegate.adapters.pbx.simulator.pbx import SimulatedLeg, behaviour_of
from voicegate.application.ports import Clip, LegSignal, Order
from voicegate.domain.call import Answered
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.errors import PbxRefused
from voicegate.domain.routing import CallerId, Hop, Trunk

TRUNK = Trunk("t", "simulator", endpoint="carrier", caller_ids=(CallerId("+12025550100"),))
CLIP = Clip("clip", 8000, timedelta(seconds=1), 8000)


def order(behaviour: str, call_id: str = "call_1") -> Order:
    hop = Hop(TRUNK, TRUNK.endpoint, number=f"+120255501{behaviour}", caller_id=TRUNK.caller_ids[0])
    return Order(call_id, hop, CLIP)


def quick_pbx() -> SimulatedPbx:
    return SimulatedPbx(pace=0.001, endpoints=["carrier"])


async def told(behaviour: Behaviour) -> Sequence[LegSignal]:
    async with quick_pbx().originate(order(behaviour)) as leg:
        return [signal async for signal in leg.signals()]


async def answered(leg: SimulatedLeg) -> None:
    async for signal in leg.signals():
        if isinstance(signal, Answered):
            return


@pytest.mark.parametrize(
    ("behaviour", "sip_status"),
    [
        (Behaviour.BUSY, 486),
        (Behaviour.REJECTED, 603),
        (Behaviour.INVALID_NUMBER, 404),
        (Behaviour.TRUNK_FAILED, 503),
    ],
)
async def test_a_failure_is_told_by_its_sip_status(behaviour: Behaviour, sip_status: int) -> None:
    hangup = (await told(behaviour))[-1]
    assert isinstance(hangup, Hangup)
    assert hangup.sip_status == sip_status


async def test_a_silent_trunk_tells_nothing_but_its_end() -> None:
    assert [type(signal) for signal in await told(Behaviour.TRUNK_SILENT)] == [Hangup]


async def test_a_call_without_media_is_answered_and_nothing_comes_back() -> None:
    async with quick_pbx().originate(order(Behaviour.NO_MEDIA)) as leg:
        await answered(leg)
        playback = await leg.play(CLIP, "5")
        media = await leg.media()
    assert (playback.key, playback.packets) == (None, 50)
    assert (media.is_seen, media.sent) == (False, 50)


async def test_a_refused_number_places_no_call() -> None:
    with pytest.raises(PbxRefused):
        async with quick_pbx().originate(order(Behaviour.REFUSED)):
            pytest.fail("a call was placed")


async def test_a_call_id_is_used_once() -> None:
    pbx = quick_pbx()
    async with pbx.originate(order(Behaviour.DELIVERED)):
        pass
    with pytest.raises(PbxRefused):
        async with pbx.originate(order(Behaviour.DELIVERED)):
            pytest.fail("a second call was placed")


async def test_the_key_is_pressed_once_and_the_star_never() -> None:
    async with quick_pbx().originate(order(Behaviour.DELIVERED)) as leg:
        await answered(leg)
        pressed = [(await leg.play(CLIP, keys)).key for keys in ("*", "*5", "5")]
        assert await leg.wait_key("5", timedelta(seconds=1)) is None
    assert pressed == [None, "5", None]


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (Behaviour.REPORTS, ["9", None, None]),
        (Behaviour.OPTS_OUT, ["9", "0", "0"]),
        (Behaviour.DELIVERED, ["5", None, None]),
    ],
)
async def test_who_did_not_ask_presses_nine_and_nobody_else_does(
    behaviour: Behaviour, expected: Sequence[str | None]
) -> None:
    async with quick_pbx().originate(order(behaviour)) as leg:
        await answered(leg)
        pressed = [(await leg.play(CLIP, keys)).key for keys in ("59", "0")]
        pressed.append(await leg.wait_key("0", timedelta(seconds=1)))
    assert pressed == expected


@pytest.mark.parametrize(("key_end", "heard"), [(0, 7200), (7000, 7200), (7999, 7999)])
async def test_nobody_presses_a_key_before_it_was_named(key_end: int, heard: int) -> None:
    async with quick_pbx().originate(order(Behaviour.DELIVERED)) as leg:
        await answered(leg)
        playback = await leg.play(replace(CLIP, key_end=key_end), "5")
    assert (playback.key, playback.samples) == ("5", heard)


async def test_behind_an_exchange_nobody_presses_before_the_extension() -> None:
    async with quick_pbx().originate(order(Behaviour.EXTENSION)) as leg:
        await answered(leg)
        assert await leg.wait_key("5", timedelta(seconds=1)) is None


async def test_a_pace_shortens_the_time_and_not_what_is_reported() -> None:
    async with quick_pbx().originate(order(Behaviour.NO_KEY)) as leg:
        await answered(leg)
        playback = await leg.play(CLIP)
    assert (playback.samples, playback.elapsed, playback.packets) == (8000, CLIP.length, 50)


def test_a_number_that_means_nothing_is_answered() -> None:
    hop = Hop(TRUNK, "desk-4021", number=None, caller_id=TRUNK.caller_ids[0])
    assert behaviour_of(hop) is Behaviour.DELIVERED
    assert behaviour_of(order("03").hop) is Behaviour.BUSY
