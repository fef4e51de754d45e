"""How often a telephone rings, and how many guesses may be out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.making import make_challenge
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import (
    IN_PROGRESS_WAIT,
    Allow,
    CallPolicy,
    Deny,
    DenyReason,
    Guesses,
    PastCall,
    Target,
    bucket_of,
    may_issue,
    may_ring,
    next_call,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NUMBER = "+12025550101"
MOMENT = timedelta(microseconds=1)
PLAIN = Target(NUMBER, NUMBER)
POLICY = CallPolicy()


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def ended(*ages: float, lasted: float = 0, excused: bool = False) -> list[PastCall]:
    """Calls that were queued so many seconds ago."""
    return [
        PastCall(PLAIN, NOW - seconds(age), NOW - seconds(age - lasted), is_excused=excused) for age in ages
    ]


def live(*extensions: str, enrolled: tuple[str, ...] = ()) -> list[PastCall]:
    """Calls in progress to extensions of the number."""
    return [PastCall(target(one, enrolled), NOW - seconds(5)) for one in extensions]


def target(extension: str, enrolled: tuple[str, ...] = ()) -> Target:
    destination = Destination(NUMBER, extension or None)
    return Target(destination.telephone, bucket_of(destination, enrolled))


@pytest.mark.parametrize("spelled", ["204", "w204", "204WW", "2w04", "204#", "*204", "2,0,4"])
def test_a_telephone_is_the_same_however_its_extension_is_spelled(spelled: str) -> None:
    assert Destination(NUMBER, spelled).telephone == Destination(NUMBER, "204").telephone


@pytest.mark.parametrize("spelled", ["", "w", "WW", "#", "*w#", ","])
def test_an_extension_without_digits_is_none(spelled: str) -> None:
    assert Destination(NUMBER, spelled).telephone == Destination(NUMBER).telephone == NUMBER


def test_what_rings_is_not_called_by_anybody() -> None:
    for spelled in ("204", "w2w04#"):
        refused = may_ring(target(spelled), live("204"), [], policy=POLICY, now=NOW)
        assert refused == Deny(DenyReason.CALL_IN_PROGRESS, IN_PROGRESS_WAIT)


def test_made_up_extensions_share_what_a_number_may_have_in_progress() -> None:
    wide = replace(POLICY, calls_per_number=3)
    for policy, rings in ((POLICY, 1), (wide, 3)):
        made_up = [str(one) for one in range(100, 100 + rings)]
        room = may_ring(target("999"), live(*made_up[:-1]), [], policy=policy, now=NOW)
        full = may_ring(target("999"), live(*made_up), [], policy=policy, now=NOW)
        assert (room, full) == (Allow(), Deny(DenyReason.CALL_IN_PROGRESS, IN_PROGRESS_WAIT))


def test_an_extension_of_an_active_factor_has_a_call_of_its_own() -> None:
    enrolled = ("204", "w205")
    assert may_ring(target("204", enrolled), live("999"), [], policy=POLICY, now=NOW) == Allow()
    others = live("204", "205", enrolled=enrolled)
    assert may_ring(target("999", enrolled), others, [], policy=POLICY, now=NOW) == Allow()
    refused = may_ring(target("205", enrolled), others, [], policy=POLICY, now=NOW)
    assert refused == Deny(DenyReason.CALL_IN_PROGRESS, IN_PROGRESS_WAIT)


def test_a_number_without_extension_is_never_apart_from_made_up_ones() -> None:
    # A mobile telephone is enrolled without one, and rings whatever extension is made up for it.
    assert target("", ("204",)).bucket == target("1", ("204",)).bucket == NUMBER


@pytest.mark.parametrize(("calls", "wait"), [(1, 30), (2, 60), (3, 120), (4, 300), (5, 300), (9, 300)])
def test_each_call_waits_longer_for_the_next(calls: int, wait: float) -> None:
    for age, decision in ((wait, Allow()), (wait - 1, Deny(DenyReason.TOO_SOON, seconds(1)))):
        own = ended(*(age + 600 * n for n in range(calls)))
        assert may_ring(PLAIN, [], own, policy=POLICY, now=NOW) == decision
        left = decision.retry_after if isinstance(decision, Deny) else None
        assert next_call(PLAIN, own, policy=POLICY, now=NOW) == NOW + (left or timedelta())


def test_after_its_end_a_call_leaves_others_the_first_wait() -> None:
    own = ended(100, lasted=90)
    assert may_ring(PLAIN, [], own, policy=POLICY, now=NOW) == Deny(DenyReason.TOO_SOON, seconds(20))
    assert may_ring(PLAIN, [], own, policy=POLICY, now=NOW + seconds(20)) == Allow()


def test_calls_that_reached_nobody_or_were_proven_do_not_make_the_next_wait_longer() -> None:
    own = [*ended(25, 24, 23, excused=True), *ended(22)]
    assert may_ring(PLAIN, [], own, policy=POLICY, now=NOW + seconds(8)) == Allow()


@pytest.mark.parametrize(("age", "left"), [(0, 32), (2, 30), (31, 1)])
def test_a_call_that_ended_and_may_still_ring_counts_as_in_progress(age: float, left: float) -> None:
    unsafe = [PastCall(PLAIN, NOW - seconds(60), NOW - seconds(age))]
    refused = may_ring(PLAIN, unsafe, [], policy=POLICY, now=NOW)
    assert refused == Deny(DenyReason.CALL_IN_PROGRESS, seconds(left))


def test_a_call_in_progress_tells_the_longer_wait_where_that_is_the_clients_own() -> None:
    own = ended(40, 400, 800)
    refused = may_ring(PLAIN, live(""), own, policy=POLICY, now=NOW)
    assert refused == Deny(DenyReason.CALL_IN_PROGRESS, seconds(80))


def test_a_number_with_room_for_more_counts_so_many_calls_as_one() -> None:
    wide = replace(POLICY, calls_per_number=3)
    assert may_ring(PLAIN, [], ended(3, 2), policy=wide, now=NOW) == Allow()
    assert may_ring(PLAIN, [], ended(4, 3, 2), policy=wide, now=NOW) == Deny(DenyReason.TOO_SOON, seconds(26))


def test_a_clock_set_back_makes_no_wait_longer_than_it_is() -> None:
    own = ended(0)
    back = NOW - timedelta(hours=1)
    assert may_ring(PLAIN, [], own, policy=POLICY, now=back) == Deny(DenyReason.TOO_SOON, seconds(30))
    used = Guesses(5, [NOW] * 5, [])
    refused = may_issue(5, [used], window=seconds(300), now=back)
    assert refused == Deny(DenyReason.TOO_MANY_GUESSES, seconds(300))


def pending(left: int, expires_in: float) -> Guesses:
    challenge = make_challenge(
        issued_at=NOW,
        expires_at=NOW + seconds(expires_in),
        guesses_left=left,
        state=ChallengeState.DELIVERED,
    )
    return Guesses(20, [], [challenge])


def test_what_can_be_guessed_counts_as_what_was() -> None:
    codes = pending(5, 100).pending[0], pending(5, 200).pending[0], pending(5, 300).pending[0]
    assert may_issue(5, [Guesses(20, [], codes)], window=seconds(300), now=NOW) == Allow()
    full = Guesses(20, [NOW - seconds(10)], codes)
    refused = may_issue(5, [full], window=seconds(300), now=NOW)
    assert refused == Deny(DenyReason.TOO_MANY_GUESSES, seconds(100))
    over = Guesses(20, [], [replace(one, state=ChallengeState.VERIFIED) for one in codes])
    assert may_issue(20, [over], window=seconds(300), now=NOW) == Allow()


def test_the_first_code_is_always_issued() -> None:
    assert may_issue(20, [Guesses(5, [], [])], window=seconds(300), now=NOW) == Allow()


WINDOW = seconds(300)
budgets = st.lists(st.tuples(st.lists(st.integers(0, 400)), st.integers(1, 30)), min_size=1, max_size=3)


@given(budgets=budgets, attempts=st.integers(1, 10))
def test_a_code_is_issued_when_every_budget_has_room_and_else_exactly_when_it_says(
    budgets: list[tuple[list[int], int]], attempts: int
) -> None:
    def judged(now: datetime) -> Allow | Deny:
        return may_issue(
            attempts, (spent(ages, limit, now) for ages, limit in budgets), window=WINDOW, now=now
        )

    def spent(ages: list[int], limit: int, now: datetime) -> Guesses:
        made = sorted((NOW - seconds(age) for age in ages), reverse=True)
        return Guesses(limit, [at for at in made if at > now - WINDOW][:limit], [])

    counts = [(min(sum(age < 300 for age in ages), limit), limit) for ages, limit in budgets]
    has_room = all(out == 0 or out + attempts <= limit for out, limit in counts)
    decision = judged(NOW)
    assert (decision == Allow()) == has_room
    if isinstance(decision, Deny):
        assert decision.retry_after is not None
        assert judged(NOW + decision.retry_after) == Allow()
        assert judged(NOW + decision.retry_after - MOMENT) != Allow()


gaps = st.lists(st.tuples(st.integers(0, 900), st.integers(0, 60)), max_size=60)


@given(gaps=gaps)
def test_no_call_that_was_allowed_comes_too_soon_or_past_the_lock(gaps: list[tuple[int, int]]) -> None:
    policy = replace(POLICY, call_spacing=tuple(map(seconds, (30, 60, 120, 300))), call_lock_after=10)
    placed: list[PastCall] = []
    now = NOW
    for gap, lasts in gaps:
        now += seconds(gap)
        own = [call for call in placed if call.queued_at > now - policy.call_window]
        decision = may_ring(PLAIN, (), own, policy=policy, now=now)
        if isinstance(decision, Deny):
            assert decision.retry_after is not None
            then = now + decision.retry_after
            left = [call for call in placed if call.queued_at > then - policy.call_window]
            assert may_ring(PLAIN, (), left, policy=policy, now=then) == Allow()
            continue
        # While it rings nobody is called there, whatever the waits.
        placed.append(PastCall(PLAIN, now, now + seconds(lasts)))
        within = [call for call in placed if call.queued_at > now - policy.call_window]
        assert len(within) <= policy.call_lock_after
        if len(within) > 1:
            wait = policy.call_spacing[min(len(within) - 2, 3)]
            assert within[-1].queued_at - within[-2].queued_at >= wait
        now += seconds(lasts)
