"""Recorded sessions, byte for byte in chunks of any size: the frames, the facts, and what they amount to."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.making import make_call
from tests.wire.recordings import NAMES, Block, read, received
from voicegate.adapters.pbx.common.call_facts import LegTimeouts
from voicegate.adapters.pbx.freeswitch.esl_events import (
    Ended,
    EslEvent,
    Executed,
    JobDone,
    KeyPressed,
    Moved,
    Step,
    read_event,
    read_step,
)
from voicegate.adapters.pbx.freeswitch.esl_wire import Frame, Framer, parse_event
from voicegate.adapters.pbx.freeswitch.tracker import CallTracker
from voicegate.application.ports import LegSignal
from voicegate.domain.announcement import HumanCheck
from voicegate.domain.call import Answered, Call, CallState, Evidence, Media, Progressed, Rang
from voicegate.domain.call_outcome import GaveUp, Hangup, Outcome
from voicegate.domain.classifying import classify

CHUNKS = st.lists(st.integers(min_value=1, max_value=9000), min_size=1, max_size=20)


def cut(data: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """In chunks of those sizes, over and over."""
    at, turn = 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        yield data[at : at + size]
        at, turn = at + size, turn + 1


def frames_of(blocks: Sequence[Block], sizes: Sequence[int] = (65_536,)) -> list[Frame]:
    framer = Framer()
    data = b"".join(block.data for block in blocks)
    return [frame for chunk in cut(data, sizes) for frame in framer.feed(chunk)]


def facts_of(name: str, sizes: Sequence[int] = (65_536,), connection: str = "A") -> list[EslEvent]:
    frames = frames_of(received(name, connection), sizes)
    events = [parse_event(frame.body) for frame in frames if frame.kind == "text/event-plain"]
    return [fact for event in events if (fact := read_event(event)) is not None]


def signals_of(name: str, sizes: Sequence[int] = (65_536,)) -> Sequence[LegSignal]:
    """What a tracker tells of a recorded call."""
    tracker = CallTracker(LegTimeouts(ring=40, lost=15), 0.0)
    for fact in facts_of(name, sizes):
        tracker.observe(fact, 1.0)
    while not tracker.facts.is_settled and (at := tracker.facts.next_due) is not None:
        tracker.due(at)
    return tracker.facts.told


@pytest.mark.parametrize("name", NAMES)
def test_every_block_of_a_recording_is_read_back_to_its_last_byte(name: str) -> None:
    for block in read(name):
        # What the client once ended by CRLF is not told apart.
        assert block.is_ours or len(block.data) == block.size


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=CHUNKS)
def test_frames_are_cut_alike_however_the_bytes_arrive(name: str, sizes: list[int]) -> None:
    for connection in {block.connection for block in read(name)}:
        blocks = received(name, connection)
        frames = frames_of(blocks, sizes)
        assert [frame.kind for frame in frames] == [block.kind for block in blocks]
        assert [frame.body for frame in frames] == [block.text.partition("\n\n")[2] for block in blocks]


RINGING = [Rang()]
OUTCOMES = [
    # The recording client hung up, which the call here knows nothing of: somebody at the PBX did.
    (
        "02c_execute_playback_sendmsg",
        [Rang(), Answered(), Hangup(cause=16, gave_up=GaveUp.INTERRUPTED)],
        Outcome.INTERRUPTED,
    ),
    ("03_busy_486", [Rang(), Hangup(cause=17, sip_status=486)], Outcome.BUSY),
    (
        "04_no_answer_timeout",
        [Rang(), Hangup(cause=19, gave_up=GaveUp.RING_TIMEOUT)],
        Outcome.NO_ANSWER,
    ),
    (
        "04b_no_answer_early_media",
        [Rang(), Progressed(), Hangup(cause=19, gave_up=GaveUp.RING_TIMEOUT)],
        Outcome.NO_ANSWER,
    ),
    (
        "04d_cancel_while_ringing",
        [Rang(), Hangup(cause=16, gave_up=GaveUp.INTERRUPTED)],
        Outcome.INTERRUPTED,
    ),
    ("05_reject_403", [Hangup(cause=21, sip_status=403)], Outcome.TRUNK_REFUSED),
    ("05_reject_404", [Hangup(cause=1, sip_status=404)], Outcome.INVALID_NUMBER),
    ("05_reject_480", [Hangup(cause=18, sip_status=480)], Outcome.UNAVAILABLE),
    ("05_reject_480_q850_19", [Hangup(cause=19, sip_status=480)], Outcome.UNAVAILABLE),
    ("05_reject_484", [Hangup(cause=28, sip_status=484)], Outcome.INVALID_NUMBER),
    ("05_reject_488", [Hangup(cause=88, sip_status=488)], Outcome.INCOMPATIBLE),
    ("05_reject_503", [Hangup(cause=41, sip_status=503)], Outcome.TRUNK_FAILED),
    ("05_reject_503_q850_34", [Hangup(cause=34, sip_status=503)], Outcome.TRUNK_FAILED),
    ("05_reject_603", [Hangup(cause=21, sip_status=603)], Outcome.REJECTED),
    (
        "06_unreachable_blackhole",
        [Hangup(cause=19, gave_up=GaveUp.RING_TIMEOUT)],
        Outcome.TRUNK_SILENT,
    ),
    ("06b_blackhole_no_timeout", [Hangup(cause=102, sip_status=408)], Outcome.TRUNK_SILENT),
    (
        "06_unreachable_dead_udp",
        [Hangup(cause=41, is_unreachable=True)],
        Outcome.TRUNK_UNREACHABLE,
    ),
    (
        "06_unreachable_dead_tcp",
        [Hangup(cause=41, is_unreachable=True)],
        Outcome.TRUNK_UNREACHABLE,
    ),
    ("06_unreachable_nosuchgw", [Hangup(gave_up=GaveUp.PBX_UNAVAILABLE)], Outcome.PBX_UNAVAILABLE),
    ("06_unreachable_pinged", [Hangup(is_unreachable=True)], Outcome.TRUNK_UNREACHABLE),
    ("07_farhangup_mid_playback", [Rang(), Answered(), Hangup(cause=16)], Outcome.HUNG_UP),
    ("12c_media_timeout", [Rang(), Answered(), Hangup(cause=16)], Outcome.HUNG_UP),
]


def as_seen(signals: Sequence[LegSignal]) -> Call:
    """A call that has heard those signals."""
    return make_call(
        state=CallState.RINGING,
        rang=Rang() in signals,
        progressed=Progressed() in signals,
        evidence=Evidence(answered=Answered() in signals),
    )


@pytest.mark.parametrize(("name", "signals", "outcome"), OUTCOMES)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=CHUNKS)
def test_a_recorded_call_amounts_to_what_happened(
    name: str, signals: list[LegSignal], outcome: Outcome, sizes: list[int]
) -> None:
    told = signals_of(name, sizes)
    assert list(told) == signals
    assert isinstance(told[-1], Hangup)
    assert classify(as_seen(told), told[-1], HumanCheck.RANDOM_KEY).outcome is outcome


def test_without_ignoring_early_media_the_job_is_done_before_anybody_answers() -> None:
    facts = facts_of("04c_early_media_not_ignored")
    jobs = [fact for fact in facts if isinstance(fact, JobDone)]
    answer = next(fact for fact in facts if isinstance(fact, Moved) and fact.step is Step.ANSWERED)
    assert jobs[0].is_ok
    assert facts.index(jobs[0]) < facts.index(answer)


def played(name: str) -> list[Executed]:
    facts = [fact for fact in facts_of(name) if isinstance(fact, Executed)]
    return [fact for fact in facts if fact.execution_id.startswith("my-exec")]


def test_a_file_played_in_full_counts_its_samples() -> None:
    (executed,) = played("02c_execute_playback_sendmsg")
    assert (executed.response, executed.samples, executed.rate) == ("FILE PLAYED", 16_000, 8000)
    assert not executed.is_hung_up


def test_a_missing_file_is_told_by_one_event_and_one_broken_off_by_the_samples_that_were_sent() -> None:
    missing, broken = played("02d_playback_missing_file")
    assert missing.response == "FILE NOT FOUND"
    assert not missing.is_hung_up
    # 16,384 were read ahead.
    assert (broken.response, broken.samples) == ("FILE PLAYED", 8320)


def test_a_hangup_in_mid_file_is_no_file_played() -> None:
    (executed,) = played("07_farhangup_mid_playback")
    assert (executed.response, executed.samples, executed.is_hung_up) == ("PLAYBACK ERROR", 20_000, True)


def test_the_packets_of_an_ended_call_are_counted() -> None:
    (ended,) = [fact for fact in facts_of("07_farhangup_mid_playback") if isinstance(fact, Ended)]
    assert ended.media == Media(received=0, sent=124)


def test_keys_are_told_one_by_one() -> None:
    keys = [fact.key for fact in facts_of("08_dtmf_rfc2833") if isinstance(fact, KeyPressed)]
    assert keys == ["5", "1", "#", "*"]


def test_a_parked_channel_that_outlived_its_client_is_found_by_a_dump() -> None:
    dumps = [
        parse_event(frame.body)
        for frame in frames_of(received("13e_client_vanishes_parked", "B"))
        if "Event-Name: CHANNEL_DATA" in frame.body
    ]
    assert [read_step(dump) for dump in dumps] == [Step.PARKED]


@pytest.mark.parametrize("name", NAMES)
def test_no_recorded_event_is_anything_but_a_fact_or_left_out(name: str) -> None:
    for fact in facts_of(name):
        assert isinstance(fact, JobDone) or fact.channel_id
