"""Numbers on lists: trusted, blocked, not to be called, reported by their person."""

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from tests.unit.application.conftest import ADMIN, NUMBER, OTHER, SPACED, TESTER, UNHURRIED, Bench
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.factor_answers import FactorCalled
from voicegate.application.number_lists import ListRequest, Removed
from voicegate.application.sign_in import CalledAgain, Issued, IssueRequest
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.client import Principal
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason, NumberList, VelocityPolicy

WARD = Destination(NUMBER)
DAY = timedelta(days=1)


async def ask(bench: Bench, number: str = NUMBER, by: Principal = TESTER) -> Issued | Deny:
    answer = await bench.sign_in.issue(IssueRequest(by, ChallengeSpec(Destination(number))))
    assert isinstance(answer, Issued | Deny)
    if isinstance(answer, Issued):
        await bench.settled(answer.record.challenge.id)
    return answer


async def put(bench: Bench, kind: NumberList, **more: object) -> None:
    request = ListRequest(kind, WARD, "reception", **more)  # type: ignore[arg-type]
    await bench.app.numbers.add(ADMIN, request)


def reason(answer: object) -> DenyReason | None:
    return answer.reason if isinstance(answer, Deny) else None


async def test_a_trusted_number_may_ring_more_often_until_its_time_is_over(bench: Bench) -> None:
    bench.challenge_service.policy = SPACED
    assert isinstance(await ask(bench), Issued)
    assert reason(await ask(bench)) is DenyReason.TOO_SOON
    await put(bench, NumberList.TRUSTED, expires_at=bench.clock.time + DAY)
    assert isinstance(await ask(bench), Issued)
    bench.clock.time += DAY
    assert isinstance(await ask(bench), Issued)
    assert reason(await ask(bench)) is DenyReason.TOO_SOON


@pytest.mark.parametrize(
    ("policy", "number", "expected"),
    [
        (replace(UNHURRIED, allowed_countries=frozenset({"GB"})), NUMBER, DenyReason.COUNTRY_NOT_ALLOWED),
        (UNHURRIED, "+19002345678", DenyReason.NUMBER_TYPE_NOT_ALLOWED),
        (replace(UNHURRIED, velocity=VelocityPolicy(per_prefix=1)), NUMBER, DenyReason.RATE_LIMITED),
    ],
)
async def test_a_trusted_number_passes_no_other_rule(
    bench: Bench, policy: object, number: str, expected: DenyReason
) -> None:
    bench.challenge_service.policy = policy  # type: ignore[assignment]
    request = ListRequest(NumberList.TRUSTED, Destination(number), "ward", bench.clock.time + DAY)
    await bench.app.numbers.add(ADMIN, request)
    assert expected in [reason(await ask(bench, number)) for _ in range(2)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (NumberList.BLOCKED, DenyReason.NUMBER_BLOCKED),
        (NumberList.DO_NOT_CALL, DenyReason.DO_NOT_CALL),
    ],
)
async def test_a_number_on_a_list_is_called_for_nobody(
    bench: Bench, kind: NumberList, expected: DenyReason
) -> None:
    first = await ask(bench)
    assert isinstance(first, Issued)
    await put(bench, kind)
    assert [reason(await ask(bench, by=one)) for one in (TESTER, OTHER)] == [expected] * 2
    assert reason(await bench.sign_in.redial(TESTER, first.record.challenge.id)) is expected
    enrolled = await bench.enrollment.enroll(EnrollRequest(TESTER, "alice", WARD))
    assert reason(enrolled) is expected
    assert len(bench.pbx.legs) == 1
    assert isinstance(await bench.app.numbers.remove(ADMIN, ListRequest(kind, WARD, "mistake")), Removed)
    assert isinstance(await ask(bench), Issued)


async def test_a_reported_number_is_held_for_that_client_alone_and_for_a_time(bench: Bench) -> None:
    await put(bench, NumberList.REPORTED, client=TESTER.name, expires_at=bench.clock.time + DAY)
    refused = await ask(bench)
    assert isinstance(refused, Deny)
    assert (refused.reason, refused.retry_after) == (DenyReason.CALL_REPORTED, DAY)
    assert isinstance(await ask(bench, by=OTHER), Issued)
    bench.clock.time += DAY
    assert isinstance(await ask(bench), Issued)


async def test_the_audit_keeps_who_listed_a_number_and_why_and_the_lists_are_masked(bench: Bench) -> None:
    await put(bench, NumberList.BLOCKED)
    (entry,) = await bench.audit.entries(1, number=NUMBER)
    assert (entry.action, entry.client, entry.reason) == ("number.blocked", "root", "reception")
    (listed,) = await bench.app.numbers.find(NUMBER)
    assert (listed.number, listed.reason, listed.listed_by) == (WARD.masked, "reception", "root")
    assert NUMBER not in repr(await bench.app.numbers.all())
    assert await bench.app.numbers.find("+12025550102") == []
    await ask(bench)
    refused = next(one for one in await bench.audit.entries(5) if one.decision == "number_blocked")
    assert refused.rule == "numbers blocked"


async def test_a_number_that_is_on_no_list_cannot_be_taken_off(bench: Bench) -> None:
    request = ListRequest(NumberList.BLOCKED, WARD, "mistake")
    assert isinstance(await bench.app.numbers.remove(ADMIN, request), NotFound)


async def test_a_refused_shared_number_names_whom_to_ask_and_alerts_an_admin(bench: Bench) -> None:
    bench.challenge_service.policy = replace(SPACED, support_contact="the help desk")
    for subscriber in ("alice", "bob"):
        bench.clock.time += timedelta(minutes=10)
        enrolled = await bench.enrollment.enroll(EnrollRequest(TESTER, subscriber, WARD))
        assert isinstance(enrolled, FactorCalled)
        assert enrolled.challenge is not None
        await bench.settled(enrolled.challenge.challenge.id)
    with capture_logs() as logs:
        refused = await ask(bench)
    assert isinstance(refused, Deny)
    assert (refused.reason, refused.contact) == (DenyReason.TOO_SOON, "the help desk")
    assert [one["event"] for one in logs if one["log_level"] == "warning"] == [
        "call to a shared or listed number refused"
    ]
    alarm = next(one for one in await bench.audit.entries(2) if one.decision == "alarm")
    assert (alarm.action, alarm.number) == ("number.refused", WARD.masked)


async def test_a_number_of_one_person_raises_no_alert_when_it_is_asked_for_twice(bench: Bench) -> None:
    bench.challenge_service.policy = replace(SPACED, support_contact="the help desk")
    first = await ask(bench)
    assert isinstance(first, Issued)
    refused = await ask(bench)
    assert isinstance(refused, Deny)
    assert refused.contact == ""
    assert not [one for one in await bench.audit.entries(5) if one.decision == "alarm"]
    bench.clock.time += timedelta(seconds=30)
    assert isinstance(await bench.sign_in.redial(TESTER, first.record.challenge.id), CalledAgain)
