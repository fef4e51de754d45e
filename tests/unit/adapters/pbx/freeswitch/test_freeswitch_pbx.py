"""FreeSWITCH as a `Pbx`, against a scripted one: what is sent, and what is told of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.unit.adapters.pbx.freeswitch.peers import (
    a_clip,
    all_signals,
    an_order,
    connected,
    next_signal,
    until_connected,
)
from tests.wire.switch import Switch, split_words
from tests.wire.telephones import Channel
from voicegate.adapters.pbx.common.call_supervisor import CallSupervisor
from voicegate.application.ports import DtmfTiming, Leg, LegSignal, Order
from voicegate.domain.call import Answered, CodeSpan, Playback, Progressed, Rang, proves_sent
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.errors import LegEnded, PbxRefused, UnsafeValue
from voicegate.domain.routing import CallerId
from voicegate.lab.deadlines import within


@dataclass
class Line:
    """An answered call."""

    pbx: CallSupervisor
    switch: Switch
    order: Order
    leg: Leg
    signals: AsyncIterator[LegSignal]

    @property
    def channel(self) -> Channel:
        return self.switch.channels[self.order.call_id]


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    async with Switch().serving() as switch:
        yield switch


@asynccontextmanager
async def talking(switch: Switch, last_two: str = "02", **changes: object) -> AsyncIterator[Line]:
    order = an_order(last_two)
    async with connected(switch, **changes) as pbx, pbx.originate(order) as leg:
        signals = leg.signals()
        assert [await next_signal(signals), await next_signal(signals)] == [Rang(), Answered()]
        yield Line(pbx, switch, order, leg, signals)


async def told_of(switch: Switch, order: Order) -> list[LegSignal]:
    """What a call that nobody answers tells until its end."""
    async with connected(switch) as pbx, pbx.originate(order) as leg:
        return await all_signals(leg.signals())


async def test_an_originate_says_all_that_the_pbx_needs_and_no_code(switch: Switch) -> None:
    order = an_order("04", ring_timeout=timedelta(seconds=6.2))
    async with connected(switch, call_cap=timedelta(seconds=99)) as pbx, pbx.originate(order):
        (asked,) = switch.all_asked("bgapi")
    line, job = asked.split("\n")
    command, originate, dial, *rest = split_words(line)
    braces, _, target = dial[1:].partition("}")
    assert (command, originate, target) == ("bgapi", "originate", "sofia/gateway/carrier/+12025550104")
    assert dict(pair.split("=") for pair in braces.split(",")) == {
        "origination_uuid": order.call_id,
        "voicegate_call": order.call_id,
        "ignore_early_media": "true",
        "outbound_redirect_fatal": "true",
        "park_timeout": "99",
        "rtcp_audio_interval_msec": "5000",
        "rtp_digit_delay": "1",
        "playback_terminators": "none",
    }
    assert rest == ["&park()", "XML", "default", "Example", "+12025550100", "7"]
    assert job.startswith("Job-UUID: ")


@pytest.mark.parametrize("name", ["O'Brien & Co, Ltd", "Ünïcödé", "a  b", "", "100%0A"])
async def test_a_callers_name_arrives_as_it_is(switch: Switch, name: str) -> None:
    order = an_order("04", caller_id=CallerId("+12025550100", name))
    async with connected(switch) as pbx, pbx.originate(order):
        assert switch.channels[order.call_id].order.caller == (name, "+12025550100")


async def test_an_internal_extension_is_dialed_as_its_user(switch: Switch) -> None:
    async with connected(switch) as pbx, pbx.originate(an_order(endpoint="4104", number=None)):
        (asked,) = switch.all_asked("bgapi")
    assert "}user/4104 &park()" in asked
    # It may have several telephones, and no two channels have one id.
    assert "origination_uuid" not in asked


async def test_early_media_is_no_answer(switch: Switch) -> None:
    order = an_order("15", ring_timeout=timedelta(seconds=1))
    assert await told_of(switch, order) == [Progressed(), Hangup(cause=19, gave_up=GaveUp.RING_TIMEOUT)]


async def test_a_302_is_told_and_not_followed(switch: Switch) -> None:
    assert await told_of(switch, an_order("13")) == [
        Hangup(cause=44, sip_status=302, forwarded_to="+19005550123")
    ]
    assert switch.rung == ["+12025550113"]


async def test_a_gateway_that_is_down_fails_at_once(switch: Switch) -> None:
    order = an_order(endpoint="down", ring_timeout=timedelta(seconds=40))
    async with within(5):
        assert await told_of(switch, order) == [Hangup(is_unreachable=True)]


async def test_a_gateway_that_the_pbx_does_not_have_is_our_settings_fault(switch: Switch) -> None:
    order = an_order(endpoint="unheard-of", ring_timeout=timedelta(seconds=40))
    with capture_logs() as logs:
        async with within(5):
            assert await told_of(switch, order) == [Hangup(gave_up=GaveUp.PBX_UNAVAILABLE)]
    (told,) = [entry for entry in logs if entry["event"] == "trunk unknown to PBX"]
    assert (told["setting"], told["endpoint"]) == (f"trunks.{order.hop.trunk.name}.endpoint", "unheard-of")


async def test_nobody_at_the_gateways_address_is_unreachable(switch: Switch) -> None:
    (hangup,) = await told_of(switch, an_order("16"))
    assert isinstance(hangup, Hangup)
    assert hangup.is_unreachable


async def test_a_password_that_is_refused_is_told_by_the_far_ends_status(switch: Switch) -> None:
    assert await told_of(switch, an_order("19")) == [Hangup(cause=31, sip_status=401)]


async def test_silence_until_the_ring_timeout_has_no_sign_of_ringing(switch: Switch) -> None:
    order = an_order("14", ring_timeout=timedelta(seconds=1))
    assert await told_of(switch, order) == [Hangup(cause=19, gave_up=GaveUp.RING_TIMEOUT)]


async def test_an_answer_without_a_codec_in_common_is_one_though_no_event_says_so(switch: Switch) -> None:
    assert await told_of(switch, an_order("18")) == [Answered(), Hangup(cause=88)]


async def test_trunk_states_are_in_our_words(switch: Switch) -> None:
    switch.gateways["odd"] = "WEIRD"
    async with connected(switch) as pbx:
        assert await pbx.trunk_states() == {
            "carrier": "available",
            "down": "unreachable",
            "odd": "unknown",
        }


async def test_a_sound_is_played_and_its_packets_are_counted(switch: Switch, tmp_path: Path) -> None:
    clip = a_clip(tmp_path)
    async with talking(switch) as line:
        playback = await line.leg.play(clip, "*")
        media = await line.leg.media()
    assert proves_sent(playback, CodeSpan(clip.samples, clip.length))
    assert (playback.samples, playback.key, playback.hung_up) == (clip.samples, None, False)
    assert media.sent
    assert media.is_seen


async def test_a_telephone_that_sends_no_audio_reports_back_by_rtcp(switch: Switch) -> None:
    async with talking(switch) as line:
        assert not (await line.leg.media()).reports_back
        switch.event("RECV_RTCP_MESSAGE", {"Unique-ID": line.order.call_id})
        await line.pbx.trunk_states()
        assert (await line.leg.media()).reports_back
        await line.leg.hang_up()
        assert await next_signal(line.signals) == Hangup(cause=16)
        assert (await line.leg.media()).reports_back


@pytest.mark.parametrize("sends_events", [True, False])
async def test_keys_are_listened_for_in_the_audio_only_where_they_cannot_come_as_events(
    switch: Switch, tmp_path: Path, *, sends_events: bool
) -> None:
    async with talking(switch) as line:
        if not sends_events:
            del line.channel.variables["rtp_2833_recv_payload"]
        for _ in range(2):
            await line.leg.play(a_clip(tmp_path))
        assert line.channel.in_band is not sends_events
    assert sum("start_dtmf" in asked for asked in switch.asked) == (not sends_events)


@pytest.mark.parametrize(
    ("agreed", "rate", "warns"), [("103", "48000", True), ("101", "48000", False), ("96", "8000", False)]
)
async def test_keys_that_likely_go_unheard_are_told_once_a_call(
    switch: Switch, tmp_path: Path, agreed: str, rate: str, *, warns: bool
) -> None:
    with capture_logs() as logs:
        async with talking(switch) as line:
            line.channel.variables |= {"rtp_2833_send_payload": agreed, "rtp_use_codec_rate": rate}
            for _ in range(2):
                await line.leg.play(a_clip(tmp_path))
    told = [entry["event"] for entry in logs if entry["log_level"] == "warning"]
    assert sum("keys may go unheard" in event for event in told) == warns


async def test_samples_are_counted_at_the_files_own_rate(switch: Switch, tmp_path: Path) -> None:
    clip = a_clip(tmp_path)
    async with talking(switch) as line:
        # As on a G.722 leg: the channel runs at twice the file's rate, and counts so.
        line.channel.rate = 16_000
        assert (await line.leg.play(clip)).samples == clip.samples


async def test_a_key_breaks_a_sound_off_and_another_does_not(switch: Switch, tmp_path: Path) -> None:
    clip = a_clip(tmp_path)
    async with talking(switch) as line, asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(line.leg.play(clip, "7"))
        await switch.until_asked("sendmsg")
        line.channel.key("*")
        line.channel.key("7")
        playback = await playing
    assert playback.key == "7"
    assert playback.samples < clip.samples


async def test_the_star_does_not_break_off_what_no_key_is_asked_for(switch: Switch, tmp_path: Path) -> None:
    clip = a_clip(tmp_path)
    async with talking(switch) as line, asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(line.leg.play(clip))
        await switch.until_asked("sendmsg")
        line.channel.key("*")
        playback = await playing
    assert (playback.key, playback.samples) == (None, clip.samples)


async def test_a_missing_file_was_not_played_though_one_before_it_was(switch: Switch, tmp_path: Path) -> None:
    clip = a_clip(tmp_path)
    async with talking(switch) as line:
        await line.leg.play(clip)
        playback = await line.leg.play(replace(clip, path=str(tmp_path / "missing")))
    assert replace(playback, elapsed=timedelta()) == Playback(0, timedelta(), packets=0)


async def test_a_hangup_in_mid_file_is_told_with_what_was_sent(switch: Switch, tmp_path: Path) -> None:
    clip = a_clip(tmp_path)
    async with talking(switch, "05") as line:
        playback = await line.leg.play(clip)
        assert playback.hung_up
        assert 0 < playback.samples < clip.samples
        assert await next_signal(line.signals) == Hangup(cause=16)


async def test_a_hold_within_a_sound_is_told(switch: Switch, tmp_path: Path) -> None:
    async with talking(switch, "17") as line:
        playback = await line.leg.play(a_clip(tmp_path))
    assert playback.held
    assert not proves_sent(playback, CodeSpan(1, timedelta(milliseconds=1)))


async def test_digits_are_sent_one_by_one_with_their_pauses(switch: Switch) -> None:
    timing = DtmfTiming(timedelta(milliseconds=60), timedelta(milliseconds=40))
    async with talking(switch) as line:
        started = asyncio.get_running_loop().time()
        await line.leg.send_digits("w12#", timing)
        took = asyncio.get_running_loop().time() - started
        assert line.channel.digits == "12#"
    sent = [command.split(" ")[-1] for command in switch.all_asked("api uuid_send_dtmf")]
    assert sent == ["1@60", "2@60", "#@60"]
    assert took >= 0.8


@pytest.mark.parametrize("digits", ["", "1,2", "12p3", "1 2", "x"])
async def test_digits_that_the_pbx_would_drop_or_misread_are_refused(switch: Switch, digits: str) -> None:
    async with talking(switch) as line:
        with pytest.raises(UnsafeValue):
            await line.leg.send_digits(digits, DtmfTiming())
    assert not switch.all_asked("api uuid_send_dtmf")


async def test_another_key_does_not_end_the_wait_for_one(switch: Switch) -> None:
    async with talking(switch) as line, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(line.leg.wait_key("7", timedelta(seconds=9)))
        await asyncio.sleep(0)
        line.channel.key("1")
        line.channel.key("7")
        assert await waiting == "7"


async def test_a_key_pressed_between_a_sound_and_the_wait_is_not_lost(switch: Switch, tmp_path: Path) -> None:
    async with talking(switch) as line:
        await line.leg.play(a_clip(tmp_path), "7")
        line.channel.key("7")
        await line.pbx.trunk_states()
        assert await line.leg.wait_key("7", timedelta(seconds=1)) == "7"


async def test_a_path_that_the_pbx_would_misread_is_refused(switch: Switch, tmp_path: Path) -> None:
    clip = a_clip(tmp_path)
    async with talking(switch) as line:
        for path in ("/x/${system(reboot)}", "/x/a b", "/x/a!b", "/x/a@@8000", "/x/a:b", "/x/a\n\napi x"):
            with pytest.raises(UnsafeValue):
                await line.leg.play(replace(clip, path=path))
    assert not switch.all_asked("sendmsg")


async def test_a_refused_originate_places_no_call(switch: Switch) -> None:
    switch.answers["originate"] = lambda switch, argument: "-ERR command not found"
    async with connected(switch) as pbx:
        with pytest.raises(PbxRefused, match="not found"):
            async with pbx.originate(an_order()):
                pytest.fail("placed")


async def test_a_call_id_is_placed_once_only(switch: Switch) -> None:
    order = an_order("03")
    assert isinstance((await told_of(switch, order))[-1], Hangup)
    async with connected(switch) as pbx:
        async with pbx.originate(order) as leg:
            assert isinstance(await next_signal(leg.signals()), Rang)
        with pytest.raises(PbxRefused):
            async with pbx.originate(order):
                pytest.fail("placed")
    assert len(switch.all_asked("bgapi")) == 2


async def test_a_call_id_that_our_events_are_not_filtered_by_is_refused(switch: Switch) -> None:
    async with connected(switch) as pbx:
        with pytest.raises(UnsafeValue):
            async with pbx.originate(replace(an_order(), call_id="other_1")):
                pytest.fail("placed")


async def test_no_calls_are_placed_before_the_pbx_has_sip(switch: Switch) -> None:
    answers = iter(["false", "false"])
    switch.answers["module_exists"] = lambda switch, argument: next(answers, "true")
    async with connected(switch):
        assert len(switch.all_asked("api module_exists")) == 3


async def test_an_orphan_is_hung_up_by_its_id_and_a_stray_once_the_pbx_is_there(switch: Switch) -> None:
    async with connected(switch) as pbx:
        await pbx.hang_up("call_orphan")
        assert switch.asked[-2:] == [
            "api uuid_kill call_orphan",
            "api hupall NORMAL_CLEARING voicegate_call call_orphan",
        ]
        switch.cut()
        await pbx.hang_up("call_later")
        await switch.until_asked("api uuid_kill call_later")
        await until_connected(pbx)


async def test_a_hangup_asked_for_before_the_channel_exists_is_repeated_when_it_does(switch: Switch) -> None:
    switch.answers["uuid_kill"] = lambda switch, argument: "-ERR No such channel!\n"
    switch.answers["originate"] = lambda switch, argument: "+OK Job-UUID: x\nJob-UUID: x"
    async with connected(switch) as pbx:
        order = an_order("04")
        async with pbx.originate(order) as leg:
            await leg.hang_up()
            await switch.until_asked("api uuid_kill")
            del switch.answers["uuid_kill"]
            switch.event("CHANNEL_CREATE", {"Unique-ID": order.call_id})
            await switch.until_asked("api uuid_kill", times=2)


async def test_nothing_that_is_sent_or_told_names_more_than_an_opaque_file(
    switch: Switch, tmp_path: Path
) -> None:
    clip = a_clip(tmp_path, name="a1b2c3")
    async with talking(switch, "01") as line:
        await line.leg.play(clip, "7")
        await line.leg.play(clip, "*")
    spoken = [word for text in (*switch.asked, *switch.told) for word in text.split() if "a1b2c3" in word]
    assert {word.removeprefix("execute-app-arg:") for word in spoken} == {f"{clip.path}.wav"}


async def test_waiting_for_anything_ends_with_the_call(switch: Switch, tmp_path: Path) -> None:
    async with talking(switch) as line:
        waiting = asyncio.create_task(line.leg.wait_key("1", timedelta(minutes=1)))
        await line.leg.hang_up()
        with pytest.raises(LegEnded):
            await waiting
        with pytest.raises(LegEnded):
            await line.leg.send_digits("1", DtmfTiming())
        assert (await line.leg.play(a_clip(tmp_path))).hung_up
