"""A far end that sends a call to another number: policy decides on that number as on any other."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.application.conftest import ADMIN, SPACED, TESTER, UNHURRIED, Bench, trunk
from tests.unit.application.scripted import ScriptedLeg, answers
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.listing import AuditFilter
from voicegate.application.number_lists import ListRequest
from voicegate.application.ports import ChallengeRecord
from voicegate.application.sign_in import IssueRequest
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import CallPolicy, Deny, DenyReason, NumberList, PrefixRules
from voicegate.domain.policy.spend import Account, Cap, Rate, Rates, SpendKind, SpendPolicy, day_of
from voicegate.domain.policy.velocity import VelocityPolicy
from voicegate.domain.routing import Trunk

TARGET = "+12025550177"
RATE = Rate(60_000, 1, 1)
FOLLOWING = replace(UNHURRIED, follows_redirects=True)


@pytest.fixture
def trunks() -> tuple[Trunk, ...]:
    return (replace(trunk("first"), home_country="US"), trunk("second"))


def sent_to(number: str | None) -> Hangup:
    return Hangup(23, 302, forwarded_to=number)


def redirects(number: str | None) -> "object":
    async def plot(leg: ScriptedLeg) -> None:
        leg.tell(sent_to(number))

    return plot


async def called(bench: Bench, written: str | None, policy: CallPolicy = FOLLOWING) -> ChallengeRecord:
    """Call a telephone that sends its callers to `written`, where somebody answers."""
    bench.challenge_service.take_policy(policy)
    bench.pbx.plots = [redirects(written), answers]  # type: ignore[list-item]
    return await bench.settled(await bench.issue(extension="204"))


def last_step(record: ChallengeRecord) -> dict[str, object]:
    return dict(record.calls[0].timeline[-1].detail)


async def decisions(bench: Bench) -> list[tuple[str, str | None, str | None]]:
    entries = await bench.audit.entries(10, AuditFilter(action="verification.redirect"))
    return [(entry.decision, entry.rule, entry.number) for entry in entries]


@pytest.mark.parametrize("written", [TARGET, "12025550177", "2025550177", "(202) 555-0177"])
async def test_where_the_settings_say_so_the_number_is_called_that_the_far_end_names(
    bench: Bench, written: str
) -> None:
    record = await called(bench, written)
    first, second = record.calls
    assert first.outcome is not None
    assert first.outcome.outcome == "forwarded"
    assert second.call.destination == Destination(TARGET, "204")
    assert [leg.order.hop.number for leg in bench.pbx.legs] == ["+12025550101", TARGET]
    assert record.challenge.state == "delivered"
    assert await decisions(bench) == [("allowed", None, Destination(TARGET).masked)]


async def test_off_it_is_forwarded_and_nobody_else_is_called(bench: Bench) -> None:
    record = await called(bench, TARGET, UNHURRIED)
    (only,) = record.calls
    assert only.outcome is not None
    assert only.outcome.outcome == "forwarded"
    assert last_step(record)["forwarded_to"] == Destination(TARGET).masked
    assert "refused" not in last_step(record)
    assert (record.challenge.state, await decisions(bench)) == ("undeliverable", [])


async def test_where_the_pbx_does_not_tell_the_number_it_is_forwarded(bench: Bench) -> None:
    record = await called(bench, None)
    assert (len(record.calls), record.challenge.state) == (1, "undeliverable")
    assert "forwarded_to" not in last_step(record)


REFUSED = {
    "+449098790000": "country_not_allowed",
    "+19005550123": "number_type_not_allowed",
    "+12025559999": "prefix_denied",
    "204": "invalid_number",
    "attendant": "invalid_number",
    "anonymous\r\nAction: Originate": "invalid_number",
    "+12025550101": "call_in_progress",
}


@pytest.mark.parametrize(("written", "reason"), REFUSED.items())
async def test_what_policy_refuses_is_told_in_timeline_and_audit(
    bench: Bench, written: str, reason: str
) -> None:
    denied = PrefixRules({"+1202555999": "ours"})
    record = await called(bench, written, replace(FOLLOWING, prefixes=denied))
    assert (len(record.calls), len(bench.pbx.legs)) == (1, 1)
    assert record.challenge.state == "undeliverable"
    assert last_step(record)["refused"] == reason
    told = str(last_step(record)["forwarded_to"])
    assert written not in told
    assert told.isprintable()
    assert [decision for decision, *_ in await decisions(bench)] == [reason]


async def test_a_number_that_wants_no_calls_is_not_called_in_another_ones_place(bench: Bench) -> None:
    wanted = ListRequest(NumberList.DO_NOT_CALL, Destination(TARGET), "asked by letter")
    await bench.app.numbers.add(ADMIN, wanted)
    assert last_step(await called(bench, TARGET))["refused"] == "do_not_call"


async def test_its_calls_count_for_the_limits_of_the_number_that_rang(bench: Bench) -> None:
    """Who has many numbers forwarded to one rings it no oftener than who calls it."""
    policy = replace(SPACED, follows_redirects=True, velocity=VelocityPolicy(per_prefix=2))
    await called(bench, TARGET, policy)
    refused = await bench.sign_in.issue(IssueRequest(TESTER, ChallengeSpec(Destination(TARGET))))
    assert isinstance(refused, Deny)
    assert refused.reason is DenyReason.TOO_SOON
    # Two calls to two numbers of one range, of which one was asked for.
    near = ChallengeSpec(Destination("+12025550155"))
    refused = await bench.sign_in.issue(IssueRequest(TESTER, near))
    assert isinstance(refused, Deny)
    assert refused.reason is DenyReason.RATE_LIMITED


async def test_a_second_redirection_is_not_followed(bench: Bench) -> None:
    bench.challenge_service.take_policy(FOLLOWING)
    bench.pbx.plots = [redirects(TARGET), redirects("+12025550178"), answers]  # type: ignore[list-item]
    record = await bench.settled(await bench.issue())
    assert [call.call.destination.number for call in record.calls] == ["+12025550101", TARGET]
    assert record.challenge.state == "undeliverable"


async def test_the_new_number_has_all_trunks_within_the_same_time(bench: Bench) -> None:
    async def has_no_line(leg: ScriptedLeg) -> None:
        leg.tell(Hangup(34, 503))

    bench.challenge_service.take_policy(FOLLOWING)
    bench.pbx.plots = [redirects(TARGET), has_no_line, answers]  # type: ignore[list-item]
    record = await bench.settled(await bench.issue())
    tried = [(call.call.trunk, call.call.destination.number) for call in record.calls]
    assert tried == [("first", "+12025550101"), ("first", TARGET), ("second", TARGET)]
    assert record.challenge.state == "delivered"


async def test_no_redirection_is_followed_after_the_time_for_other_trunks(bench: Bench) -> None:
    late = bench.rebuilt(limits=replace(bench.rules.limits, failover=timedelta()), policy=FOLLOWING)
    bench.pbx.plots = [redirects(TARGET), answers]  # type: ignore[list-item]
    async with late.app.delivery:
        record = await late.settled(await late.issue())
    assert (len(record.calls), record.challenge.state) == (1, "undeliverable")


async def test_a_canceled_request_is_not_followed(bench: Bench) -> None:
    async def cancels(leg: ScriptedLeg) -> None:
        await bench.sign_in.cancel(TESTER, leg.order.call_id and created[0])
        leg.tell(sent_to(TARGET))

    created: list[str] = []
    bench.challenge_service.take_policy(FOLLOWING)
    bench.pbx.plots = [cancels, answers]
    created.append(await bench.issue())
    record = await bench.settled(created[0])
    assert (len(record.calls), record.challenge.state) == (1, "canceled")


async def test_its_cost_is_the_cost_of_the_call_that_was_answered(bench: Bench) -> None:
    spend = SpendPolicy(Rates({("*", "+1"): RATE}), {SpendKind.CLIENT: Cap(minutes=60)})
    await called(bench, TARGET, replace(FOLLOWING, spend=spend))
    client = Account(SpendKind.CLIENT, TESTER.name)
    range_called = Account(SpendKind.PREFIX, TESTER.name, TARGET[:-4])
    spent = await bench.store.transact(lambda tx: tx.spent((client, range_called), day_of(bench.clock.now())))
    # The clock stands still: however short, an answered call costs its first second.
    assert spent == {client: RATE.cost(timedelta(seconds=1)), range_called: RATE.cost(timedelta(seconds=1))}


async def test_a_cap_that_the_call_could_pass_refuses_it(bench: Bench) -> None:
    rates = Rates({("*", "+1202555010"): RATE})
    spend = SpendPolicy(rates, {SpendKind.CLIENT: Cap(micros=60_000_000)})
    record = await called(bench, TARGET, replace(FOLLOWING, spend=spend))
    assert last_step(record)["refused"] == "price_unknown"
