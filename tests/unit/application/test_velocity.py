"""Limits on calls hold exactly however many ask at once, and no client's limit is another's."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from tests.unit.application.conftest import OTHER, TESTER, UNHURRIED, Bench
from tests.unit.application.scripted import answers
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.sign_in import CalledAgain, Issued, IssueRequest
from voicegate.domain.client import Principal
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason, VelocityPolicy

OPEN = VelocityPolicy(timedelta(hours=1), 0, 0, 0, 0, 0, 0, 0)


def limit(bench: Bench, **limits: int) -> None:
    velocity = replace(OPEN, **limits)  # type: ignore[arg-type]
    bench.challenge_service.policy = replace(UNHURRIED, velocity=velocity)


async def ask(bench: Bench, number: str, by: Principal = TESTER, ip: str | None = None) -> Issued | Deny:
    spec = ChallengeSpec(Destination(number))
    answer = await bench.sign_in.issue(IssueRequest(replace(by, end_user_ip=ip), spec))
    assert isinstance(answer, Issued | Deny)
    return answer


def reasons(answers: list[Issued | Deny]) -> list[DenyReason]:
    return [one.reason for one in answers if isinstance(one, Deny)]


async def test_of_many_calls_at_once_to_one_range_no_more_than_the_limit_are_placed(bench: Bench) -> None:
    limit(bench, per_prefix=5)
    given = await asyncio.gather(*(ask(bench, f"+1202555{n * 7:04}") for n in range(20)))
    assert reasons(given) == [DenyReason.RATE_LIMITED] * 15
    assert isinstance(await ask(bench, "+12025560101"), Issued)


async def test_a_clients_limit_holds_up_no_other_client_and_no_code_that_is_out(bench: Bench) -> None:
    limit(bench, per_prefix=1, per_country=1, per_client=1)
    first = await ask(bench, "+12025550101")
    assert isinstance(first, Issued)
    assert reasons([await ask(bench, "+12025550111")]) == [DenyReason.RATE_LIMITED]
    assert isinstance(await ask(bench, "+12025550111", by=OTHER), Issued)
    challenge_id = first.record.challenge.id
    judged = await bench.sign_in.verify(TESTER, challenge_id, Passcode(bench.code(challenge_id)))
    assert str(getattr(judged, "result", "")) == "verified"


async def test_the_systems_limit_is_everybodys(bench: Bench) -> None:
    limit(bench, per_system=1)
    await ask(bench, "+12025550101")
    assert reasons([await ask(bench, "+12025550111", by=OTHER)]) == [DenyReason.RATE_LIMITED]


async def test_calls_again_count_and_the_window_ends(bench: Bench) -> None:
    limit(bench, per_prefix=2)
    bench.pbx.plots = [answers, answers]
    challenge_id = await bench.issue()
    await bench.settled(challenge_id)
    assert isinstance(await bench.sign_in.redial(TESTER, challenge_id), CalledAgain)
    await bench.settled(challenge_id)
    refused = await bench.sign_in.redial(TESTER, challenge_id)
    assert isinstance(refused, Deny)
    assert (refused.reason, refused.rule) == (DenyReason.RATE_LIMITED, "policy.calls_per_prefix")
    assert refused.retry_after is not None
    bench.clock.time += refused.retry_after
    assert isinstance(await ask(bench, "+12025550111"), Issued)


async def test_one_address_may_not_ask_for_ever(bench: Bench) -> None:
    limit(bench, per_end_user_ip=2)
    given = [await ask(bench, f"+1202555{n * 7:04}", ip="198.51.100.7") for n in range(3)]
    assert reasons(given) == [DenyReason.RATE_LIMITED]
    assert isinstance(await ask(bench, "+12025550171", ip="198.51.100.8"), Issued)


async def test_one_subscriber_may_not_have_telephones_without_end(bench: Bench) -> None:
    limit(bench, per_subscriber=1)
    enrolled = await bench.enrollment.enroll(EnrollRequest(TESTER, "ada", Destination("+12025550101")))
    assert not isinstance(enrolled, Deny)
    other = await bench.enrollment.enroll(EnrollRequest(TESTER, "bob", Destination("+12025550111")))
    assert not isinstance(other, Deny)
    await bench.enrollment.reset_all(TESTER, "ada")
    again = await bench.enrollment.enroll(EnrollRequest(TESTER, "ada", Destination("+12025550121")))
    assert isinstance(again, Deny)
    assert again.rule == "policy.calls_per_subscriber"


async def test_numbers_one_after_another_are_refused_unless_their_codes_are_entered(bench: Bench) -> None:
    limit(bench, sequential_numbers=3)
    given = [await ask(bench, f"+1202555{n:04}") for n in range(200, 203)]
    refused = await ask(bench, "+12025550203")
    assert reasons([refused]) == [DenyReason.SEQUENTIAL_NUMBERS]
    assert isinstance(await ask(bench, "+12025550199", by=OTHER), Issued)
    middle = given[1]
    assert isinstance(middle, Issued)
    challenge_id = middle.record.challenge.id
    await bench.sign_in.verify(TESTER, challenge_id, Passcode(bench.code(challenge_id)))
    assert isinstance(await ask(bench, "+12025550203"), Issued)


async def test_the_audit_has_the_rule_that_refused(bench: Bench) -> None:
    limit(bench, per_client=1)
    await ask(bench, "+12025550101")
    await ask(bench, "+12025550111")
    newest, oldest = await bench.audit.entries(2)
    assert (newest.decision, newest.rule) == ("rate_limited", "policy.calls_per_client")
    assert (oldest.decision, oldest.rule) == ("allowed", None)
