"""OpenTelemetry traces: one for each call, made of its timeline when it has ended; one for each guess.

Nothing is kept or sent while a call lives. A call's trace and its first span have ids that follow from the
call's own id, so that a guess, which may come to another controller or after a restart, can be linked to it.
No attribute holds a number, a code, a client's own note or a key that was pressed. Where spans are sent is
set by OpenTelemetry's own environment variables. Source: opentelemetry.io, "OpenTelemetry Environment
Variable Specification".
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, cast

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from voicegate import __version__
from voicegate.adapters.traces.stages import stages_of
from voicegate.application.observing import JudgedGuess
from voicegate.application.ports import CallRecord
from voicegate.domain.call_outcome import Blame
from voicegate.domain.challenge import Challenge
from voicegate.domain.policy import Deny

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FLUSH_WITHIN_S: Final = 5.0
"""How long the daemon waits for the last spans to be sent when it stops."""


class Traces:
    """Traces what it observes; implements `Observer`."""

    def __init__(self, processor: SpanProcessor) -> None:
        self._ids = _Ids()
        named = Resource.create({"service.name": "voicegate", "service.version": __version__})
        self._provider = TracerProvider(
            # The environment's own names win.
            resource=named.merge(OTELResourceDetector().detect()),
            id_generator=cast(IdGenerator, self._ids),
            # It would wait for a receiver that is away, with no bound of ours.
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("voicegate", __version__)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send what is left when the context ends, for five seconds at most."""
        try:
            yield
        finally:
            # A daemon: a receiver that takes no bytes must not keep the process from ending.
            ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
            ending.start()
            await asyncio.to_thread(ending.join, _FLUSH_WITHIN_S)

    def call_ended(self, record: CallRecord, challenge: Challenge) -> None:
        """Make the trace of a call."""
        call = record.call
        self._ids.give(call.id)
        root = self._tracer.start_span(
            "call",
            context=Context(),
            kind=SpanKind.CLIENT,
            attributes=_attributes(record, challenge),
            start_time=_ns(call.created_at),
        )
        inside, ended_at = set_span_in_context(root, Context()), call.ended_at or call.created_at
        for entry in record.timeline:
            root.add_event(entry.event, timestamp=_ns(entry.at))
        for stage in stages_of(record):
            span = self._tracer.start_span(
                stage.name, context=inside, attributes=dict(stage.attributes), start_time=_ns(stage.began)
            )
            span.end(_ns(max(stage.ended, stage.began)))
        if record.outcome is not None and record.outcome.blame is Blame.US:
            root.set_status(Status(StatusCode.ERROR, str(record.outcome.outcome)))
        root.end(_ns(max(ended_at, call.created_at)))

    def guess_judged(self, guess: JudgedGuess) -> None:
        """Make the trace of a guess, linked to the call whose code it was to be."""
        links = [] if guess.call_id is None else [Link(_context_of(guess.call_id))]
        attributes = {"voicegate.result": str(guess.result), "voicegate.challenge.id": guess.challenge_id}
        span: Span = self._tracer.start_span(
            "verify", context=Context(), attributes=attributes, links=links, start_time=_ns(guess.at)
        )
        span.end(_ns(guess.at))

    def request_refused(self, refusal: Deny) -> None:
        """Trace nothing: no call came of it."""

    def receipt_made(self) -> None:
        """Trace nothing."""

    def webhook_tried(self, webhook: str, *, is_taken: bool) -> None:
        """Trace nothing."""


def traces_by_otlp() -> Traces:
    """Return traces that are sent by OTLP over HTTP, as the environment's `OTEL_EXPORTER_OTLP_*` say; by
    default to port 4318 of this machine."""
    return Traces(BatchSpanProcessor(OTLPSpanExporter()))


class _Ids:
    """Gives a call's first span its ids, and all others random ones; used in the event loop only."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()
        self._next: SpanContext | None = None

    def give(self, call_id: str) -> None:
        """Let the next span be the first of a call."""
        self._next = _context_of(call_id)

    def generate_trace_id(self) -> int:
        """Return the id of a new trace; it is asked for before the span's."""
        return self._random.generate_trace_id() if self._next is None else self._next.trace_id

    def generate_span_id(self) -> int:
        """Return the id of a new span."""
        given, self._next = self._next, None
        return self._random.generate_span_id() if given is None else given.span_id

    def is_trace_id_random(self) -> bool:
        """Return whether they are spread evenly, as a sampler needs: a digest is."""
        return True


def _context_of(call_id: str) -> SpanContext:
    """Return the ids of a call's first span."""
    digest = sha256(f"voicegate trace {call_id}".encode()).digest()
    return SpanContext(
        trace_id=int.from_bytes(digest[:16]),
        span_id=int.from_bytes(digest[16:24]),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def _attributes(record: CallRecord, challenge: Challenge) -> Mapping[str, AttributeValue]:
    call, outcome, hangup = record.call, record.outcome, record.hangup
    quality = hangup.quality if hangup else None
    told: dict[str, AttributeValue | None] = {
        "voicegate.call.id": call.id,
        "voicegate.challenge.id": challenge.id,
        "voicegate.client": challenge.client,
        "voicegate.trunk": call.trunk,
        "voicegate.country": call.destination.country,
        "voicegate.is_test": call.is_test,
        "voicegate.evidence": call.evidence.strongest.name.lower(),
        "voicegate.outcome": str(outcome.outcome) if outcome else None,
        "voicegate.blame": str(outcome.blame) if outcome else None,
        "voicegate.cause": (hangup.cause or None) if hangup else None,
        "voicegate.sip_status": hangup.sip_status if hangup else None,
        "voicegate.gave_up": str(hangup.gave_up) if hangup and hangup.gave_up else None,
        "voicegate.sip_call_id": quality.sip_call_id if quality else None,
        "voicegate.codec": quality.codec if quality else None,
        "voicegate.mos": quality.mos if quality else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND * 1000
