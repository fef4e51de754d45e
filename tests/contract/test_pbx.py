"""What every `Pbx` promises, on every exchange in `benches`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.contract.benches import PBX_BENCHES, PbxBench, Telephone
from voicegate.application.ports import DtmfTiming, Leg, LegSignal, Order
from voicegate.domain.call import Answered, CodeSpan, Progressed, Rang, proves_sent
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.errors import LegEnded, UnsafeValue
from voicegate.domain.routing import Hop
from voicegate.lab.deadlines import within

LONG = timedelta(minutes=2)
ANSWERING = [Telephone.PRESSES_KEY, Telephone.NEVER_PRESSES, Telephone.HANGS_UP_MIDWAY, Telephone.OFFICE]


@dataclass
class Line:
    """A call in progress, and what it told so far."""

    leg: Leg
    call_id: str
    told: list[LegSignal] = field(default_factory=list)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    rang: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        """Until the signals end by themselves."""
        async for signal in self.leg.signals():
            self.told.append(signal)
            if isinstance(signal, Rang):
                self.rang.set()
            if isinstance(signal, Answered):
                self.answered.set()
        self.ended.set()

    @property
    def hangup(self) -> Hangup:
        assert isinstance(self.told[-1], Hangup)
        return self.told[-1]

    @property
    def kinds(self) -> list[type[LegSignal]]:
        """What was told, without early media, which some networks send."""
        return [type(signal) for signal in self.told if not isinstance(signal, Progressed)]


@pytest.fixture(params=PBX_BENCHES)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[PbxBench]:
    async with PBX_BENCHES[request.param](request) as bench:
        yield bench


@asynccontextmanager
async def calling(bench: PbxBench, whom: Telephone | Hop) -> AsyncIterator[Line]:
    """A call; its signals are listened to until they end, which is after the context is left."""
    hop = bench.number_for(whom) if isinstance(whom, Telephone) else whom
    call_id = f"call_{uuid4().hex[:20]}"
    order = Order(call_id, hop, bench.apology)
    async with within(120), asyncio.TaskGroup() as tasks, bench.pbx.originate(order) as leg:
        line = Line(leg, call_id)
        tasks.create_task(line.listen())
        yield line


@asynccontextmanager
async def talking(bench: PbxBench, whom: Telephone) -> AsyncIterator[Line]:
    """A call that was answered."""
    async with calling(bench, whom) as line:
        await line.answered.wait()
        yield line


async def ask_for_key(bench: PbxBench, leg: Leg) -> str | None:
    playback = await leg.play(bench.invitation, bench.key)
    return playback.key or await leg.wait_key(bench.key, timedelta(seconds=8))


def code_of(bench: PbxBench) -> CodeSpan:
    clip = bench.reading
    return CodeSpan(clip.code_end, clip.length * (clip.code_end / clip.samples))


async def test_a_pbx_of_the_bench_is_connected(bench: PbxBench) -> None:
    assert bench.pbx.is_connected


async def test_a_ping_says_how_long_the_answer_took(bench: PbxBench) -> None:
    took = await bench.pbx.ping()
    assert took is not None
    assert timedelta() <= took < timedelta(seconds=5)


async def test_trunk_states_are_in_the_ports_words(bench: PbxBench) -> None:
    states = await bench.pbx.trunk_states()
    assert states
    assert set(states.values()) <= {"available", "in_use", "unreachable", "unknown"}


@pytest.mark.parametrize("telephone", ANSWERING)
async def test_an_answered_call_rings_then_answers_then_hangs_up(
    bench: PbxBench, telephone: Telephone
) -> None:
    async with talking(bench, telephone) as line:
        await line.leg.hang_up()
        await line.ended.wait()
    assert line.kinds == [Rang, Answered, Hangup]
    assert line.hangup.gave_up is None


async def test_a_busy_telephone_is_told_by_status_and_cause(bench: PbxBench) -> None:
    async with calling(bench, Telephone.BUSY) as line:
        await line.ended.wait()
    assert (line.hangup.sip_status, line.hangup.cause) == (486, 17)
    assert Answered not in line.kinds


async def test_a_number_not_in_service_is_told_by_status_and_cause(bench: PbxBench) -> None:
    async with calling(bench, Telephone.NOT_IN_SERVICE) as line:
        await line.ended.wait()
    assert (line.hangup.sip_status, line.hangup.cause) == (404, 1)
    assert line.kinds == [Hangup]


async def test_a_telephone_nobody_answers_rings_until_the_ring_timeout(bench: PbxBench) -> None:
    hop = bench.number_for(Telephone.RINGS_FOR_EVER)
    hop = replace(hop, trunk=replace(hop.trunk, ring_timeout=timedelta(seconds=4)))
    async with calling(bench, hop) as line:
        await line.ended.wait()
    assert line.kinds == [Rang, Hangup]
    assert line.hangup.gave_up is GaveUp.RING_TIMEOUT


async def test_a_ringing_call_can_be_hung_up(bench: PbxBench) -> None:
    async with calling(bench, Telephone.RINGS_FOR_EVER) as line:
        await line.rang.wait()
        await line.leg.hang_up()
        await line.ended.wait()
    assert line.kinds == [Rang, Hangup]
    assert line.hangup.gave_up is None


async def test_a_call_can_be_hung_up_before_it_rings(bench: PbxBench) -> None:
    async with calling(bench, Telephone.RINGS_FOR_EVER) as line:
        await line.leg.hang_up()
        await line.ended.wait()
    assert Answered not in line.kinds


async def test_leaving_the_context_hangs_up_a_ringing_call(bench: PbxBench) -> None:
    async with calling(bench, Telephone.RINGS_FOR_EVER) as line:
        await line.rang.wait()
    assert line.kinds == [Rang, Hangup]


async def test_leaving_the_context_hangs_up_an_answered_call(bench: PbxBench) -> None:
    async with talking(bench, Telephone.NEVER_PRESSES) as line:
        pass
    assert line.kinds == [Rang, Answered, Hangup]


async def test_a_failure_inside_the_context_passes_through_and_hangs_up(bench: PbxBench) -> None:
    order = Order(f"call_{uuid4().hex}", bench.number_for(Telephone.NEVER_PRESSES), bench.apology)
    with pytest.raises(ZeroDivisionError):
        async with bench.pbx.originate(order) as leg:
            raise ZeroDivisionError
    line = Line(leg, order.call_id)
    async with within(30):
        await line.listen()
    assert line.kinds[-1] is Hangup


async def test_cancelling_the_one_who_calls_hangs_up(bench: PbxBench) -> None:
    lines: list[Line] = []

    async def call() -> None:
        async with calling(bench, Telephone.RINGS_FOR_EVER) as line:
            lines.append(line)
            await line.rang.wait()
            caller.cancel()
            await asyncio.Event().wait()

    caller = asyncio.create_task(call())
    with pytest.raises(asyncio.CancelledError):
        await caller
    # A cancelled listener hears no more; the leg itself must know.
    with pytest.raises(LegEnded):
        await lines[0].leg.wait_key("1", timedelta(seconds=5))


async def test_hanging_up_twice_and_after_the_end_does_nothing(bench: PbxBench) -> None:
    async with talking(bench, Telephone.NEVER_PRESSES) as line:
        await line.leg.hang_up()
        await line.leg.hang_up()
        await line.ended.wait()
        await line.leg.hang_up()
    await line.leg.hang_up()
    assert line.kinds.count(Hangup) == 1


async def test_a_call_is_hung_up_by_its_id(bench: PbxBench) -> None:
    async with talking(bench, Telephone.NEVER_PRESSES) as line:
        await bench.pbx.hang_up(line.call_id)
        await line.ended.wait()
    assert line.kinds[-1] is Hangup


async def test_hanging_up_a_call_the_pbx_does_not_have_does_nothing(bench: PbxBench) -> None:
    await bench.pbx.hang_up(f"call_{uuid4().hex}")


async def test_a_person_presses_the_key_that_is_asked_for(bench: PbxBench) -> None:
    async with talking(bench, Telephone.PRESSES_KEY) as line:
        assert await ask_for_key(bench, line.leg) == bench.key


async def test_a_machine_never_presses_a_key(bench: PbxBench) -> None:
    async with talking(bench, Telephone.NEVER_PRESSES) as line:
        playback = await line.leg.play(bench.invitation, bench.key)
        assert playback.key is None
        assert await line.leg.wait_key(bench.key, timedelta(seconds=1)) is None


async def test_a_sound_nobody_cut_short_was_played_to_its_last_sample(bench: PbxBench) -> None:
    async with talking(bench, Telephone.NEVER_PRESSES) as line:
        playback = await line.leg.play(bench.reading, "*")
    assert proves_sent(playback, CodeSpan(bench.reading.samples, bench.reading.length))
    assert proves_sent(playback, code_of(bench))
    assert (playback.key, playback.hung_up, playback.held) == (None, False, False)


async def test_an_office_takes_the_extension_and_puts_through(bench: PbxBench) -> None:
    async with talking(bench, Telephone.OFFICE) as line:
        await line.leg.send_digits("w4321", DtmfTiming())
        # It may ring inside for some seconds: ask as often as it takes.
        async with within(60):
            while await ask_for_key(bench, line.leg) is None:
                pass


async def test_a_person_who_hangs_up_midway_leaves_a_playback_cut_short(bench: PbxBench) -> None:
    async with talking(bench, Telephone.HANGS_UP_MIDWAY) as line:
        assert await ask_for_key(bench, line.leg) == bench.key
        playback = await line.leg.play(bench.reading)
        await line.ended.wait()
    assert playback.hung_up
    assert not proves_sent(playback, code_of(bench))
    assert line.hangup.gave_up is None


async def test_packets_come_back_from_a_person(bench: PbxBench) -> None:
    async with talking(bench, Telephone.NEVER_PRESSES) as line:
        await line.leg.play(bench.reading)
        media = await line.leg.media()
    assert media.is_seen
    assert media.sent


async def test_packets_can_be_asked_for_after_the_end(bench: PbxBench) -> None:
    async with talking(bench, Telephone.NEVER_PRESSES) as line:
        await line.leg.play(bench.invitation)
        await line.leg.hang_up()
        await line.ended.wait()
        await line.leg.media()


async def test_a_calls_line_is_told_at_its_end(bench: PbxBench) -> None:
    async with talking(bench, Telephone.NEVER_PRESSES) as line:
        await line.leg.play(bench.reading)
        await line.leg.hang_up()
        await line.ended.wait()
        quality, media = line.leg.quality, await line.leg.media()
    assert quality.sip_call_id
    assert quality.codec is not None
    assert quality.codec.lower() in ("ulaw", "pcmu")
    assert quality.packets_sent
    if not media.reports_back:
        return  # the scripted one sends no RTCP
    assert quality.lost_sent is not None
    assert quality.lost_sent < quality.packets_sent / 10
    assert quality.round_trip is None or quality.round_trip < timedelta(seconds=5)
    assert quality.jitter_sent is not None
    assert quality.jitter_sent < timedelta(seconds=1)
    assert quality.mos is not None
    assert quality.mos > 1


async def test_a_call_that_rang_in_vain_tells_its_sip_call_id(bench: PbxBench) -> None:
    async with calling(bench, Telephone.RINGS_FOR_EVER) as line:
        await line.rang.wait()
        await line.leg.hang_up()
        await line.ended.wait()
    assert line.leg.quality.sip_call_id
    assert line.leg.quality.mos is None


async def test_waiting_for_a_key_ends_with_the_call(bench: PbxBench) -> None:
    async with talking(bench, Telephone.NEVER_PRESSES) as line:
        waiting = asyncio.create_task(line.leg.wait_key("1", LONG))
        await line.leg.hang_up()
        with pytest.raises(LegEnded):
            await waiting


async def test_sending_digits_ends_with_the_call(bench: PbxBench) -> None:
    async with talking(bench, Telephone.NEVER_PRESSES) as line:
        sending = asyncio.create_task(line.leg.send_digits("W" * 32, DtmfTiming()))
        await line.leg.hang_up()
        with pytest.raises(LegEnded):
            await sending


async def test_a_playback_ends_with_the_call_and_says_so(bench: PbxBench) -> None:
    async with talking(bench, Telephone.NEVER_PRESSES) as line:
        playing = asyncio.create_task(line.leg.play(bench.reading))
        await line.leg.hang_up()
        playback = await playing
    assert playback.hung_up
    assert not proves_sent(playback, code_of(bench))


async def test_nothing_can_be_done_with_a_call_that_has_ended(bench: PbxBench) -> None:
    async with talking(bench, Telephone.NEVER_PRESSES) as line:
        await line.leg.hang_up()
        await line.ended.wait()
        with pytest.raises(LegEnded):
            await line.leg.send_digits("1", DtmfTiming())
        with pytest.raises(LegEnded):
            await line.leg.wait_key("1", LONG)
        playback = await line.leg.play(bench.invitation)
    assert playback.hung_up
    assert not playback.samples


@pytest.mark.parametrize("poison", ["\r\nAction: Originate", "\n", "\0"])
async def test_a_value_that_would_inject_a_command_is_refused(bench: PbxBench, poison: str) -> None:
    hop = bench.number_for(Telephone.PRESSES_KEY)
    for order in (
        Order(f"call_1{poison}", hop, bench.apology),
        Order(f"call_{uuid4().hex}", replace(hop, number=f"{hop.number}{poison}"), bench.apology),
        Order(f"call_{uuid4().hex}", replace(hop, endpoint=f"carrier{poison}"), bench.apology),
    ):
        with pytest.raises(UnsafeValue):
            async with bench.pbx.originate(order):
                pytest.fail("a call was placed")
