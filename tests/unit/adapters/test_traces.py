"""Traces of calls: what spans there are, what links them, what they never hold, and that they are sent."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.unit.application.conftest import NUMBER, TESTER, Bench, bench, limits, timings, trunk, trunks
from tests.unit.application.scripted import ScriptedLeg, answers
from tests.unit.test_metrics_served import BUSY, settings
from voicegate.adapters.traces import Traces
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.sign_in import Issued, IssueRequest
from voicegate.bootstrap import check, running
from voicegate.bootstrap.app import App
from voicegate.domain.call import Rang
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.client import Principal, Scope
from voicegate.domain.errors import ConfigError
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.routing import Routes
from voicegate.lab.deadlines import within

__all__ = ["bench", "limits", "timings", "trunks"]

STAGES: Final = ["queue", "originate", "ring", "human check", "reading"]


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
async def traced(bench: Bench, exporter: InMemorySpanExporter) -> AsyncIterator[Bench]:
    """The bench's use cases, traced."""
    traces = Traces(SimpleSpanProcessor(exporter))
    watched = replace(bench, adapters=replace(bench.adapters, observer=traces)).rebuilt()
    async with traces.sending(), watched.delivery:
        yield watched


def spans(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def written(exporter: InMemorySpanExporter) -> str:
    return "\n".join(span.to_json() for span in exporter.get_finished_spans())


async def test_a_call_is_one_trace_of_its_stages_in_their_order(
    traced: Bench, exporter: InMemorySpanExporter
) -> None:
    async def slowly(leg: ScriptedLeg) -> None:
        traced.clock.time += timedelta(seconds=3)
        await answers(leg)

    traced.pbx.plots = [slowly]
    record = await traced.settled(await traced.issue())
    (call,) = spans(exporter, "call")
    inside = [span for span in exporter.get_finished_spans() if span.name != "call"]
    names = list(dict.fromkeys(span.name for span in inside))
    assert names == STAGES
    assert call.parent is None
    for span in inside:
        assert span.parent is not None
        assert span.parent.span_id == call.context.span_id
        assert span.context.trace_id == call.context.trace_id
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time
    (originate,) = spans(exporter, "originate")
    assert (originate.end_time or 0) - (originate.start_time or 0) == 3_000_000_000
    told = dict(call.attributes or {})
    assert told["voicegate.call.id"] == record.calls[0].call.id
    assert (told["voicegate.outcome"], told["voicegate.trunk"]) == ("delivered", "carrier")
    assert [event.name for event in call.events][-1] == "ended"
    assert all((span.attributes or {})["voicegate.proven"] for span in spans(exporter, "reading"))


async def test_a_call_that_was_never_answered_ends_where_it_ended(
    traced: Bench, exporter: InMemorySpanExporter
) -> None:
    async def busy(leg: ScriptedLeg) -> None:
        leg.tell(Rang(), Hangup(cause=17))

    traced.pbx.plots = [busy]
    await traced.settled(await traced.issue())
    names = [span.name for span in exporter.get_finished_spans()]
    assert sorted(names) == sorted(["queue", "originate", "ring", "call"])
    (call,) = spans(exporter, "call")
    assert dict(call.attributes or {})["voicegate.cause"] == 17


async def test_each_trunk_that_is_tried_is_a_trace_of_its_own(
    bench: Bench, exporter: InMemorySpanExporter
) -> None:
    async def congested(leg: ScriptedLeg) -> None:
        leg.tell(Hangup(cause=34))

    traces = Traces(SimpleSpanProcessor(exporter))
    routes = Routes((trunk("first"), trunk("second")))
    watched = replace(bench, adapters=replace(bench.adapters, observer=traces)).rebuilt(routes=routes)
    watched.pbx.plots = [congested, answers]
    async with watched.delivery:
        await watched.settled(await watched.issue())
    calls = spans(exporter, "call")
    assert [dict(one.attributes or {})["voicegate.trunk"] for one in calls] == ["first", "second"]
    assert len({one.context.trace_id for one in calls}) == 2
    assert len({dict(one.attributes or {})["voicegate.challenge.id"] for one in calls}) == 1


async def test_a_guess_is_linked_to_the_call_whose_code_it_was(
    traced: Bench, exporter: InMemorySpanExporter
) -> None:
    challenge = await traced.issue()
    await traced.settled(challenge)
    await traced.sign_in.verify(TESTER, challenge, Passcode("000000"))
    await traced.sign_in.verify(TESTER, challenge, Passcode(traced.code(challenge)))
    (call,) = spans(exporter, "call")
    guesses = spans(exporter, "verify")
    assert [dict(span.attributes or {})["voicegate.result"] for span in guesses] == ["denied", "verified"]
    for span in guesses:
        (link,) = span.links
        assert (link.context.trace_id, link.context.span_id) == (call.context.trace_id, call.context.span_id)
        assert span.context.trace_id != call.context.trace_id
        assert span.parent is None


async def test_another_controller_links_to_the_same_trace(bench: Bench) -> None:
    """Nothing is remembered: the ids follow from the call's own id."""
    both = [InMemorySpanExporter(), InMemorySpanExporter()]
    watched = [
        replace(bench, adapters=replace(bench.adapters, observer=Traces(SimpleSpanProcessor(one)))).rebuilt()
        for one in both
    ]
    async with watched[0].delivery:
        challenge = await watched[0].issue()
        await watched[0].settled(challenge)
    await watched[1].sign_in.verify(TESTER, challenge, Passcode("000000"))
    (call,), (guess,) = spans(both[0], "call"), spans(both[1], "verify")
    assert guess.links[0].context.span_id == call.context.span_id


async def test_no_span_holds_a_number_or_a_code(traced: Bench, exporter: InMemorySpanExporter) -> None:
    challenge = await traced.issue(extension="4321", reference="Alice, room 7")
    await traced.settled(challenge)
    code = traced.code(challenge)
    await traced.sign_in.verify(TESTER, challenge, Passcode(code))
    text = written(exporter)
    assert "voicegate.trunk" in text
    caller_id = traced.rules.routes.trunks[0].caller_ids[0].number
    for secret in (NUMBER, NUMBER[1:], NUMBER[2:], caller_id, f'"{code}"', "4321", "Alice"):
        assert secret not in text


async def call_busy(app: App) -> None:
    """A call to its end."""
    principal = Principal("web", frozenset({Scope.VERIFICATIONS}), "req_1")
    issued = await app.sign_in.issue(IssueRequest(principal, ChallengeSpec(Destination.parse(BUSY))))
    assert isinstance(issued, Issued)
    async with within(20):
        while app.delivery.occupancy().in_progress.get("carrier"):
            await asyncio.sleep(0.05)


async def test_calls_are_sent_by_otlp_to_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        taken.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "voicegate-berlin")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    try:
        async with running(settings(tmp_path, enabled=False, traces=True)) as running_app:
            await call_busy(running_app)
    finally:
        await runner.cleanup()
    resources = [one for request in taken for one in request.resource_spans]
    names = {span.name for one in resources for scope in one.scope_spans for span in scope.spans}
    assert {"call", "queue", "originate", "ring"} <= names
    about = {one.key: one.value.string_value for one in resources[0].resource.attributes}
    assert about["service.name"] == "voicegate-berlin"


async def test_a_receiver_that_never_answers_delays_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicegate.adapters.traces._FLUSH_WITHIN_S", 0.2)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        async with running(settings(tmp_path, enabled=False, traces=True)) as running_app:
            await call_busy(running_app)
        assert not [
            thread for thread in threading.enumerate() if thread.name == "traces" and not thread.daemon
        ]


def test_traces_that_are_off_load_nothing() -> None:
    program = "import sys, voicegate.bootstrap; print(any('opentelemetry' in name for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_is_missing_is_told_with_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "voicegate.adapters.traces")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"traces\.enabled: .*pip install 'voicegate-pbx\[traces\]'"):
        check(settings(tmp_path, enabled=False, traces=True))
