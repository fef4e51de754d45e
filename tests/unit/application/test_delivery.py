"""Delivery: what a call comes to, whatever the far end, the PBX or the backend does meanwhile."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.application.conftest import ADMIN, TESTER, Bench
from tests.unit.application.scripted import INVITATION, READING, ScriptedLeg, full
from voicegate.application import delivery
from voicegate.application.conversation import CallTimings
from voicegate.application.ports import CallRecord, Clip
from voicegate.domain.announcement import Digit, HumanCheck
from voicegate.domain.call import Answered, Media, Playback, Progressed, Rang
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.errors import PbxRefused, PbxUnavailable, SpeechError, StoreError
from voicegate.domain.passcode import Passcode


async def outcome_of(bench: Bench, **request: object) -> tuple[str, str, str]:
    """(outcome, strongest evidence, the challenge's state) of one request."""
    record = await bench.settled(await bench.issue(**request))  # type: ignore[arg-type]
    last = record.calls[-1]
    assert last.outcome is not None
    return last.outcome.outcome, last.call.evidence.strongest.name.lower(), record.challenge.state


def plot(*signals: object) -> object:
    async def tell(leg: ScriptedLeg) -> None:
        leg.tell(*signals)  # type: ignore[arg-type]

    return tell


async def test_a_code_spoken_twice_to_a_person_is_delivered(bench: Bench) -> None:
    record = await bench.settled(await bench.issue(extension="w43"))
    (call,) = record.calls
    assert [(step.state, step.event) for step in call.timeline] == [
        ("originating", "originated"),
        ("ringing", "rang"),
        ("answered", "answered"),
        ("sending_extension", "extension_started"),
        ("sending_extension", "extension_sent"),
        ("awaiting_human", "invited"),
        ("awaiting_human", "key_pressed"),
        ("announcing", "reading_started"),
        ("announcing", "reading_ended"),
        ("announcing", "reading_started"),
        ("announcing", "reading_ended"),
        ("announcing", "media_counted"),
        ("ended", "ended"),
    ]
    assert call.call.evidence.announced == 2
    assert record.challenge.state == "delivered"
    (leg,) = bench.pbx.legs
    assert leg.done[:2] == ["send w43", "play invitation"]
    assert leg.done[-2:] == ["hang up", "hang up"]
    assert leg.order.call_id == call.call.id


async def test_what_is_mixed_is_the_code_and_is_gone_with_the_call(bench: Bench) -> None:
    challenge_id = await bench.issue()
    await bench.settled(challenge_id)
    ((invitation, reading),) = bench.speech.said
    spoken = "".join(part.value for part in reading if isinstance(part, Digit) and part.is_code)
    assert spoken == bench.code(challenge_id)
    assert not any(isinstance(part, Digit) and part.is_code for part in invitation)
    assert bench.speech.mixed == 0


@pytest.mark.parametrize(
    ("signals", "outcome", "evidence"),
    [
        ((Rang(), Hangup(17, 486)), "busy", "none"),
        ((Hangup(1, 404),), "invalid_number", "none"),
        ((Hangup(34, 503),), "trunk_failed", "none"),
        ((Hangup(23, 302),), "forwarded", "none"),
        ((Hangup(is_unreachable=True),), "trunk_unreachable", "none"),
        ((Progressed(), Hangup(19, gave_up=GaveUp.RING_TIMEOUT)), "no_answer", "none"),
        (
            (Rang(), Answered(), Hangup(gave_up=GaveUp.CONTROLLER_UNREACHABLE)),
            "controller_unreachable",
            "media",
        ),
        ((Rang(), Hangup(gave_up=GaveUp.PBX_LOST)), "pbx_lost", "none"),
    ],
)
async def test_a_call_that_fails_says_why(
    bench: Bench, signals: tuple[object, ...], outcome: str, evidence: str
) -> None:
    bench.pbx.plots = [plot(*signals)]  # type: ignore[list-item]
    assert await outcome_of(bench) == (outcome, evidence, "undeliverable")


@pytest.mark.parametrize("error", [PbxUnavailable(), PbxRefused()])
async def test_a_pbx_that_takes_no_call_is_not_asked_twice(bench: Bench, error: PbxRefused) -> None:
    bench.pbx.plots = [error]
    assert await outcome_of(bench) == ("pbx_unavailable", "none", "undeliverable")
    assert len(bench.pbx.legs) == 1


@pytest.mark.parametrize(
    ("heard", "outcome"),
    [
        (full(READING, samples=11999, hung_up=True), "hung_up"),
        (full(READING, samples=12000, hung_up=True), "delivered"),
        (full(READING, packets=0), "playback_failed"),
        (full(READING, held=True), "playback_failed"),
        (full(READING, elapsed=timedelta(milliseconds=3), hung_up=True), "hung_up"),
        (Playback(0, timedelta(), 0), "playback_failed"),
    ],
)
async def test_only_digits_sent_to_their_last_sample_are_delivered(
    bench: Bench, heard: Playback, outcome: str
) -> None:
    async def plays(leg: ScriptedLeg) -> None:
        def play(clip: Clip, keys: str) -> Playback:
            if clip is not READING:
                return full(clip, key=keys if clip is INVITATION else None)
            if heard.hung_up:
                leg.tell(Hangup(cause=16))
            return heard

        leg.on_play = play
        leg.tell(Answered())

    bench.pbx.plots = [plays]
    assert (await outcome_of(bench))[0] == outcome


@pytest.mark.parametrize(("cap_ms", "readings"), [(90, 0), (190, 1), (5000, 2)])
async def test_no_reading_begins_that_could_not_end_in_time(
    bench: Bench, timings: CallTimings, cap_ms: int, readings: int
) -> None:
    """And the time counts from the key, however long the person took to come."""
    bench.speech.reading = brief = Clip("brief", 800, timedelta(milliseconds=100), 600)

    class Slow(ScriptedLeg):
        async def play(self, clip: Clip, keys: str = "") -> Playback:
            await asyncio.sleep(
                0.2 if clip is INVITATION else clip.length.total_seconds() if clip is brief else 0
            )
            return await super().play(clip, keys)

    async def slow(leg: ScriptedLeg) -> None:
        leg.__class__ = Slow
        leg.tell(Answered())

    bench.pbx.plots = [slow]
    slow_bench = bench.rebuilt(timings=replace(timings, time_cap=timedelta(milliseconds=cap_ms)))
    async with slow_bench.delivery:
        record = await slow_bench.settled(await slow_bench.issue())
    assert record.calls[0].call.evidence.announced == readings


@pytest.mark.parametrize(
    ("invited", "read", "outcome"),
    [
        (20, 20, "delivered"),
        (60, 60, "delivered"),
        (30, 30, "delivered"),
        (20, 40, "playback_failed"),
        (30, 60, "playback_failed"),
        (40, 20, "delivered"),
    ],
)
async def test_a_calls_own_packets_prove_a_reading_and_half_of_them_never_do(
    bench: Bench, invited: int, read: int, outcome: str
) -> None:
    """The lengths in milliseconds that the packets of each sound seem to have."""
    lengths = {INVITATION: invited, READING: read}

    async def plays(leg: ScriptedLeg) -> None:
        def play(clip: Clip, keys: str) -> Playback:
            packets = int(clip.length / timedelta(milliseconds=lengths.get(clip, read)))
            return full(clip, key=keys if clip is INVITATION else None, packets=packets)

        leg.on_play = play
        leg.tell(Answered())

    bench.pbx.plots = [plays]
    assert (await outcome_of(bench))[0] == outcome


@pytest.mark.parametrize(
    ("packets", "held", "check", "expected"),
    [
        (0, False, "random_key", ("no_media", "trunk")),
        (None, False, "random_key", ("no_media", "trunk")),
        (0, True, "none", ("no_media", "callee")),
        (0, False, "none", ("no_media", "trunk")),
    ],
)
async def test_what_never_went_out_is_not_the_fault_of_who_did_not_hear_it(
    bench: Bench, packets: int | None, held: bool, check: str, expected: tuple[str, str]
) -> None:
    async def deaf(leg: ScriptedLeg) -> None:
        def play(clip: Clip, keys: str) -> Playback:
            if check != "none":
                leg.tell(Hangup(cause=16))
            return full(clip, packets=packets, held=held)

        leg.counted = Media(received=300, sent=packets)
        leg.on_play = play
        leg.tell(Answered())

    bench.pbx.plots = [deaf]
    record = await bench.settled(await bench.issue(human_check=HumanCheck(check)))
    assert record.calls[0].outcome is not None
    assert (record.calls[0].outcome.outcome, record.calls[0].outcome.blame) == expected


async def test_a_missing_invitation_ends_the_call_and_is_our_fault(bench: Bench) -> None:
    async def broken(leg: ScriptedLeg) -> None:
        leg.on_play = lambda clip, keys: Playback(0, timedelta(), 0)
        leg.tell(Answered())

    bench.pbx.plots = [broken]
    assert await outcome_of(bench) == ("playback_failed", "media", "undeliverable")


@pytest.mark.parametrize(
    ("signals", "done"),
    [((Rang(),), ["hang up"]), ((Rang(), Answered()), ["apologise en/apology", "hang up"])],
)
async def test_a_planned_stop_cuts_nobody_off_without_an_apology(
    bench: Bench, signals: tuple[object, ...], done: list[str]
) -> None:
    async def waits(leg: ScriptedLeg) -> None:
        leg.on_play = lambda clip, keys: None
        leg.tell(*signals)  # type: ignore[arg-type]

    bench.pbx.plots = [waits]
    short_lived = bench.rebuilt()
    async with short_lived.delivery:
        challenge_id = await short_lived.issue()
        record, seen = None, 0
        while seen < len(signals) + 1:
            record = await bench.challenges.look(ADMIN, challenge_id, since=seen, wait=timedelta(seconds=1))
            assert record is not None
            seen = len(record.calls[0].timeline)
    record = await bench.settled(challenge_id)
    assert record.calls[0].outcome is not None
    assert record.calls[0].outcome.outcome == "interrupted"
    told = [step for step in bench.pbx.legs[0].done if not step.startswith("play")]
    assert told[: len(done)] == done


async def test_sounds_that_cannot_be_made_hang_up_the_ringing_phone(bench: Bench) -> None:
    bench.speech.error = SpeechError("no space left")
    assert await outcome_of(bench) == ("playback_failed", "none", "undeliverable")
    assert bench.pbx.legs[0].done == ["hang up"]


async def test_a_star_brings_another_reading(bench: Bench) -> None:
    stars = iter("**")

    async def wants_more(leg: ScriptedLeg) -> None:
        leg.on_wait = lambda keys: next(stars, None) if keys == "*" else None
        leg.tell(Answered())

    bench.pbx.plots = [wants_more]
    await outcome_of(bench)
    assert bench.pbx.legs[0].done.count("play reading") == 4


async def test_stars_without_end_come_to_an_end(bench: Bench) -> None:
    async def wants_more(leg: ScriptedLeg) -> None:
        leg.on_wait = lambda keys: "*" if keys == "*" else None
        leg.tell(Answered())

    bench.pbx.plots = [wants_more]
    await outcome_of(bench)
    assert bench.pbx.legs[0].done.count("play reading") == 6


async def test_without_a_human_check_the_code_follows_the_greeting(bench: Bench) -> None:
    assert await outcome_of(bench, human_check=HumanCheck.NONE) == ("delivered", "announced", "delivered")
    assert bench.pbx.legs[0].done[:3] == ["play invitation", "play reading", "play reading"]


async def test_without_a_human_check_and_without_media_nothing_was_delivered(bench: Bench) -> None:
    async def mute(leg: ScriptedLeg) -> None:
        leg.counted = Media(received=0, sent=500)
        leg.tell(Answered())

    bench.pbx.plots = [mute]
    assert (await outcome_of(bench, human_check=HumanCheck.NONE))[0] == "no_media"


async def test_canceling_hangs_up_a_ringing_phone(bench: Bench) -> None:
    bench.pbx.plots = [plot(Rang())]  # type: ignore[list-item]
    challenge_id = await bench.issue()
    record = await bench.challenges.look(TESTER, challenge_id, since=1, wait=timedelta(seconds=5))
    while record and record.calls[0].call.state != "ringing":
        record = await bench.challenges.look(
            TESTER, challenge_id, since=record.revision, wait=timedelta(seconds=5)
        )
    await bench.sign_in.cancel(TESTER, challenge_id)
    record = await bench.settled(challenge_id)
    assert (record.challenge.state, record.calls[0].outcome.outcome) == ("canceled", "canceled")  # type: ignore[union-attr]


async def test_a_challenge_canceled_before_its_call_began_rings_nobody(bench: Bench) -> None:
    challenge_id = await bench.issue()
    await bench.sign_in.cancel(TESTER, challenge_id)
    record = await bench.settled(challenge_id)
    assert record.calls[0].outcome.outcome == "canceled"  # type: ignore[union-attr]


async def test_a_code_entered_before_answer_ends_the_call_politely(bench: Bench) -> None:
    picked_up = asyncio.Event()

    async def slow(leg: ScriptedLeg) -> None:
        leg.tell(Rang())
        asyncio.get_running_loop().call_later(0, picked_up.set)

    bench.pbx.plots = [slow]
    challenge_id = await bench.issue()
    await picked_up.wait()
    await bench.sign_in.verify(TESTER, challenge_id, Passcode(bench.code(challenge_id)))
    bench.pbx.legs[0].tell(Answered())
    record = await bench.settled(challenge_id)
    assert bench.pbx.legs[0].done[0] == "play en/not_wanted"
    assert (record.challenge.state, record.calls[0].outcome.outcome) == ("verified", "canceled")  # type: ignore[union-attr]


async def test_leaving_delivery_ends_and_records_every_call(bench: Bench) -> None:
    bench.pbx.plots = [plot(Rang())]  # type: ignore[list-item]
    bench = bench.rebuilt()
    async with bench.delivery:
        ids = [await bench.issue(f"+1{area}5550101") for area in (202, 212, 312)]
    for challenge_id in ids:
        record = await bench.store.challenge(challenge_id)
        assert record is not None
        assert record.calls[0].outcome.outcome == "interrupted"  # type: ignore[union-attr]


async def test_an_end_that_cannot_be_stored_at_once_is_stored_as_soon_as_it_can(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, refusals = bench.store, iter((True, True))
    record_for_real = store.record

    async def record(entry: CallRecord, *rest: Any, **more: Any) -> None:
        if entry.outcome is not None and next(refusals, False):
            raise StoreError("locked")
        await record_for_real(entry, *rest, **more)

    monkeypatch.setattr(delivery, "_STORE_RETRY", timedelta(milliseconds=1))
    monkeypatch.setattr(store, "record", record)
    bench.pbx.plots = [plot(Hangup(17, 486))]  # type: ignore[list-item]
    assert await outcome_of(bench) == ("busy", "none", "undeliverable")
    assert next(refusals, None) is None


async def test_a_fault_of_ours_is_recorded_as_ours(bench: Bench) -> None:
    bench.speech.error = ZeroDivisionError()
    assert await outcome_of(bench) == ("internal_error", "none", "undeliverable")
