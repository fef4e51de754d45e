"""What a call's facts amount to, as FreeSWITCH 1.10.12 tells them, in every order it may tell them in."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicegate.adapters.pbx.common.call_facts import Due, LegTimeouts
from voicegate.adapters.pbx.freeswitch.esl_events import (
    Ended,
    EslEvent,
    HoldChanged,
    JobDone,
    Moved,
    Step,
)
from voicegate.adapters.pbx.freeswitch.tracker import CallTracker
from voicegate.domain.call import Answered, Media, Progressed, Rang
from voicegate.domain.call_outcome import GaveUp, Hangup

C = "call_1"
TIMEOUTS = LegTimeouts(ring=40, lost=15)
CREATED, RINGING, EARLY, ANSWERED, PARKED = (Moved(C, step) for step in Step)
JOB_OK = JobDone("j", is_ok=True, reason=C)


def ended(
    name: str, cause: int, status: int | None = None, *, is_local: bool = False, is_by_pbx: bool = False
) -> Ended:
    return Ended(C, cause, name, status, is_local, is_by_pbx, Media())


def failed(reason: str) -> JobDone:
    return JobDone("j", is_ok=False, reason=reason)


BYE = ended("NORMAL_CLEARING", 16, 200)


def tracker_after(*events: EslEvent, now: float = 1.0) -> CallTracker:
    tracker = CallTracker(TIMEOUTS, 0.0)
    for event in events:
        tracker.observe(event, now)
    return tracker


def run_out(tracker: CallTracker) -> list[Due]:
    """Let the time pass until nothing is due any more, or the same thing again and again."""
    dues: list[Due] = []
    for _ in range(20):
        if (at := tracker.facts.next_due) is None:
            break
        dues.append(tracker.due(at))
    return [due for due in dues if due is not Due.NOTHING]


@pytest.mark.parametrize(
    ("name", "cause", "status"),
    [
        ("USER_BUSY", 17, 486),
        ("CALL_REJECTED", 21, 403),
        ("UNALLOCATED_NUMBER", 1, 404),
        ("NO_ANSWER", 19, 480),
    ],
)
def test_a_far_ends_failure_is_told_by_cause_and_status_in_any_order(
    name: str, cause: int, status: int
) -> None:
    facts: tuple[EslEvent, ...] = (CREATED, ended(name, cause, status), failed(name))
    for events in permutations(facts):
        assert tracker_after(*events).facts.told == [Hangup(cause=cause, sip_status=status)]


@pytest.mark.parametrize("events", [(CREATED, RINGING), (CREATED, ANSWERED, PARKED)])
def test_a_call_that_does_not_end_when_told_to_is_given_up_in_time(events: tuple[EslEvent, ...]) -> None:
    tracker = tracker_after(*events)
    tracker.facts.ask_hangup()
    tracker.facts.await_end(2.0)
    tracker.due(2.0 + TIMEOUTS.ending)
    assert tracker.facts.told[-1] == Hangup(gave_up=GaveUp.PBX_LOST)


@pytest.mark.parametrize("end", [ended("INCOMPATIBLE_DESTINATION", 88), ended("NORMAL_CLEARING", 16, 200)])
def test_an_answer_that_freeswitch_refused_was_an_answer(end: Ended) -> None:
    assert tracker_after(CREATED, end).facts.told == [Answered(), Hangup(cause=88)]
    # A 488 was none, and an answer that crossed our cancel is not waited for any more.
    refused = ended("INCOMPATIBLE_DESTINATION", 88, 488)
    assert tracker_after(CREATED, refused).facts.told == [Hangup(cause=88, sip_status=488)]
    crossing = tracker_after(CREATED)
    crossing.facts.ask_hangup()
    crossing.observe(end, 2.0)
    assert Answered() not in crossing.facts.told


def test_a_ring_timeout_is_ours_and_not_the_far_ends_480() -> None:
    facts: tuple[EslEvent, ...] = (ended("NO_ANSWER", 19, is_by_pbx=True), failed("NO_ANSWER"))
    for events in permutations(facts):
        tracker = tracker_after(CREATED, RINGING, *events)
        assert tracker.facts.told == [Rang(), Hangup(cause=19, gave_up=GaveUp.RING_TIMEOUT)]


def test_a_call_that_we_cancelled_did_not_ring_out() -> None:
    tracker = tracker_after(CREATED, RINGING)
    tracker.facts.ask_hangup()
    tracker.observe(ended("NO_ANSWER", 19), 2.0)
    assert tracker.facts.told == [Rang(), Hangup(cause=19)]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("MANAGER_REQUEST", GaveUp.INTERRUPTED),
        ("NORMAL_CLEARING", GaveUp.INTERRUPTED),
        ("ALLOTTED_TIMEOUT", GaveUp.INTERRUPTED),
        ("CALL_REJECTED", GaveUp.INTERRUPTED),
        ("SYSTEM_SHUTDOWN", GaveUp.PBX_LOST),
        ("MEDIA_TIMEOUT", None),
        ("INCOMPATIBLE_DESTINATION", None),
    ],
)
def test_an_answered_call_that_the_pbx_ends_by_itself_is_not_the_far_ends_hangup(
    name: str, reason: GaveUp | None
) -> None:
    end = ended(name, 16, is_by_pbx=True)
    events = (CREATED, RINGING, ANSWERED, PARKED)
    assert tracker_after(*events, end).facts.told[-1] == Hangup(cause=16, gave_up=reason)
    tracker = tracker_after(*events)
    tracker.facts.ask_hangup()
    tracker.observe(end, 2.0)
    assert tracker.facts.told[-1] == Hangup(cause=16)


@pytest.mark.parametrize(
    ("name", "reason"), [("MANAGER_REQUEST", GaveUp.INTERRUPTED), ("SYSTEM_SHUTDOWN", GaveUp.PBX_LOST)]
)
def test_a_ringing_call_that_the_pbx_ends_by_itself_did_not_ring_out(name: str, reason: GaveUp) -> None:
    tracker = tracker_after(CREATED, RINGING, ended(name, 16, is_by_pbx=True), failed(name))
    assert tracker.facts.told == [Rang(), Hangup(cause=16, gave_up=reason)]


def test_a_stopped_302_is_told_by_its_status() -> None:
    # FreeSWITCH ends such a call by itself.
    end = ended("REQUESTED_CHAN_UNAVAIL", 44, 302, is_by_pbx=True)
    assert tracker_after(CREATED, end).facts.told == [Hangup(cause=44, sip_status=302)]


def test_a_503_that_no_far_end_sent_is_nobody_there() -> None:
    event = ended("NORMAL_TEMPORARY_FAILURE", 41, 503, is_local=True)
    assert tracker_after(CREATED, event).facts.told == [Hangup(cause=41, is_unreachable=True)]


@pytest.mark.parametrize(("reason", "cause"), [("USER_NOT_REGISTERED", 20), ("SUBSCRIBER_ABSENT", 1)])
def test_a_desk_that_is_away_or_unheard_of_is_told_so_and_no_trunk_is(reason: str, cause: int) -> None:
    tracker = tracker_after(failed(reason))
    tracker.due(2.0)
    assert tracker.facts.told == [Hangup(cause=cause)]


def test_a_gateway_that_is_down_is_told_at_once() -> None:
    tracker = tracker_after(failed("GATEWAY_DOWN"))
    assert not tracker.facts.told
    tracker.due(2.0)
    assert tracker.facts.told == [Hangup(is_unreachable=True)]


@pytest.mark.parametrize(
    "reason", ["INVALID_GATEWAY", "DESTINATION_OUT_OF_ORDER", "CHAN_NOT_IMPLEMENTED", "", "<call url>"]
)
def test_an_originate_that_the_pbx_would_not_do_placed_no_call(reason: str) -> None:
    tracker = tracker_after(failed(reason))
    tracker.due(2.0)
    assert tracker.facts.told == [Hangup(gave_up=GaveUp.PBX_UNAVAILABLE)]


def test_a_failed_job_is_no_proof_when_events_may_be_missing() -> None:
    tracker = CallTracker(TIMEOUTS, 0.0)
    tracker.facts.lose(0.5)
    tracker.observe(failed("GATEWAY_DOWN"), 1.0)
    tracker.miss(1.5)
    assert tracker.facts.told == [Hangup(gave_up=GaveUp.PBX_LOST)]


def test_answered_is_told_when_the_channel_is_parked() -> None:
    tracker = tracker_after(CREATED, RINGING, ANSWERED, JOB_OK)
    assert tracker.facts.told == [Rang()]
    assert not tracker.is_ours
    tracker.observe(PARKED, 1.1)
    assert tracker.facts.told == [Rang(), Answered()]
    assert tracker.is_ours


def test_a_job_may_be_done_at_any_time() -> None:
    facts: tuple[EslEvent, ...] = (ANSWERED, PARKED, JOB_OK, BYE)
    for events in permutations(facts):
        tracker = tracker_after(CREATED, RINGING, *events)
        if events.index(BYE) > 0:
            assert list(tracker.facts.told) == [Rang(), Answered(), Hangup(cause=16)]


def test_early_media_is_progress_whether_or_not_it_rang() -> None:
    assert tracker_after(CREATED, EARLY).facts.told == [Progressed()]
    assert tracker_after(CREATED, RINGING, EARLY).facts.told == [Rang(), Progressed()]


def test_an_answered_channel_that_is_never_parked_is_asked_for() -> None:
    tracker = tracker_after(CREATED, ANSWERED)
    assert tracker.due(5.9) is Due.NOTHING
    assert tracker.due(6.0) is Due.PROBE
    tracker.miss(6.1)
    assert tracker.facts.told == [Answered(), Hangup(gave_up=GaveUp.PBX_LOST)]


def test_an_answered_channel_is_not_given_up_while_nobody_can_tell_that_it_is_parked() -> None:
    tracker = tracker_after(CREATED, ANSWERED)
    tracker.facts.lose(2.0)
    assert tracker.due(6.0) is Due.NOTHING
    tracker.find(Step.PARKED, 7.0)
    assert tracker.due(30.0) is Due.NOTHING
    assert tracker.facts.told == [Answered()]


def test_a_pbx_that_forgets_its_timeout_is_asked() -> None:
    tracker = tracker_after(CREATED, RINGING)
    assert tracker.due(44.9) is Due.NOTHING
    assert tracker.due(45.0) is Due.PROBE
    tracker.miss(45.1)
    assert tracker.facts.told == [Rang(), Hangup(gave_up=GaveUp.PBX_LOST)]


def test_a_job_that_failed_with_the_channels_end_missing_has_it_asked_for() -> None:
    tracker = tracker_after(CREATED, failed("USER_BUSY"))
    assert tracker.due(3.0) is Due.PROBE


def test_a_lost_pbx_that_does_not_come_back_in_time_is_lost() -> None:
    tracker = tracker_after(CREATED, RINGING)
    tracker.facts.lose(2.0)
    tracker.facts.lose(10.0)
    assert tracker.facts.is_lost
    assert tracker.due(16.9) is Due.NOTHING
    tracker.due(17.0)
    assert tracker.facts.told == [Rang(), Hangup(gave_up=GaveUp.PBX_LOST)]


def test_a_lost_pbx_that_comes_back_with_the_channel_is_not_lost() -> None:
    tracker = tracker_after(CREATED)
    tracker.facts.lose(2.0)
    tracker.find(Step.RINGING, 10.0)
    assert not tracker.facts.is_lost
    tracker.observe(ended("USER_BUSY", 17, 486), 31.0)
    assert tracker.facts.told == [Rang(), Hangup(cause=17, sip_status=486)]


def test_holds_are_counted() -> None:
    tracker = tracker_after(PARKED, HoldChanged(C, is_held=True), HoldChanged(C, is_held=False))
    assert (tracker.facts.holds, tracker.facts.is_held) == (1, False)


EVENTS = st.sampled_from(
    [CREATED, RINGING, EARLY, ANSWERED, PARKED, JOB_OK, failed("USER_BUSY"), failed("GATEWAY_DOWN"), BYE]
)
STEPS = st.lists(EVENTS | st.sampled_from(["lose", "find", "miss", "ask_hangup", "wait"]), max_size=25)


@given(STEPS)
def test_whatever_comes_in_whatever_order_there_is_one_end_and_nothing_after_it(
    steps: list[EslEvent | str],
) -> None:
    tracker, now = CallTracker(TIMEOUTS, 0.0), 0.0
    units: dict[str, Callable[[], object]] = {
        "lose": lambda: tracker.facts.lose(now),
        "find": lambda: tracker.find(Step.PARKED, now),
        "miss": lambda: tracker.miss(now),
        "ask_hangup": tracker.facts.ask_hangup,
        "wait": lambda: tracker.due(now),
    }
    for step in steps:
        now += 0.7
        if isinstance(step, str):
            units[step]()
        else:
            tracker.observe(step, now)
    dues = run_out(tracker)
    if not tracker.facts.is_settled:
        # Nothing but a channel that lives on can keep a call open, or somebody was told to look.
        assert dues or tracker.is_ours
        tracker.miss(now)
    ends = [signal for signal in tracker.facts.told if isinstance(signal, Hangup)]
    assert ends == [tracker.facts.told[-1]]
    assert len(tracker.facts.told) == len({repr(signal) for signal in tracker.facts.told})


def test_a_200_without_sdp_is_no_refusal() -> None:
    """FreeSWITCH makes up a 500, which the far end did not say: somebody had picked up."""
    made_up = replace(ended("NORMAL_TEMPORARY_FAILURE", 41, 500), is_refused=False)
    assert tracker_after(CREATED, made_up).facts.told == [Answered(), Hangup(cause=88)]
    said = ended("NORMAL_TEMPORARY_FAILURE", 41, 500)
    assert tracker_after(CREATED, said).facts.told == [Hangup(cause=41, sip_status=500)]
