"""A factor's table, its failures in a row, and its end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicegate.domain.errors import InvalidTransition
from voicegate.domain.factor import (
    LIVING_STATES,
    MAX_FAILURES,
    Factor,
    FactorEvent,
    FactorState,
    bears,
    fail,
    step,
    succeed,
)
from voicegate.domain.phone_number import Destination

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
FACTOR = Factor("fac_1", "tester", "alice", Destination("+12025550101"), created_at=NOW, updated_at=NOW)


def expected_state(state: FactorState, event: FactorEvent) -> str | None:
    """The theory in words, apart from the table."""
    if state == "reset":
        return None
    match event:
        case FactorEvent.ACTIVATED:
            return "active" if state in ("pending_activation", "locked") else None
        case FactorEvent.LOCKED:
            return "locked" if state != "locked" else None
        case FactorEvent.RESET:
            return "reset"


@pytest.mark.parametrize(("state", "event"), list(product(FactorState, FactorEvent)))
def test_every_pair_of_state_and_event_does_what_the_table_says(
    state: FactorState, event: FactorEvent
) -> None:
    factor = replace(FACTOR, state=state)
    expected = expected_state(state, event)
    if expected is None:
        with pytest.raises(InvalidTransition):
            step(factor, event, LATER)
    else:
        after = step(factor, event, LATER)
        assert (after.state, after.updated_at, after.created_at) == (expected, LATER, NOW)


def test_only_a_reset_factor_makes_room_for_another() -> None:
    assert frozenset(FactorState) - {FactorState.RESET} == LIVING_STATES
    assert not replace(FACTOR, state=FactorState.RESET).is_living


def test_the_first_right_guess_activates_and_the_next_is_only_noted() -> None:
    active = succeed(replace(FACTOR, failures=7), NOW)
    assert (active.state, active.failures, active.verified_at) == (FactorState.ACTIVE, 0, NOW)
    again = succeed(fail(active, LATER), LATER)
    assert (again.updated_at, again.verified_at) == (NOW, LATER)
    assert succeed(active, LATER) == replace(active, verified_at=LATER)


@given(guesses=st.lists(st.booleans(), max_size=3 * MAX_FAILURES))
def test_a_factor_is_locked_by_a_hundred_failures_in_a_row_and_by_nothing_less(guesses: list[bool]) -> None:
    factor, in_a_row = FACTOR, 0
    for is_match in guesses:
        factor = succeed(factor, NOW) if is_match else fail(factor, NOW)
        in_a_row = 0 if is_match else in_a_row + 1
        assert factor.failures == in_a_row
        assert (factor.state is FactorState.LOCKED) == (in_a_row >= MAX_FAILURES)


def test_the_hundredth_failure_locks() -> None:
    factor = replace(FACTOR, failures=MAX_FAILURES - 1, state=FactorState.ACTIVE)
    assert fail(factor, LATER).state is FactorState.LOCKED


def test_a_code_that_is_out_when_a_factor_locks_unlocks_it() -> None:
    locked = replace(FACTOR, failures=MAX_FAILURES, state=FactorState.LOCKED)
    assert fail(locked, LATER).state is FactorState.LOCKED
    unlocked = succeed(fail(locked, LATER), LATER)
    assert (unlocked.state, unlocked.failures) == (FactorState.ACTIVE, 0)


def test_no_more_guesses_are_given_out_than_a_hundred_in_a_row() -> None:
    assert bears(replace(FACTOR, failures=95), 5)
    assert not bears(replace(FACTOR, failures=95), 6)
