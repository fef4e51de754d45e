"""A challenge's table, its guesses and its end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from voicegate.domain.announcement import HumanCheck
from voicegate.domain.challenge import (
    OPEN_STATES,
    Challenge,
    ChallengeEvent,
    ChallengeState,
    GuessResult,
    expire,
    step,
    verify,
)
from voicegate.domain.errors import InvalidTransition
from voicegate.domain.phone_number import Destination

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHALLENGE = Challenge(
    id="ver_1",
    client="tester",
    destination=Destination("+12025550101"),
    language="en",
    human_check=HumanCheck.RANDOM_KEY,
    passcode_length=6,
    digest=b"d" * 32,
    sealed=b"sealed",
    issued_at=NOW,
    expires_at=NOW + timedelta(seconds=300),
)

OPEN = {"delivering", "delivered", "undeliverable"}


def expected_state(state: ChallengeState, event: ChallengeEvent) -> str | None:
    """The theory in words, apart from the table."""
    settles = event in (ChallengeEvent.CALL_DELIVERED, ChallengeEvent.CALL_FAILED)
    if state not in OPEN:
        return None
    if settles:
        word = "delivered" if event is ChallengeEvent.CALL_DELIVERED else "undeliverable"
        return word if state is ChallengeState.DELIVERING else None
    return {
        ChallengeEvent.CALL_STARTED: "delivering",
        ChallengeEvent.MATCHED: "verified",
        ChallengeEvent.APPROVED: "verified",
        ChallengeEvent.LAST_GUESS_MISSED: "locked",
        ChallengeEvent.TIME_OVER: "expired",
        ChallengeEvent.CANCELED: "canceled",
        ChallengeEvent.REPORTED: "reported",
    }[event]


@pytest.mark.parametrize(("state", "event"), list(product(ChallengeState, ChallengeEvent)))
def test_every_pair_of_state_and_event_does_what_the_table_says(
    state: ChallengeState, event: ChallengeEvent
) -> None:
    challenge = replace(CHALLENGE, state=state)
    expected = expected_state(state, event)
    if expected is None:
        with pytest.raises(InvalidTransition):
            step(challenge, event)
    else:
        assert step(challenge, event).state == expected


@pytest.mark.parametrize("event", [e for e in ChallengeEvent if expected_state(ChallengeState.DELIVERING, e)])
def test_the_sealed_code_lives_as_long_as_the_challenge_is_open(event: ChallengeEvent) -> None:
    after = step(replace(CHALLENGE, state=ChallengeState.DELIVERING), event)
    assert (after.sealed is not None) == (after.state in OPEN_STATES)


def test_a_right_guess_verifies_once() -> None:
    after, result = verify(CHALLENGE, NOW, is_match=True)
    assert (after.state, result.result) == (ChallengeState.VERIFIED, GuessResult.VERIFIED)
    again, second = verify(after, NOW, is_match=True)
    assert (again, second.result) == (after, GuessResult.ALREADY_USED)


def test_five_wrong_guesses_lock_and_the_right_one_comes_too_late() -> None:
    challenge, seen = CHALLENGE, []
    for _ in range(5):
        challenge, result = verify(challenge, NOW, is_match=False)
        seen.append((result.result, result.guesses_left))
    assert seen == [
        (GuessResult.DENIED, 4),
        (GuessResult.DENIED, 3),
        (GuessResult.DENIED, 2),
        (GuessResult.DENIED, 1),
        (GuessResult.LOCKED, 0),
    ]
    assert verify(challenge, NOW, is_match=True)[1].result is GuessResult.LOCKED


def test_a_reported_code_is_void_also_for_the_right_guess() -> None:
    reported = step(CHALLENGE, ChallengeEvent.REPORTED)
    after, result = verify(reported, NOW, is_match=True)
    assert (after, result.result, after.sealed) == (reported, GuessResult.REPORTED, None)


def test_at_the_second_of_expiry_no_guess_counts() -> None:
    assert verify(CHALLENGE, CHALLENGE.expires_at - timedelta(microseconds=1), is_match=True)[1].result is (
        GuessResult.VERIFIED
    )
    after, result = verify(CHALLENGE, CHALLENGE.expires_at, is_match=True)
    assert (after.state, result.result, after.sealed) == (ChallengeState.EXPIRED, GuessResult.EXPIRED, None)


def test_expiry_leaves_a_closed_challenge_as_it_is() -> None:
    verified = replace(CHALLENGE, state=ChallengeState.VERIFIED)
    assert expire(verified, CHALLENGE.expires_at + timedelta(days=1)) == verified
