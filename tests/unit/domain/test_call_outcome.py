"""The outcome of a call: all causes, all statuses, and the one rule for delivered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from voicegate.domain.announcement import HumanCheck
from voicegate.domain.call import Call, CallState, Evidence
from voicegate.domain.call_outcome import (
    Blame,
    GaveUp,
    Hangup,
    Outcome,
)
from voicegate.domain.classifying import classify, is_blocked, is_delivered
from voicegate.domain.phone_number import Destination

CALL = Call(
    "call_1",
    "ver_1",
    Destination("+12025550101"),
    trunk="t",
    caller_id="+12025550100",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    state=CallState.ORIGINATING,
)
RANG = replace(CALL, rang=True)
BRITISH = replace(CALL, destination=Destination("+442079460101"))
DESK = replace(CALL, destination=Destination("4021"))
AT_ONCE, LATER = timedelta(milliseconds=300), timedelta(seconds=2)
PROGRESSED = replace(CALL, progressed=True)
CHECK = HumanCheck.RANDOM_KEY

# ITU-T Q.850 (2018) table 1: every cause that a network may send.
Q850 = (
    *range(1, 10), 14, *range(16, 32), 34, *range(38, 45), 46, 47, 49, 50, *range(52, 56), 57, 58, 62, 63,
    65, 66, 69, 70, 79, *range(81, 89), 90, 91, *range(95, 104), 110, 111, 127,
)  # fmt: skip
# IANA's registry of SIP response codes, 3xx to 6xx.
SIP = (
    300, 301, 302, 305, 380, *range(400, 409), 410, *range(412, 418), *range(420, 426), 428, 429, 430, 433,
    *range(436, 441), 469, 470, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491, 493, 494,
    *range(500, 506), 513, 555, 580, 600, 603, 604, 606, 607, 608,
)  # fmt: skip


@pytest.mark.parametrize("cause", Q850)
@pytest.mark.parametrize("call", [CALL, RANG])
def test_every_q850_cause_has_an_outcome_that_someone_decided(cause: int, call: Call) -> None:
    assert classify(call, Hangup(cause=cause), CHECK).blame is not Blame.UNKNOWN


@pytest.mark.parametrize("status", SIP)
@pytest.mark.parametrize("call", [CALL, RANG])
def test_every_sip_failure_has_an_outcome_that_someone_decided(status: int, call: Call) -> None:
    assert classify(call, Hangup(cause=0, sip_status=status), CHECK).blame is not Blame.UNKNOWN


@pytest.mark.parametrize(
    ("call", "hangup", "outcome", "blame"),
    [
        (RANG, Hangup(17, 486), "busy", "callee"),
        (RANG, Hangup(21, 603), "rejected", "callee"),
        (CALL, Hangup(21, 403), "trunk_refused", "trunk"),
        (CALL, Hangup(34, 503), "trunk_failed", "trunk"),
        (CALL, Hangup(1, 404), "invalid_number", "number"),
        (CALL, Hangup(28, 484), "invalid_number", "number"),
        (CALL, Hangup(3, 604), "invalid_number", "number"),
        (CALL, Hangup(23, 302), "forwarded", "callee"),
        (CALL, Hangup(21, 407), "trunk_refused", "trunk"),
        (CALL, Hangup(58, 488), "incompatible", "trunk"),
        (CALL, Hangup(19, 480), "unavailable", "callee"),
        (RANG, Hangup(19, 480), "no_answer", "callee"),
        (CALL, Hangup(18, 408), "trunk_silent", "trunk"),
        (RANG, Hangup(18, 408), "no_answer", "callee"),
        (PROGRESSED, Hangup(18, 408), "no_answer", "callee"),
        (CALL, Hangup(102, 408), "trunk_silent", "trunk"),
        (RANG, Hangup(102, 408), "no_answer", "callee"),
        (CALL, Hangup(20, 480), "unavailable", "callee"),
        (RANG, Hangup(19, gave_up=GaveUp.RING_TIMEOUT), "no_answer", "callee"),
        (CALL, Hangup(19, gave_up=GaveUp.RING_TIMEOUT), "trunk_silent", "trunk"),
        (CALL, Hangup(0, gave_up=GaveUp.PROGRESS_TIMEOUT), "trunk_silent", "trunk"),
        (CALL, Hangup(is_unreachable=True), "trunk_unreachable", "trunk"),
        (CALL, Hangup(gave_up=GaveUp.PBX_UNAVAILABLE), "pbx_unavailable", "us"),
        (RANG, Hangup(gave_up=GaveUp.CANCELED), "canceled", "nobody"),
        (RANG, Hangup(16, gave_up=GaveUp.REPORTED), "reported", "nobody"),
        (RANG, Hangup(gave_up=GaveUp.PBX_LOST), "pbx_lost", "us"),
        (CALL, Hangup(), "trunk_failed", "unknown"),
        (RANG, Hangup(127, 487), "no_answer", "callee"),
        (PROGRESSED, Hangup(127, 487), "no_answer", "callee"),
        (CALL, Hangup(127, 487), "trunk_failed", "trunk"),
        (RANG, Hangup(127, 480), "no_answer", "callee"),
        (CALL, Hangup(127, 480), "unavailable", "callee"),
        (CALL, Hangup(127, 408), "trunk_silent", "trunk"),
        (DESK, Hangup(is_unreachable=True), "unavailable", "callee"),
        (DESK, Hangup(1), "invalid_number", "number"),
        (CALL, Hangup(21, 608), "trunk_refused", "trunk"),
        (CALL, Hangup(21, 603, after=AT_ONCE), "trunk_refused", "trunk"),
        (CALL, Hangup(21, 603, after=LATER), "rejected", "callee"),
        (CALL, Hangup(21, 603), "rejected", "callee"),
        (RANG, Hangup(21, 603, after=AT_ONCE), "rejected", "callee"),
        (PROGRESSED, Hangup(21, 603, after=AT_ONCE), "rejected", "callee"),
        (BRITISH, Hangup(21, 603, after=AT_ONCE), "rejected", "callee"),
        (BRITISH, Hangup(21, 608), "trunk_refused", "trunk"),
        (DESK, Hangup(21, 603, after=AT_ONCE), "rejected", "callee"),
    ],
)
def test_a_call_that_was_not_answered(call: Call, hangup: Hangup, outcome: str, blame: str) -> None:
    expected = classify(call, hangup, CHECK)
    assert (expected.outcome, expected.blame) == (outcome, blame)


@pytest.mark.parametrize(
    ("evidence", "hangup", "outcome"),
    [
        (Evidence(answered=True), Hangup(16), "hung_up"),
        (Evidence(answered=True, human=True), Hangup(16), "hung_up"),
        (Evidence(answered=True), Hangup(16, gave_up=GaveUp.RING_TIMEOUT), "no_answer"),
        (Evidence(answered=True), Hangup(16, gave_up=GaveUp.PROGRESS_TIMEOUT), "no_answer"),
        (Evidence(answered=True, media=True), Hangup(0, gave_up=GaveUp.NO_KEY), "no_human"),
        (Evidence(answered=True, media=True), Hangup(0, gave_up=GaveUp.TIME_CAP), "no_human"),
        (Evidence(answered=True, human=True), Hangup(0, gave_up=GaveUp.TIME_CAP), "playback_failed"),
        (Evidence(answered=True, human=True), Hangup(0, gave_up=GaveUp.FINISHED), "playback_failed"),
        (Evidence(answered=True, human=True), Hangup(0, gave_up=GaveUp.PLAYBACK_FAILED), "playback_failed"),
        (Evidence(answered=True), Hangup(0, gave_up=GaveUp.CONTROLLER_UNREACHABLE), "controller_unreachable"),
        (Evidence(answered=True, human=True), Hangup(gave_up=GaveUp.PBX_LOST), "pbx_lost"),
        (Evidence(answered=True, human=True, announced=1), Hangup(gave_up=GaveUp.PBX_LOST), "delivered"),
        (Evidence(answered=True, human=True, announced=1), Hangup(16), "delivered"),
    ],
)
def test_a_call_that_was_answered(evidence: Evidence, hangup: Hangup, outcome: str) -> None:
    assert classify(replace(CALL, evidence=evidence), hangup, CHECK).outcome == outcome


@pytest.mark.parametrize(
    ("evidence", "hangup", "check", "expected"),
    [
        # A person picked up, and the answer's SDP was of no use: 488 made up, 200 without SDP, no codec.
        (Evidence(answered=True), Hangup(58, 488), CHECK, ("incompatible", "trunk", False)),
        (Evidence(answered=True), Hangup(88), CHECK, ("incompatible", "trunk", False)),
        (Evidence(answered=True), Hangup(127, 406), CHECK, ("incompatible", "trunk", False)),
        (Evidence(answered=True), Hangup(127), CHECK, ("trunk_failed", "trunk", False)),
        (Evidence(answered=True), Hangup(41), CHECK, ("trunk_failed", "trunk", False)),
        # With media it was the person's own, whatever the cause.
        (Evidence(answered=True, media=True), Hangup(127), CHECK, ("hung_up", "callee", True)),
        (Evidence(answered=True), Hangup(16), CHECK, ("hung_up", "callee", True)),
        (Evidence(answered=True), Hangup(17), CHECK, ("hung_up", "callee", True)),
        # Nothing went out: by the trunk's lack of a codec, or since we were held.
        (Evidence(answered=True), Hangup(16, nothing_sent=Blame.TRUNK), CHECK, ("no_media", "trunk", False)),
        (
            Evidence(answered=True, media=True),
            Hangup(0, gave_up=GaveUp.NO_KEY, nothing_sent=Blame.TRUNK),
            CHECK,
            ("no_media", "trunk", False),
        ),
        (
            Evidence(answered=True, media=True),
            Hangup(0, gave_up=GaveUp.FINISHED, nothing_sent=Blame.CALLEE),
            HumanCheck.NONE,
            ("no_media", "callee", True),
        ),
        # Who pressed the key had heard it.
        (
            Evidence(answered=True, human=True),
            Hangup(0, gave_up=GaveUp.FINISHED, nothing_sent=Blame.TRUNK),
            CHECK,
            ("playback_failed", "us", True),
        ),
        # Nobody was asked for a key.
        (
            Evidence(answered=True, media=True),
            Hangup(0, gave_up=GaveUp.TIME_CAP),
            HumanCheck.NONE,
            ("playback_failed", "us", True),
        ),
        (Evidence(answered=True), Hangup(0, gave_up=GaveUp.INTERRUPTED), CHECK, ("interrupted", "us", False)),
    ],
)
def test_an_answered_call_that_carried_nothing_is_whose_fault_it_was(
    evidence: Evidence, hangup: Hangup, check: HumanCheck, expected: tuple[str, str, bool]
) -> None:
    told = classify(replace(CALL, evidence=evidence), hangup, check)
    assert (told.outcome, told.blame, told.retry_safe) == expected


def test_only_a_block_of_our_number_is_one() -> None:
    assert is_blocked(RANG, Hangup(21, 608))
    assert is_blocked(CALL, Hangup(21, 603, after=AT_ONCE))
    for call, hangup in (
        (CALL, Hangup(21, 603, after=LATER)),
        (CALL, Hangup(21, 403, after=AT_ONCE)),
        (DESK, Hangup(21, 603, after=AT_ONCE)),
        (replace(CALL, evidence=Evidence(answered=True)), Hangup(21, 603, after=AT_ONCE)),
    ):
        assert not is_blocked(call, hangup)


def test_without_a_human_check_no_sign_of_media_is_not_delivered() -> None:
    silent = replace(CALL, evidence=Evidence(answered=True, announced=2))
    assert classify(silent, Hangup(gave_up=GaveUp.FINISHED), HumanCheck.NONE).outcome is Outcome.NO_MEDIA
    heard = replace(CALL, evidence=Evidence(answered=True, announced=2, media=True))
    assert classify(heard, Hangup(gave_up=GaveUp.FINISHED), HumanCheck.NONE).outcome is Outcome.DELIVERED


@pytest.mark.parametrize("check", HumanCheck)
def test_nothing_short_of_announced_is_delivered(check: HumanCheck) -> None:
    assert not is_delivered(Evidence(answered=True, media=True, extension_sent=True, human=True), check)


@pytest.mark.parametrize("check", [HumanCheck.RANDOM_KEY, HumanCheck.ANY_KEY])
def test_with_a_human_check_announced_to_a_machine_is_not_delivered(check: HumanCheck) -> None:
    assert not is_delivered(Evidence(answered=True, media=True, announced=2), check)


@pytest.mark.parametrize("hangup", [Hangup(34, 503), Hangup(38, 500), Hangup(58, 488), Hangup(102)])
def test_a_trunk_that_fails_once_it_rang_is_not_followed_by_another(hangup: Hangup) -> None:
    assert classify(CALL, hangup, CHECK).retry_safe
    assert not classify(RANG, hangup, CHECK).retry_safe
    assert not classify(PROGRESSED, hangup, CHECK).retry_safe


def test_silence_is_never_safe_to_retry() -> None:
    assert not classify(CALL, Hangup(gave_up=GaveUp.PROGRESS_TIMEOUT), CHECK).retry_safe
    assert not classify(RANG, Hangup(gave_up=GaveUp.PBX_LOST), CHECK).retry_safe
