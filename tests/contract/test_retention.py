"""What stays when calls are deleted, and what of their numbers: on every database."""

from dataclasses import replace
from datetime import timedelta

from tests.contract.making import LIFETIME, NOW, make_call, make_challenge, open_challenge
from voicegate.application.listing import CallFilter
from voicegate.application.ports import CallRecord
from voicegate.application.retention import Kept, Retention
from voicegate.application.store_port import Store
from voicegate.domain.call import Call, CallState
from voicegate.domain.call_outcome import Blame, CallOutcome, Hangup, Outcome
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.phone_number import Destination, mask
from voicegate.domain.policy.spend import Account, Cost, Quote, Rate, Reservation, SpendKind

DAY = timedelta(days=1)
DELIVERED = CallOutcome(Outcome.DELIVERED, Blame.NOBODY, retry_safe=False)
NUMBER = make_challenge().destination.number
LATER = NOW + 200 * DAY


async def place(store: Store, name: str, call: Call, state: ChallengeState = ChallengeState.VERIFIED) -> None:
    """Store a challenge that is over and its call that ended."""
    at = call.created_at
    challenge = make_challenge(name, state=state, issued_at=at, expires_at=at + LIFETIME)
    await open_challenge(store, challenge, replace(call, state=CallState.QUEUED), None)
    await store.record(CallRecord(call, outcome=DELIVERED, hangup=Hangup(16)))


def ended(name: str, **more: object) -> Call:
    return replace(make_call(name, name), state=CallState.ENDED, answered_at=NOW, ended_at=NOW, **more)  # type: ignore[arg-type]


def kept(**days: float) -> Kept:
    whole = replace(Retention(), **{name: days * DAY for name, days in days.items()})
    return whole.kept(LATER)


async def test_trunks_figures_stay_when_the_calls_are_deleted(store: Store) -> None:
    for n, at in enumerate((NOW, NOW, NOW + DAY)):
        await place(store, str(n), ended(str(n), created_at=at))
    before = await store.trunk_figures(NOW - DAY)
    assert before[0].placed == 3
    # In batches of one challenge: the sums of a day come together from several.
    while await store.purge(kept(calls=1), 20):
        pass
    assert await store.recent_calls(9) == []
    assert await store.trunk_figures(NOW - DAY) == before
    (second,) = await store.trunk_figures(NOW.replace(hour=0, minute=0, second=0, microsecond=0) + DAY)
    assert second.placed == 1
    # What was deleted and what is there are told together.
    await place(store, "new", ended("new", created_at=NOW + 2 * DAY))
    (both,) = await store.trunk_figures(NOW - DAY)
    assert both.placed == 4


async def test_what_calls_cost_stays_by_country_and_client_and_not_by_person(store: Store) -> None:
    accounts = (
        Account(SpendKind.COUNTRY, "web", "US"),
        Account(SpendKind.PREFIX, "web", "+1202555"),
        Account(SpendKind.CLIENT, "web"),
        Account(SpendKind.SUBSCRIBER, "web", "anna"),
    )
    quotes = (Quote("carrier", Rate(1000, 1, 1), timedelta(seconds=60)),)
    today = NOW.date()
    await store.transact(lambda tx: tx.reserve("ver_1", Reservation(today, accounts, quotes)))
    assert {account.kind for account, _ in await store.spent_on(today)} == set(SpendKind)
    trunks = await store.spent_on(today, (SpendKind.TRUNK,))
    assert {account.kind for account, _ in trunks} == {SpendKind.TRUNK}
    await store.purge(kept(), 100)
    left = {account.kind: cost for account, cost in await store.spent_on(today)}
    assert left.keys() == {SpendKind.COUNTRY, SpendKind.CLIENT, SpendKind.TRUNK}
    assert left[SpendKind.COUNTRY] != Cost()


async def test_of_an_old_number_only_its_beginning_and_end_stay(store: Store) -> None:
    for n in range(5):
        await place(store, str(n), ended(str(n), created_at=NOW + n * DAY))
    await place(store, "open", ended("open", created_at=NOW), ChallengeState.DELIVERING)
    hidden = []
    young = kept(calls=1000, timelines=1000, numbers=200 - 3)
    while count := await store.purge(young, 2):
        hidden.append(count)
    # Calls 0 to 2 and the one of the open challenge; challenges 0 to 2.
    assert sum(hidden) == 7
    shown = {one.call.id: one.call.destination for one in await store.recent_calls(9)}
    assert {name for name, destination in shown.items() if destination.number == NUMBER} == {
        "call_3",
        "call_4",
    }
    assert shown["call_0"].number == shown["call_0"].masked == mask(NUMBER)
    assert shown["call_0"].country is None
    record = await store.challenge("ver_0")
    assert record is not None
    assert (record.challenge.destination.number, record.challenge.bucket) == (mask(NUMBER), mask(NUMBER))
    opened = await store.challenge("ver_open")
    assert opened is not None
    assert opened.challenge.destination.number == NUMBER
    found = await store.recent_calls(9, CallFilter(number=NUMBER))
    assert {one.call.id for one in found} == {"call_3", "call_4"}


async def test_a_number_is_kept_as_long_as_its_call_unless_the_settings_say_less(store: Store) -> None:
    await place(store, "1", ended("1", created_at=NOW))
    assert await store.purge(kept(calls=1000, timelines=1000), 100) == 0
    (found,) = await store.recent_calls(9)
    assert found.call.destination == Destination(NUMBER, "w4321")
