"""What a call's facts amount to, as Asterisk 22.10.1 tells them, in every order it may tell them in."""

from collections.abc import Callable
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicegate.adapters.pbx.asterisk.ami_events import (
    AmiEvent,
    ChannelEnded,
    ChannelState,
    DialChanged,
    HangupRequested,
    HoldChanged,
    Originated,
    StateChanged,
)
from voicegate.adapters.pbx.asterisk.tracker import AsteriskTimeouts, CallTracker
from voicegate.adapters.pbx.common.call_facts import Due
from voicegate.domain.call import Answered, Progressed, Rang
from voicegate.domain.call_outcome import GaveUp, Hangup

C = "call_1"
TIMEOUTS = AsteriskTimeouts(ring=40, lost=15)
BEGIN = DialChanged(C, "")
RINGING = StateChanged(C, ChannelState.RINGING)
DIAL_RINGING = DialChanged(C, "RINGING")
PROGRESS = DialChanged(C, "PROGRESS")
PROCEEDING = DialChanged(C, "PROCEEDING")
UP = StateChanged(C, ChannelState.UP)
ANSWERED = Originated(C, "a", is_answered=True, reason=4)
BYE = HangupRequested(C, 16, None)
FAILED = Originated(C, "a", is_answered=False, reason=0)
TIMED_OUT = Originated(C, "a", is_answered=False, reason=3)


def failure(cause: int, status: int) -> tuple[AmiEvent, ...]:
    return (
        HangupRequested(C, cause, status),
        DialChanged(C, "NOANSWER"),
        ChannelEnded(C, cause, status),
        FAILED,
    )


def tracker_after(*events: AmiEvent, now: float = 1.0) -> CallTracker:
    tracker = CallTracker("a", TIMEOUTS, 0.0)
    for event in events:
        tracker.observe(event, now)
    return tracker


def run_out(tracker: CallTracker) -> list[Due]:
    """Let the time pass until nothing is due any more."""
    dues = []
    while (at := tracker.facts.next_due) is not None:
        dues.append(tracker.due(at))
    return [due for due in dues if due is not Due.NOTHING]


@pytest.mark.parametrize(
    ("cause", "status"), [(17, 486), (21, 403), (1, 404), (34, 503), (19, 480), (21, 603)]
)
def test_a_far_ends_failure_is_told_by_cause_and_status_in_any_order(cause: int, status: int) -> None:
    for events in permutations(failure(cause, status)):
        tracker = tracker_after(BEGIN, *events)
        assert tracker.facts.told == [Hangup(cause=cause, sip_status=status)]


def test_a_ring_timeout_is_ours_and_not_the_far_ends_480() -> None:
    facts: tuple[AmiEvent, ...] = (TIMED_OUT, ChannelEnded(C, 19, 480))
    for events in permutations(facts):
        tracker = tracker_after(BEGIN, RINGING, DIAL_RINGING, *events)
        assert tracker.facts.told == [Rang(), Hangup(cause=19, gave_up=GaveUp.RING_TIMEOUT)]


def test_a_hangup_alone_is_not_judged_before_the_response_or_its_grace() -> None:
    tracker = tracker_after(BEGIN, ChannelEnded(C, 19, 480))
    assert not tracker.facts.is_settled
    assert tracker.due(2.9) is Due.NOTHING
    assert not tracker.facts.is_settled
    tracker.due(3.0)
    assert tracker.facts.told == [Hangup(cause=19, sip_status=480)]


@pytest.mark.parametrize("events", [(BEGIN, RINGING), (BEGIN, UP, ANSWERED)])
def test_a_call_that_does_not_end_when_told_to_is_given_up_in_time(events: tuple[AmiEvent, ...]) -> None:
    tracker = tracker_after(*events)
    tracker.facts.ask_hangup()
    tracker.facts.await_end(2.0)
    tracker.due(1.0 + TIMEOUTS.attach)
    tracker.due(2.0 + TIMEOUTS.ending)
    assert tracker.facts.told[-1] == Hangup(gave_up=GaveUp.PBX_LOST)


def test_a_call_that_nobody_could_be_told_to_end_is_left_to_the_loss() -> None:
    tracker = tracker_after(BEGIN, UP, ANSWERED)
    tracker.attach(1.0)
    tracker.facts.lose(1.5)
    tracker.facts.await_end(2.0)
    tracker.due(2.0 + TIMEOUTS.ending)
    assert not tracker.facts.is_settled
    tracker.due(1.5 + TIMEOUTS.lost)
    assert tracker.facts.told[-1] == Hangup(gave_up=GaveUp.PBX_LOST)


def test_early_media_without_ringing_is_progress() -> None:
    assert tracker_after(BEGIN, PROCEEDING, PROGRESS).facts.told == [Progressed()]


def test_a_stopped_302_is_told_whether_or_not_asterisk_says_so() -> None:
    forwarded = DialChanged(C, "CANCEL", "+12025550177")
    for ended in (ChannelEnded(C, 0, None), ChannelEnded(C, 23, 302)):
        facts: tuple[AmiEvent, ...] = (forwarded, ended, FAILED)
        for events in permutations(facts):
            if events[2] is forwarded:
                continue
            told = [Hangup(cause=23, sip_status=302, forwarded_to="+12025550177")]
            assert tracker_after(BEGIN, *events).facts.told == told


def test_a_trunk_known_to_be_down_is_unreachable() -> None:
    tracker = tracker_after(FAILED)
    assert not tracker.facts.told
    tracker.due(2.0)
    assert tracker.facts.told == [Hangup(is_unreachable=True)]


def test_a_failure_without_events_is_not_unreachable_when_events_may_be_missing() -> None:
    tracker = CallTracker("a", TIMEOUTS, 0.0)
    tracker.facts.lose(0.5)
    tracker.observe(FAILED, 1.0)
    tracker.miss(1.5)
    assert tracker.facts.told == [Hangup(gave_up=GaveUp.PBX_LOST)]


def test_another_originate_with_our_channel_id_is_not_ours() -> None:
    tracker = tracker_after(BEGIN, RINGING, Originated(C, "theirs", is_answered=False, reason=0))
    assert tracker.facts.told == [Rang()]


def test_answered_is_told_when_the_leg_can_be_spoken_to() -> None:
    tracker = tracker_after(BEGIN, RINGING, UP, ANSWERED)
    assert tracker.facts.told == [Rang()]
    tracker.attach(1.1)
    assert tracker.facts.told == [Rang(), Answered()]
    assert not tracker.may_attach


def test_fastagi_may_come_before_any_event() -> None:
    tracker = tracker_after()
    tracker.attach(0.5)
    tracker.observe(RINGING, 0.6)
    tracker.observe(BYE, 9.0)
    tracker.observe(ChannelEnded(C, 16, None), 9.0)
    assert tracker.facts.told == [Answered(), Rang(), Hangup(cause=16)]


@pytest.mark.parametrize("events", [(BEGIN, RINGING, FAILED), (BEGIN, UP, ANSWERED)])
def test_what_neither_we_nor_the_far_end_ended_was_interrupted(events: tuple[AmiEvent, ...]) -> None:
    tracker = tracker_after(*events)
    if UP in events:
        tracker.attach(1.1)
    tracker.observe(ChannelEnded(C, 0, None), 2.0)
    run_out(tracker)
    assert tracker.facts.told[-1] == Hangup(cause=0, gave_up=GaveUp.INTERRUPTED)


def test_a_pbx_that_goes_right_after_it_ended_a_call_was_stopped() -> None:
    """As `core stop now` shows itself: no wish of the far end's, and AMI goes a second later."""
    tracker = tracker_after(BEGIN, UP, ANSWERED)
    tracker.attach(1.0)
    tracker.observe(ChannelEnded(C, 0, None), 2.0)
    tracker.detach(16, 2.0)
    tracker.facts.lose(3.1)
    run_out(tracker)
    assert tracker.facts.told[-1] == Hangup(cause=0, gave_up=GaveUp.PBX_LOST)


def test_a_pbx_that_stops_says_only_that_the_channel_ended() -> None:
    tracker = tracker_after(BEGIN, UP, ANSWERED)
    tracker.attach(1.0)
    tracker.detach(16, 2.0)
    tracker.facts.lose(2.1)
    run_out(tracker)
    assert tracker.facts.told[-1] == Hangup(cause=16, gave_up=GaveUp.PBX_LOST)


def test_an_answer_that_asterisk_refused_was_an_answer() -> None:
    """The far end never said 488: its hangup has no status."""
    facts: tuple[AmiEvent, ...] = (HangupRequested(C, 58, None), ChannelEnded(C, 58, 488), FAILED)
    for events in permutations(facts):
        assert tracker_after(BEGIN, *events).facts.told == [Answered(), Hangup(58, 488)]
    real: tuple[AmiEvent, ...] = (HangupRequested(C, 58, 488), ChannelEnded(C, 58, 488), FAILED)
    for events in permutations(real):
        assert tracker_after(BEGIN, *events).facts.told == [Hangup(58, 488)]


def test_who_hangs_up_in_the_moment_of_the_answer_may_be_quicker_than_the_dialplan() -> None:
    """However long that takes to let go of the channel, as a program that it starts on a busy host may."""
    tracker = tracker_after(BEGIN, UP)
    tracker.observe(HangupRequested(C, 16, None), 1.5)
    tracker.observe(ChannelEnded(C, 16, None), 4.0)
    assert tracker.facts.told == [Answered(), Hangup(cause=16)]


def test_an_answered_call_that_never_attached_was_answered_and_we_were_unreachable() -> None:
    tracker = tracker_after(BEGIN, UP)
    tracker.observe(ChannelEnded(C, 16, None), 4.0)
    run_out(tracker)
    assert tracker.facts.told == [Answered(), Hangup(cause=16, gave_up=GaveUp.CONTROLLER_UNREACHABLE)]


def test_who_hangs_up_the_moment_he_answers_did_not_find_us_unreachable() -> None:
    tracker = tracker_after(BEGIN, UP, HangupRequested(C, 16, None))
    tracker.observe(ChannelEnded(C, 16, None), 1.2)
    assert tracker.facts.told == [Answered(), Hangup(cause=16)]


def test_a_call_we_end_as_it_is_answered_was_answered_and_nothing_more() -> None:
    tracker = tracker_after(BEGIN, UP)
    tracker.facts.ask_hangup()
    tracker.observe(ChannelEnded(C, 0, None), 5.0)
    assert tracker.facts.told == [Answered(), Hangup(cause=0)]


def test_an_answered_call_nobody_takes_over_is_told_then_hung_up() -> None:
    tracker = tracker_after(BEGIN, UP)
    assert tracker.due(6.0) is Due.NOTHING
    assert tracker.facts.told == [Answered()]
    assert not tracker.may_attach
    assert tracker.due(16.0) is Due.HANG_UP


def test_a_pbx_that_forgets_its_timeout_is_asked() -> None:
    tracker = tracker_after(BEGIN, RINGING)
    assert tracker.due(44.9) is Due.NOTHING
    assert tracker.due(45.0) is Due.PROBE
    tracker.miss(45.1)
    assert tracker.facts.told == [Rang(), Hangup(gave_up=GaveUp.PBX_LOST)]


def test_a_channel_that_lost_its_fastagi_and_did_not_end_is_asked_for_and_ended() -> None:
    tracker = tracker_after(BEGIN, UP)
    tracker.attach(1.1)
    tracker.detach(None, 5.0)
    assert tracker.due(7.0) is Due.PROBE
    tracker.find(ChannelState.UP, 7.1)
    tracker.facts.ask_hangup()
    tracker.observe(ChannelEnded(C, 16, None), 7.2)
    assert tracker.facts.told == [Answered(), Hangup(cause=16)]


def test_a_call_that_we_end_because_the_pbx_does_not_answer_is_the_pbxs_loss() -> None:
    tracker = tracker_after(BEGIN, UP)
    tracker.attach(1.1)
    tracker.lose_touch()
    tracker.detach(None, 5.0)
    tracker.facts.ask_hangup()
    tracker.observe(ChannelEnded(C, 16, None), 5.2)
    assert tracker.facts.told == [Answered(), Hangup(gave_up=GaveUp.PBX_LOST)]


def test_a_call_whose_fastagi_was_cut_is_the_pbxs_loss_however_it_ends() -> None:
    tracker = tracker_after(BEGIN, UP)
    tracker.attach(1.1)
    tracker.lose_touch(is_cut=True)
    tracker.detach(None, 5.0)
    tracker.facts.ask_hangup()
    tracker.observe(ChannelEnded(C, 16, None), 5.2)
    assert tracker.facts.told == [Answered(), Hangup(gave_up=GaveUp.PBX_LOST)]


def test_a_far_end_that_hangs_up_while_fastagi_is_cut_did_hang_up() -> None:
    tracker = tracker_after(BEGIN, UP)
    tracker.attach(1.1)
    tracker.observe(HangupRequested(C, 16, None), 4.9)
    tracker.lose_touch(is_cut=True)
    tracker.detach(None, 5.0)
    tracker.observe(ChannelEnded(C, 16, None), 5.2)
    assert tracker.facts.told == [Answered(), Hangup(cause=16)]


def test_a_cause_told_over_fastagi_ends_a_call_whose_hangup_was_missed() -> None:
    tracker = tracker_after(BEGIN, UP)
    tracker.attach(1.1)
    tracker.facts.lose(2.0)
    tracker.detach(16, 5.0)
    tracker.due(7.0)
    assert tracker.facts.told == [Answered(), Hangup(cause=16)]


def test_a_lost_pbx_that_does_not_come_back_in_time_is_lost() -> None:
    tracker = tracker_after(BEGIN, RINGING)
    tracker.facts.lose(2.0)
    tracker.facts.lose(10.0)
    assert tracker.due(16.9) is Due.NOTHING
    tracker.due(17.0)
    assert tracker.facts.told == [Rang(), Hangup(gave_up=GaveUp.PBX_LOST)]


def test_a_lost_pbx_that_comes_back_with_the_channel_is_not_lost() -> None:
    tracker = tracker_after(BEGIN)
    tracker.facts.lose(2.0)
    tracker.find(ChannelState.RINGING, 10.0)
    assert tracker.due(30.0) is Due.NOTHING
    for event in (HangupRequested(C, 17, 486), ChannelEnded(C, 17, 486), FAILED):
        tracker.observe(event, 31.0)
    assert tracker.facts.told == [Rang(), Hangup(cause=17, sip_status=486)]


def test_a_ring_timeout_whose_response_was_missed_is_known_by_its_time() -> None:
    tracker = tracker_after(BEGIN, RINGING)
    tracker.facts.lose(2.0)
    tracker.find(ChannelState.RINGING, 3.0)
    tracker.observe(ChannelEnded(C, 19, 480), 40.0)
    tracker.due(42.0)
    assert tracker.facts.told[-1] == Hangup(cause=19, gave_up=GaveUp.RING_TIMEOUT)


def test_holds_are_counted() -> None:
    tracker = tracker_after(UP, HoldChanged(C, is_held=True), HoldChanged(C, is_held=False))
    assert (tracker.facts.holds, tracker.facts.is_held) == (1, False)


EVENTS = st.sampled_from(
    [BEGIN, RINGING, DIAL_RINGING, PROGRESS, UP, ANSWERED, FAILED, TIMED_OUT, *failure(17, 486)]
)
STEPS = st.lists(
    EVENTS | st.sampled_from(["attach", "detach", "farewell", "lose", "find", "miss", "ask_hangup", "wait"]),
    max_size=25,
)


@given(STEPS)
def test_whatever_comes_in_whatever_order_there_is_one_end_and_nothing_after_it(
    steps: list[AmiEvent | str],
) -> None:
    tracker, now = CallTracker("a", TIMEOUTS, 0.0), 0.0
    units: dict[str, Callable[[], object]] = {
        "attach": lambda: tracker.attach(now),
        "detach": lambda: tracker.detach(None, now),
        "farewell": lambda: tracker.detach(16, now),
        "lose": lambda: tracker.facts.lose(now),
        "find": lambda: tracker.find(ChannelState.UP, now),
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
        # Nothing but a channel that lives on can keep a call open, and then somebody was told to look.
        assert dues or "find" in steps or "attach" in steps
        tracker.miss(now)
    ends = [signal for signal in tracker.facts.told if isinstance(signal, Hangup)]
    assert ends == [tracker.facts.told[-1]]
    assert len(tracker.facts.told) == len({repr(signal) for signal in tracker.facts.told})
