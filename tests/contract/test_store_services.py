"""What every `Store` promises of services' challenges and their calls, on every database in `conftest`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.contract.making import NOW, make_call, make_challenge
from voicegate.application.storing import AttemptFilter, Conversion, Store, Transaction
from voicegate.domain.call import TEST_TRUNK
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.phone_number import Destination

NUMBER, OTHER_NUMBER = "+12025550101", "+12125550102"
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def stored(store: Store) -> Store:
    """Two calls of a verified challenge, one of another client's, one to a test number, and a plain one."""

    def work(tx: Transaction) -> None:
        verified = make_challenge("1", service="bank", state=ChallengeState.VERIFIED)
        other = make_challenge("2", service="shop", client="other", destination=Destination(OTHER_NUMBER))
        tested = make_challenge("3", service="bank", state=ChallengeState.VERIFIED)
        for challenge in (verified, other, tested, make_challenge("4")):
            tx.add_challenge(replace(challenge, issued_at=NOW + int(challenge.id[-1]) * MINUTE))
        for call in (
            make_call("1", "1"),
            make_call("2", "1", created_at=NOW + MINUTE),
            make_call("3", "2", created_at=NOW + 2 * MINUTE, destination=Destination(OTHER_NUMBER)),
            make_call("4", "3", created_at=NOW + 3 * MINUTE, trunk=TEST_TRUNK),
            make_call("5", "4", created_at=NOW + 4 * MINUTE),
        ):
            tx.add_call(call)

    await store.transact(work)
    return store


@pytest.mark.parametrize(
    ("wanted", "calls"),
    [
        (AttemptFilter(), [("call_3", False), ("call_2", True), ("call_1", False)]),
        (AttemptFilter(client="other"), [("call_3", False)]),
        (AttemptFilter(service="bank"), [("call_2", True), ("call_1", False)]),
        (AttemptFilter(challenge_id="ver_2"), [("call_3", False)]),
        (AttemptFilter(challenge_id="ver_3"), []),
        (AttemptFilter(challenge_id="ver_3", with_tests=True), [("call_4", True)]),
        (AttemptFilter(call_id="call_1"), [("call_1", False)]),
        (AttemptFilter(call_id="call_4"), []),
        (AttemptFilter(call_id="call_5", with_tests=True), []),
        (AttemptFilter(number=OTHER_NUMBER), [("call_3", False)]),
        (AttemptFilter(prefix="+1202"), [("call_2", True), ("call_1", False)]),
        (AttemptFilter(prefix="+_2"), []),
        (AttemptFilter(after=NOW + MINUTE), [("call_3", False), ("call_2", True)]),
        (AttemptFilter(before=NOW + MINUTE), [("call_1", False)]),
        (AttemptFilter(is_converted=True), [("call_2", True)]),
        (AttemptFilter(is_converted=False), [("call_3", False), ("call_1", False)]),
    ],
)
async def test_services_calls_are_found_newest_first(
    stored: Store, wanted: AttemptFilter, calls: list[tuple[str, bool]]
) -> None:
    found = await stored.attempts(wanted, 10)
    assert [(one.record.call.id, one.is_converted) for one in found] == calls
    assert all(one.challenge.id == one.record.call.challenge_id for one in found)
    assert [one.record.call.id for one in await stored.attempts(wanted, 1)] == [name for name, _ in calls[:1]]


async def test_calls_to_test_numbers_are_left_out_where_they_are_not_wanted(stored: Store) -> None:
    real = [record.call.id for record in await stored.recent_calls(9, with_tests=False)]
    assert real == ["call_5", "call_3", "call_2", "call_1"]
    assert len(await stored.recent_calls(9)) == 5


async def test_conversions_are_counted_by_number(stored: Store) -> None:
    counted = await stored.conversions(AttemptFilter())
    assert sorted(counted, key=lambda one: one.number) == [
        Conversion(NUMBER, 2, 1),
        Conversion(OTHER_NUMBER, 1, 0),
    ]
    assert await stored.conversions(AttemptFilter(client="nobody")) == []


async def test_a_services_newest_challenge_is_its_own(stored: Store) -> None:
    def work(tx: Transaction) -> list[str | None]:
        here, front_desk = Destination(NUMBER, "w4321"), Destination(NUMBER)
        found = [
            tx.newest_plain(here, client="tester", service="bank"),
            tx.newest_plain(here, client="tester", service=None),
            tx.newest_plain(here, client="other", service="bank"),
            tx.newest_plain(front_desk, client="tester", service="bank"),
        ]
        return [record.challenge.id if record else None for record in found]

    assert await stored.transact(work) == ["ver_3", "ver_4", None, None]
    newest = await stored.newest_plain(NUMBER, "tester", "bank")
    assert newest is not None
    assert (newest.challenge.id, newest.challenge.service) == ("ver_3", "bank")
    plain = await stored.newest_plain(NUMBER, "tester")
    assert plain is not None
    assert (plain.challenge.id, plain.challenge.service) == ("ver_4", None)
