"""A call's table, its evidence, and what counts as heard."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

import pytest

from voicegate.domain.call import (
    TRANSITIONS,
    Answered,
    Call,
    CallEvent,
    CallState,
    CodeSpan,
    Ended,
    EvidenceLevel,
    ExtensionSent,
    ExtensionStarted,
    Invited,
    KeyPressed,
    Media,
    MediaCounted,
    OptedOut,
    Originated,
    Playback,
    Progressed,
    Rang,
    ReadingEnded,
    ReadingStarted,
    Reported,
    measure_packet,
    proves_sent,
    step,
)
from voicegate.domain.errors import InvalidTransition
from voicegate.domain.phone_number import Destination

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CALL = Call(
    "call_1", "ver_1", Destination("+12025550101"), trunk="t", caller_id="+12025550100", created_at=NOW
)

EVENTS: dict[type, CallEvent] = {
    event.__class__: event
    for event in (
        Originated(),
        Progressed(),
        Rang(),
        Answered(),
        ExtensionStarted(),
        ExtensionSent(),
        Invited(),
        KeyPressed(),
        Reported(),
        OptedOut(),
        ReadingStarted(1),
        ReadingEnded(1, proven=True),
        MediaCounted(Media(received=5)),
        Ended(),
    )
}

# Written by hand, a row a state: what may happen there, and where it leads.
EXPECTED: dict[CallState, dict[type, str]] = {
    CallState.QUEUED: {Originated: "originating", Ended: "ended"},
    CallState.ORIGINATING: {
        Progressed: "originating",
        Rang: "ringing",
        Answered: "answered",
        Ended: "ended",
    },
    CallState.RINGING: {Progressed: "ringing", Rang: "ringing", Answered: "answered", Ended: "ended"},
    CallState.ANSWERED: {
        Progressed: "answered",
        Rang: "answered",
        ExtensionStarted: "sending_extension",
        Invited: "awaiting_human",
        ReadingStarted: "announcing",
        MediaCounted: "answered",
        Ended: "ended",
    },
    CallState.SENDING_EXTENSION: {
        Progressed: "sending_extension",
        Rang: "sending_extension",
        ExtensionSent: "sending_extension",
        Invited: "awaiting_human",
        ReadingStarted: "announcing",
        MediaCounted: "sending_extension",
        Ended: "ended",
    },
    CallState.AWAITING_HUMAN: {
        Progressed: "awaiting_human",
        Rang: "awaiting_human",
        KeyPressed: "awaiting_human",
        Reported: "awaiting_human",
        OptedOut: "awaiting_human",
        ReadingStarted: "announcing",
        MediaCounted: "awaiting_human",
        Ended: "ended",
    },
    CallState.ANNOUNCING: {
        Progressed: "announcing",
        Rang: "announcing",
        ReadingStarted: "announcing",
        ReadingEnded: "announcing",
        MediaCounted: "announcing",
        Ended: "ended",
    },
    CallState.ENDED: {},
}


def test_the_events_tried_are_all_there_are() -> None:
    assert set(EVENTS) == set(get_args(CallEvent))


@pytest.mark.parametrize(("state", "kind"), list(product(CallState, EVENTS)))
def test_every_pair_of_state_and_event_does_what_the_table_says(state: CallState, kind: type) -> None:
    call = replace(CALL, state=state)
    expected = EXPECTED[state].get(kind)
    if expected is None:
        with pytest.raises(InvalidTransition):
            step(call, EVENTS[kind], NOW)
    else:
        assert step(call, EVENTS[kind], NOW).state == expected


def test_the_table_holds_nothing_more() -> None:
    assert len(TRANSITIONS) == sum(len(row) for row in EXPECTED.values())


def test_evidence_names_the_strongest_rung() -> None:
    call = CALL
    rungs = []
    for event in (
        Originated(),
        Rang(),
        Answered(),
        MediaCounted(Media(received=3)),
        Invited(),
        KeyPressed(),
        ReadingStarted(1),
        ReadingEnded(1, proven=False),
        ReadingStarted(2),
        ReadingEnded(2, proven=True),
    ):
        call = step(call, event, NOW)
        rungs.append(call.evidence.strongest)
    assert rungs == [
        EvidenceLevel.NONE,
        EvidenceLevel.NONE,
        EvidenceLevel.ANSWERED,
        EvidenceLevel.MEDIA,
        EvidenceLevel.MEDIA,
        EvidenceLevel.HUMAN,
        EvidenceLevel.HUMAN,
        EvidenceLevel.HUMAN,
        EvidenceLevel.HUMAN,
        EvidenceLevel.ANNOUNCED,
    ]
    assert call.evidence.announced == 1


def test_a_later_count_without_media_does_not_unsay_an_earlier_one() -> None:
    call = replace(CALL, state=CallState.ANNOUNCING)
    call = step(call, MediaCounted(Media(reports_back=True)), NOW)
    assert step(call, MediaCounted(Media(received=0)), NOW).evidence.media


FULL = Playback(samples=80000, elapsed=timedelta(seconds=10), packets=500)
SPAN = CodeSpan(samples=80000, length=timedelta(seconds=10))


def test_a_file_played_in_full_time_and_packets_covers_the_code() -> None:
    assert proves_sent(FULL, SPAN)


@pytest.mark.parametrize(
    "playback",
    [
        pytest.param(replace(FULL, samples=79999), id="a digit cut short"),
        pytest.param(replace(FULL, elapsed=timedelta(milliseconds=5)), id="begun as the channel died"),
        pytest.param(replace(FULL, packets=0), id="no codec: nothing sent"),
        pytest.param(replace(FULL, packets=170), id="most of it on hold"),
        pytest.param(replace(FULL, samples=120000, packets=551), id="a code on hold, the rest sent"),
        pytest.param(replace(FULL, packets=None), id="the PBX could not count"),
        pytest.param(replace(FULL, held=True), id="held meanwhile"),
        pytest.param(Playback(samples=0, elapsed=timedelta(), packets=0), id="missing file"),
    ],
)
def test_a_pbx_that_says_played_is_not_believed_alone(playback: Playback) -> None:
    assert not proves_sent(playback, SPAN)


@pytest.mark.parametrize("packet", [10, 20, 30, 40, 60])
def test_packets_are_measured_by_how_many_carried_so_much(packet: int) -> None:
    length = timedelta(seconds=4)
    for lacking in (0, 1, 2):
        count = int(length / timedelta(milliseconds=packet)) - lacking
        assert measure_packet(Playback(1, length, count), length) == timedelta(milliseconds=packet)
        assert proves_sent(
            Playback(1000, length, count), CodeSpan(1000, length, packet=timedelta(milliseconds=packet))
        )


@pytest.mark.parametrize("packet", [10, 20, 30, 40, 60])
@pytest.mark.parametrize("share", [0, 0.5, 0.75, 0.9])
def test_packets_that_are_missing_are_missed_whatever_their_length(packet: int, share: float) -> None:
    length = timedelta(seconds=8)
    span = CodeSpan(1000, length, packet=timedelta(milliseconds=packet))
    assert not proves_sent(Playback(1000, length, int(length / span.packet * share)), span)


@pytest.mark.parametrize(
    "playback",
    [
        Playback(1, timedelta(seconds=4), None),
        Playback(1, timedelta(seconds=4), 0),
        Playback(1, timedelta(seconds=4), 200, held=True),
        Playback(1, timedelta(seconds=1), 200),
        Playback(1, timedelta(seconds=4), 300),
        Playback(1, timedelta(seconds=4), 10),
    ],
)
def test_what_fits_no_length_measures_none(playback: Playback) -> None:
    assert measure_packet(playback, timedelta(seconds=4)) is None


def test_too_short_a_sound_measures_nothing() -> None:
    assert measure_packet(Playback(1, timedelta(seconds=4), 10), timedelta(milliseconds=200)) is None


def test_what_the_pbx_tells_is_not_measured() -> None:
    told = timedelta(milliseconds=20)
    assert measure_packet(Playback(1, timedelta(seconds=4), 100, packet=told), timedelta(seconds=4)) == told


def test_hanging_up_after_the_last_digit_still_covers_the_code() -> None:
    hung_up = Playback(samples=90000, elapsed=timedelta(seconds=11.2), packets=560, key=None, hung_up=True)
    assert proves_sent(hung_up, SPAN)


def test_the_post_dial_delay_counts_to_the_first_sign_of_life() -> None:
    second = timedelta(seconds=1)
    call = step(CALL, Originated(), NOW)
    told: list[CallEvent] = [Progressed(), Rang(), Answered(), Invited()]
    for after, event in enumerate(told, 3):
        call = step(call, event, NOW + after * second)
    assert (call.originated_at, call.post_dial_delay, call.key_asked) == (NOW, 3 * second, True)


def test_a_clock_that_was_set_back_makes_no_negative_delay() -> None:
    call = step(step(CALL, Originated(), NOW), Rang(), NOW - timedelta(hours=1))
    assert call.post_dial_delay == timedelta()
