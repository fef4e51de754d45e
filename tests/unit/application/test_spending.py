"""What calls may cost holds exactly, however many ask at once; the real cost takes the worst case's place."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from tests.unit.application.conftest import OTHER, TESTER, UNHURRIED, Bench, trunk
from tests.unit.application.scripted import Plot, ScriptedLeg, answers
from tests.unit.application.test_velocity import OPEN, ask, reasons
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.enrollment import EnrollRequest
from voicegate.application.sign_in import CalledAgain, Issued, IssueRequest
from voicegate.domain.call import Answered, Rang
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny, DenyReason, SpendPolicy, VelocityPolicy
from voicegate.domain.policy.spend import (
    Account,
    Cap,
    Cost,
    Rate,
    Rates,
    SpendKind,
    account_of,
    day_of,
)
from voicegate.domain.routing import Trunk

RATES = Rates({("*", "+1"): Rate(60_000, 1, 1)})
CLIENT = Account(SpendKind.CLIENT, "tester")


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


def failing(cause: int, sip_status: int) -> Plot:
    async def fails(leg: ScriptedLeg) -> None:
        leg.tell(Hangup(cause=cause, sip_status=sip_status))

    return fails


def cap(bench: Bench, rates: Rates = RATES, /, **caps: Cap) -> None:
    spend = SpendPolicy(rates, {SpendKind(kind): amount for kind, amount in caps.items()})
    bench.challenge_service.policy = replace(UNHURRIED, velocity=OPEN, spend=spend)


def worst(bench: Bench) -> Cost:
    return RATES.by_prefix["*", "+1"].cost(bench.delivery.longest_call(None))


async def spent(bench: Bench, account: Account = CLIENT) -> Cost:
    found = await bench.store.transact(lambda tx: tx.spent([account], day_of(bench.clock.now())))
    return found[account]


@pytest.mark.parametrize("kind", [kind for kind in SpendKind if kind is not SpendKind.SUBSCRIBER])
async def test_of_many_calls_at_once_no_more_are_placed_than_the_cap_allows(
    bench: Bench, kind: SpendKind
) -> None:
    bench.pbx.plots = [rings]
    cap(bench, **{str(kind): Cap(micros=3 * worst(bench).micros)})
    given = await asyncio.gather(*(ask(bench, f"+1202555{n * 7:04}") for n in range(8)))
    refused = [one for one in given if isinstance(one, Deny)]
    assert [(one.reason, one.rule) for one in refused] == [
        (DenyReason.SPEND_LIMITED, f"spend.money_per_{kind}")
    ] * 5
    other = await ask(bench, "+12025550999", by=OTHER)
    assert isinstance(other, Deny) == (kind is SpendKind.TRUNK)


async def test_a_persons_cap_is_over_all_their_telephones(bench: Bench) -> None:
    bench.pbx.plots = [rings]
    cap(bench, subscriber=Cap(micros=worst(bench).micros))
    first = await bench.enrollment.enroll(EnrollRequest(TESTER, "ada", Destination("+12025550101")))
    assert not isinstance(first, Deny)
    await bench.enrollment.reset_all(TESTER, "ada")
    bench.pbx.plots = [rings]
    second = await bench.enrollment.enroll(EnrollRequest(TESTER, "ada", Destination("+12025550111")))
    assert isinstance(second, Deny)
    assert second.rule == "spend.money_per_subscriber"
    assert not isinstance(
        await bench.enrollment.enroll(EnrollRequest(TESTER, "bob", Destination("+12025550121"))), Deny
    )


async def test_at_a_calls_end_its_real_cost_takes_the_place_of_the_worst_case(bench: Bench) -> None:
    cap(bench, client=Cap(micros=worst(bench).micros))
    picked_up = asyncio.Event()

    async def talks(leg: ScriptedLeg) -> None:
        leg.tell(Rang(), Answered())
        leg.on_play = lambda clip, keys: picked_up.set()

    bench.pbx.plots = [talks]
    challenge_id = await bench.issue()
    assert await spent(bench) == worst(bench)
    assert reasons([await ask(bench, "+12025550111")]) == [DenyReason.SPEND_LIMITED]
    await picked_up.wait()
    bench.clock.time += timedelta(seconds=12)
    bench.pbx.legs[0].tell(Hangup(cause=16))
    record = await bench.settled(challenge_id)
    call = record.calls[0].call
    assert call.answered_at is not None
    assert call.ended_at is not None
    real = RATES.by_prefix["*", "+1"].cost(call.ended_at - call.answered_at)
    assert await spent(bench) == real != worst(bench)
    assert await spent(bench, account_of("carrier")) == real


async def test_what_nobody_answered_costs_nothing_and_calls_again_count(bench: Bench) -> None:
    cap(bench, client=Cap(micros=worst(bench).micros))
    bench.pbx.plots = [failing(17, 486), failing(17, 486)]
    challenge_id = await bench.issue()
    await bench.settled(challenge_id)
    assert await spent(bench) == Cost()
    assert isinstance(await bench.sign_in.redial(TESTER, challenge_id), CalledAgain)
    assert await spent(bench) == worst(bench)
    await bench.settled(challenge_id)
    assert await spent(bench) == Cost()
    cap(bench, client=Cap(micros=1))
    refused = await bench.sign_in.redial(TESTER, challenge_id)
    assert isinstance(refused, Deny)
    assert refused.rule == "spend.money_per_client"


async def test_the_cap_is_new_on_the_next_day(bench: Bench) -> None:
    bench.pbx.plots = [rings]
    cap(bench, client=Cap(minutes=-(-worst(bench).seconds // 60)))
    assert isinstance(await ask(bench, "+12025550101"), Issued)
    refused = await ask(bench, "+12025550111")
    assert isinstance(refused, Deny)
    assert refused.retry_after == timedelta(days=1)
    bench.clock.time += refused.retry_after
    assert isinstance(await ask(bench, "+12025550111"), Issued)


class TestTwoTrunks:
    @pytest.fixture
    def trunks(self) -> tuple[Trunk, ...]:
        return (trunk("first"), trunk("second"))

    async def test_what_may_fail_over_is_held_at_both_trunks(self, bench: Bench) -> None:
        bench.pbx.plots = [rings]
        cap(bench, trunk=Cap(micros=worst(bench).micros))
        await ask(bench, "+12025550101")
        refused = await ask(bench, "+12025550111")
        assert reasons([refused]) == [DenyReason.SPEND_LIMITED]

    async def test_a_call_that_failed_over_is_paid_by_the_trunk_that_it_used(self, bench: Bench) -> None:
        cap(bench, Rates({("first", "+1"): Rate(0, 1, 1), ("second", "+1"): Rate(60_000, 30, 1)}))
        bench.pbx.plots = [failing(38, 503), answers]
        record = await bench.settled(await bench.issue())
        assert [one.call.trunk for one in record.calls] == ["first", "second"]
        assert await spent(bench) == Cost(30, 30_000)
        assert await spent(bench, account_of("second")) == Cost(30, 30_000)
        assert await spent(bench, account_of("first")) == Cost()

    async def test_a_trunk_without_a_price_is_not_used_where_money_is_capped(self, bench: Bench) -> None:
        cap(bench, Rates({("second", "+1"): Rate(1, 1, 1)}), client=Cap(micros=10**9))
        issued = await ask(bench, "+12025550101")
        assert isinstance(issued, Issued)
        assert issued.record.calls[0].call.trunk == "second"


async def test_a_number_without_a_price_is_refused_where_money_is_capped(bench: Bench) -> None:
    cap(bench, Rates({("*", "+44"): Rate(1, 1, 1)}), client=Cap(micros=10**9))
    assert reasons([await ask(bench, "+12025550101")]) == [DenyReason.PRICE_UNKNOWN]


async def test_all_limits_together_ask_the_database_a_few_times_for_a_request(bench: Bench) -> None:
    cap(bench, client=Cap(micros=10**12), country=Cap(minutes=10**6))
    service = bench.challenge_service
    service.policy = replace(service.policy, velocity=VelocityPolicy())
    asked: list[str] = []
    event.listen(bench.store._writing, "before_cursor_execute", lambda *given: asked.append(given[2]))
    await bench.sign_in.dry_run(IssueRequest(TESTER, ChallengeSpec(Destination("+12025550155"))))
    assert len(asked) <= 24, "\n".join(asked)
