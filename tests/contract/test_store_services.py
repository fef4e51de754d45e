"""What every `Store` promises of services' challenges and their calls, on every database in `conftest`."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from tests.contract.making import NOW, make_call, make_challenge
from voicegate.application.listing import AuditFilter, CallFilter, Position, ServiceCallFilter, Summary
from voicegate.application.store_port import Store, Transaction
from voicegate.domain.call_outcome import Outcome
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.phone_number import Destination

NUMBER, OTHER_NUMBER = "+12025550101", "+12125550102"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FIRST = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-12)))


@pytest.fixture
async def stored(store: Store) -> Store:
    """Two calls of a verified challenge, one of another client's, one to a test number, and a plain one."""

    def work(tx: Transaction) -> None:
        verified = make_challenge("1", service="bank")
        other = make_challenge("2", service="shop", client="other", destination=Destination(OTHER_NUMBER))
        tested = make_challenge("3", service="bank")
        for challenge in (verified, other, tested, make_challenge("4")):
            tx.add_challenge(replace(challenge, issued_at=NOW + int(challenge.id[-1]) * MINUTE))
        for call in (
            # A name is no mark: only what is stored as a test is one.
            make_call("1", "1", trunk="test numbers"),
            make_call("2", "1", created_at=NOW + MINUTE),
            make_call("3", "2", created_at=NOW + 2 * MINUTE, destination=Destination(OTHER_NUMBER)),
            make_call("4", "3", created_at=NOW + 3 * MINUTE, trunk="tests", is_test=True),
            make_call("5", "4", created_at=NOW + 4 * MINUTE),
        ):
            tx.add_call(call)
        for challenge in (verified, tested, verified):
            tx.save_challenge(replace(challenge, state=ChallengeState.VERIFIED))

    await store.transact(work)
    return store


@pytest.mark.parametrize(
    ("wanted", "calls"),
    [
        (ServiceCallFilter(), [("call_3", False), ("call_2", True), ("call_1", False)]),
        (ServiceCallFilter(client="other"), [("call_3", False)]),
        (ServiceCallFilter(service="bank"), [("call_2", True), ("call_1", False)]),
        (ServiceCallFilter(challenge_id="ver_2"), [("call_3", False)]),
        (ServiceCallFilter(challenge_id="ver_3"), []),
        (ServiceCallFilter(challenge_id="ver_3", with_tests=True), [("call_4", True)]),
        (ServiceCallFilter(call_id="call_1"), [("call_1", False)]),
        (ServiceCallFilter(call_id="call_4"), []),
        (ServiceCallFilter(call_id="call_5", with_tests=True), []),
        (ServiceCallFilter(number=OTHER_NUMBER), [("call_3", False)]),
        (ServiceCallFilter(prefix="+1202"), [("call_2", True), ("call_1", False)]),
        (ServiceCallFilter(prefix="+_2"), []),
        (ServiceCallFilter(after=NOW + MINUTE), [("call_3", False), ("call_2", True)]),
        (ServiceCallFilter(before=NOW + MINUTE), [("call_1", False)]),
        (ServiceCallFilter(is_converted=True), [("call_2", True)]),
        (ServiceCallFilter(is_converted=False), [("call_3", False), ("call_1", False)]),
    ],
)
async def test_services_calls_are_found_newest_first(
    stored: Store, wanted: ServiceCallFilter, calls: list[tuple[str, bool]]
) -> None:
    found = await stored.service_calls(wanted, 10)
    assert [(one.record.call.id, one.is_converted) for one in found] == calls
    assert all(one.challenge.id == one.record.call.challenge_id for one in found)
    assert [one.record.call.id for one in await stored.service_calls(wanted, 1)] == [
        name for name, _ in calls[:1]
    ]


async def test_calls_to_test_numbers_are_left_out_where_they_are_not_wanted(stored: Store) -> None:
    real = [record.call.id for record in await stored.recent_calls(9, CallFilter(with_tests=False))]
    assert real == ["call_5", "call_3", "call_2", "call_1"]
    assert len(await stored.recent_calls(9)) == 5


@pytest.mark.parametrize(
    ("wanted", "summary"),
    [
        (ServiceCallFilter(), Summary(3, 1)),
        (ServiceCallFilter(client="tester"), Summary(2, 1)),
        (ServiceCallFilter(client="nobody"), Summary(0, 0)),
        (ServiceCallFilter(service="shop"), Summary(1, 0)),
        (ServiceCallFilter(country="US"), Summary(3, 1)),
        (ServiceCallFilter(country="CA"), Summary(0, 0)),
        (ServiceCallFilter(prefix="+1202"), Summary(2, 1)),
        (ServiceCallFilter(prefix="+_2"), Summary(0, 0)),
        (ServiceCallFilter(after=NOW), Summary(3, 1)),
        (ServiceCallFilter(after=NOW + MINUTE), Summary(2, 1)),
        (ServiceCallFilter(after=NOW + 2 * MINUTE, before=NOW + 3 * MINUTE), Summary(1, 0)),
        (ServiceCallFilter(before=NOW + MINUTE), Summary(1, 0)),
        (ServiceCallFilter(after=NOW - HOUR, before=NOW + HOUR), Summary(3, 1)),
        (ServiceCallFilter(after=NOW - 90 * DAY, before=NOW + 2 * MINUTE), Summary(2, 1)),
        (ServiceCallFilter(after=FIRST, before=LAST), Summary(3, 1)),
        (ServiceCallFilter(after=LAST, before=FIRST), Summary(0, 0)),
    ],
)
async def test_services_calls_are_summed_up(
    stored: Store, wanted: ServiceCallFilter, summary: Summary
) -> None:
    assert await stored.summary(wanted) == summary


@pytest.mark.parametrize("moment", [FIRST, LAST])
async def test_a_moment_at_either_end_of_time_is_a_moment(stored: Store, moment: datetime) -> None:
    found = [
        len(await stored.recent_calls(9, CallFilter(after=moment))),
        len(await stored.recent_calls(9, CallFilter(before=moment))),
    ]
    assert sorted(found) == [0, 5]
    assert await stored.audit(9, AuditFilter(after=moment)) == []
    assert await stored.audit(9, AuditFilter(before=moment)) == []


async def test_pages_leave_no_call_out_though_all_were_queued_at_once(store: Store) -> None:
    def work(tx: Transaction) -> None:
        tx.add_challenge(make_challenge())
        for n in range(9):
            tx.add_call(make_call(str(n)))

    await store.transact(work)
    seen: list[str] = []
    behind = None
    while page := await store.recent_calls(2, CallFilter(behind=behind)):
        seen += [record.call.id for record in page]
        behind = Position.of(page[-1].call)
    assert seen == [f"call_{n}" for n in range(8, -1, -1)]


@pytest.mark.parametrize(
    ("wanted", "calls"),
    [
        (CallFilter(client="tester"), ["call_5", "call_4", "call_2", "call_1"]),
        (CallFilter(number=OTHER_NUMBER), ["call_3"]),
        (CallFilter(number=OTHER_NUMBER, client="tester"), []),
        (CallFilter(trunk="tests"), ["call_4"]),
        (CallFilter(outcome=Outcome.BUSY), []),
        (CallFilter(after=NOW + MINUTE, before=NOW + 4 * MINUTE), ["call_4", "call_3", "call_2"]),
    ],
)
async def test_calls_are_found_by_what_is_known_of_them(
    stored: Store, wanted: CallFilter, calls: list[str]
) -> None:
    assert [record.call.id for record in await stored.recent_calls(9, wanted)] == calls


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
