"""What metrics count: whole calls of the use cases, and the pages that a Prometheus reads."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.house.test_monitoring import a_condition
from tests.unit.application.conftest import NUMBER, TESTER, Bench, bench, limits, timings, trunk, trunks
from tests.unit.application.scripted import ScriptedLeg, answers
from voicegate.adapters.metrics import Metrics
from voicegate.adapters.metrics.gauges import StoreGauges
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.monitor import Monitor
from voicegate.application.sign_in import IssueRequest
from voicegate.bootstrap.monitoring import monitor_of
from voicegate.domain.call import Rang
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.call_quality import CallQuality
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import DenyReason, SpendPolicy
from voicegate.domain.policy.spend import MICROS, Account, Cap, Cost, Rate, Rates, SpendKind
from voicegate.domain.routing import Routes

__all__ = ["bench", "limits", "timings", "trunks"]

Sample = dict[tuple[str, ...], float]
MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def counted(bench: Bench, metrics: Metrics) -> AsyncIterator[Bench]:
    """The bench's use cases, counted."""
    watched = replace(bench, adapters=replace(bench.adapters, observer=metrics)).rebuilt()
    async with watched.delivery:
        yield watched


@pytest.fixture
def watching(counted: Bench, metrics: Metrics) -> Monitor:
    """What the gauges of the page come from."""
    made = monitor(counted)
    metrics.watch(made.look, StoreGauges(counted.store.undone_writes, counted.store.write_delay_s))
    return made


def monitor(watched: Bench) -> Monitor:
    return monitor_of(watched.app, watched.store, limits=watched.rules.limits)


def read(metrics: Metrics, name: str) -> Sample:
    """The samples of one name, by the values of their labels, in the order of the labels' names."""
    families = text_string_to_metric_families(metrics.page().decode())
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


async def busy(leg: ScriptedLeg) -> None:
    leg.tell(Rang(), Hangup(cause=17))


async def test_a_call_is_counted_once_by_outcome_trunk_and_country(counted: Bench, metrics: Metrics) -> None:
    counted.pbx.plots = [busy]
    await counted.settled(await counted.issue())
    await counted.settled(await counted.issue("+12025550102"))
    assert read(metrics, "voicegate_calls_total") == {("US", "busy", "carrier"): 2}
    for step, count in (("originate", 2), ("ring", 2)):
        assert read(metrics, f"voicegate_call_time_to_{step}_seconds_count") == {("carrier",): count}
    assert read(metrics, "voicegate_call_time_to_answer_seconds_count") == {}


async def test_the_time_to_each_step_is_measured_from_the_request(counted: Bench, metrics: Metrics) -> None:
    async def slowly(leg: ScriptedLeg) -> None:
        counted.clock.time += timedelta(seconds=3)
        await answers(leg)

    counted.pbx.plots = [slowly]
    await counted.settled(await counted.issue())
    assert read(metrics, "voicegate_call_time_to_originate_seconds_sum") == {("carrier",): 0}
    for step in ("ring", "answer", "code"):
        assert read(metrics, f"voicegate_call_time_to_{step}_seconds_sum") == {("carrier",): 3}


async def test_a_clock_that_is_set_back_makes_no_negative_time(counted: Bench, metrics: Metrics) -> None:
    async def back(leg: ScriptedLeg) -> None:
        counted.clock.time -= timedelta(hours=1)
        await answers(leg)

    counted.pbx.plots = [back]
    await counted.settled(await counted.issue())
    assert read(metrics, "voicegate_call_time_to_ring_seconds_sum") == {("carrier",): 0}


async def test_the_line_of_an_answered_call_is_scored(
    counted: Bench, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = CallQuality(codec="PCMU", packets_sent=1000, lost_sent=0, jitter_sent=MILLISECOND)
    monkeypatch.setattr(ScriptedLeg, "quality", line, raising=False)
    await counted.settled(await counted.issue())
    assert line.mos is not None
    assert read(metrics, "voicegate_call_mos_sum") == {("carrier",): line.mos}


async def test_guesses_and_refusals_are_counted(counted: Bench, metrics: Metrics) -> None:
    challenge = await counted.issue()
    await counted.settled(challenge)
    await counted.sign_in.verify(TESTER, challenge, Passcode("000000"))
    await counted.sign_in.verify(TESTER, challenge, Passcode(counted.code(challenge)))
    refused = await counted.sign_in.issue(
        IssueRequest(TESTER, ChallengeSpec(Destination.parse("+442079460000")))
    )
    assert refused.decision == DenyReason.COUNTRY_NOT_ALLOWED
    guesses = read(metrics, "voicegate_guesses_total")
    assert {key: value for key, value in guesses.items() if value} == {("denied",): 1, ("verified",): 1}
    refusals = read(metrics, "voicegate_refusals_total")
    assert {key: value for key, value in refusals.items() if value} == {("country_not_allowed",): 1}
    assert len(refusals) == len(DenyReason), "the first of each is an increase"


async def test_a_dry_run_counts_nothing(counted: Bench, metrics: Metrics) -> None:
    before = metrics.page()
    request = IssueRequest(TESTER, ChallengeSpec(Destination.parse("+442079460000")))
    await counted.sign_in.dry_run(request)
    assert read_of(metrics.page(), "voicegate_refusals_total") == read_of(before, "voicegate_refusals_total")


def read_of(page: bytes, name: str) -> list[bytes]:
    return [line for line in page.splitlines() if line.startswith(name.encode())]


@pytest.mark.usefixtures("watching")
async def test_lines_queue_and_trunks_are_as_they_are_when_they_are_read(
    counted: Bench, metrics: Metrics
) -> None:
    released = asyncio.Event()

    async def rings(leg: ScriptedLeg) -> None:
        leg.tell(Rang())
        await released.wait()
        leg.tell(Hangup(cause=17))

    counted.pbx.plots = [rings]
    challenge = await counted.issue()
    assert read(metrics, "voicegate_calls_in_progress") == {("carrier",): 1}
    assert read(metrics, "voicegate_trunk_calls_in_progress_max") == {("carrier",): 30}
    released.set()
    await counted.settled(challenge)
    assert read(metrics, "voicegate_calls_in_progress") == {("carrier",): 0}
    assert read(metrics, "voicegate_calls_queued") == {(): 0}
    counted.app.standings.unreachable = frozenset({"carrier"})
    states = read(metrics, "voicegate_trunk_state")
    assert [key for key, value in states.items() if value] == [("unreachable", "carrier")]


@pytest.mark.usefixtures("watching")
async def test_trunks_that_a_reload_brings_are_told_and_those_that_it_takes_are_not(
    counted: Bench, metrics: Metrics
) -> None:
    counted.app.trunks.routes.now = Routes((trunk("second"),))
    assert read(metrics, "voicegate_trunk_calls_in_progress_max").keys() == {("second",)}
    assert {key[1] for key in read(metrics, "voicegate_trunk_state")} == {"second"}


async def test_a_pbx_is_pinged_in_the_background_and_has_no_ping_while_it_is_away(
    counted: Bench, metrics: Metrics, watching: Monitor
) -> None:
    await watching.ask()
    assert read(metrics, "voicegate_pbx_ping_seconds") == {("main",): 0.003}
    assert read(metrics, "voicegate_pbx_connected") == {("main",): 1}
    counted.pbx.is_connected = False
    await watching.ask()
    assert read(metrics, "voicegate_pbx_ping_seconds") == {}
    assert read(metrics, "voicegate_pbx_connected") == {("main",): 0}


async def test_costs_are_told_by_trunk_and_country_and_never_by_person(
    bench: Bench, metrics: Metrics
) -> None:
    caps = {SpendKind.TRUNK: Cap(minutes=100, micros=50 * MICROS), SpendKind.SUBSCRIBER: Cap(minutes=9)}
    spend = SpendPolicy(Rates({("carrier", "+1"): Rate(MICROS)}), caps)
    policy = replace(bench.rules.policy, spend=spend)
    watched = bench.rebuilt(policy=policy)
    metrics.watch((watching := monitor(watched)).look, StoreGauges(lambda: 0, lambda: 0.0))
    async with watched.delivery:
        await watched.settled(await watched.issue())
        await watching.ask()
    assert read(metrics, "voicegate_trunk_spent_seconds").keys() == {("carrier",)}
    assert read(metrics, "voicegate_country_spent_money").keys() == {("US",)}
    assert read(metrics, "voicegate_trunk_spent_seconds_max") == {(): 6000}
    assert read(metrics, "voicegate_trunk_spent_money_max") == {(): 50}
    assert b"subscriber" not in metrics.page()


def test_a_countrys_cost_is_that_of_all_clients_and_what_is_near_its_cap_is_the_highest(
    metrics: Metrics,
) -> None:
    """Its cap holds for each client."""
    spent = {
        Account(SpendKind.COUNTRY, "web", "US"): Cost(120, 2 * MICROS),
        Account(SpendKind.COUNTRY, "app", "US"): Cost(300, 5 * MICROS),
    }
    metrics.watch(lambda: replace(a_condition(), spent=spent), StoreGauges(lambda: 0, lambda: 0.0))
    assert read(metrics, "voicegate_country_spent_money") == {("US",): 7}
    assert read(metrics, "voicegate_country_spent_money_highest") == {("US",): 5}
    assert read(metrics, "voicegate_country_spent_seconds") == {("US",): 420}
    assert read(metrics, "voicegate_country_spent_seconds_highest") == {("US",): 300}


async def test_what_the_database_does_not_answer_is_left_out(
    counted: Bench, metrics: Metrics, watching: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(_store: object, *_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("voicegate.application.monitor._WITHIN", timedelta(milliseconds=50))
    monkeypatch.setattr(type(counted.store), "spent_on", hangs)
    monkeypatch.setattr(type(counted.store), "message_counts", hangs)
    await watching.ask()
    assert read(metrics, "voicegate_webhook_messages") == {}
    assert read(metrics, "voicegate_pbx_ping_seconds") == {("main",): 0.003}


@pytest.mark.usefixtures("watching")
async def test_a_page_holds_no_number_no_id_and_no_client(counted: Bench, metrics: Metrics) -> None:
    challenge = await counted.issue()
    record = await counted.settled(challenge)
    page = metrics.page().decode()
    labels = {value for line in page.splitlines() for value in re.findall(r'="([^"]*)"', line)}
    assert not labels & {challenge, record.calls[0].call.id, NUMBER, TESTER.name}
    assert not [value for value in labels if re.search(r"\d{7,}", value)]


def test_a_commit_is_measured_from_any_thread(metrics: Metrics) -> None:
    metrics.committed(3, 0.02)
    assert read(metrics, "voicegate_database_writes_total") == {(): 3}
    assert read(metrics, "voicegate_database_commit_seconds_sum") == {(): 0.02}
