"""Metrics for Prometheus: counters and histograms of what happened, and gauges of how the daemon is now.

Names follow Prometheus' own advice: base units, `_total` for counters, `_seconds` for times. Labels have few
values: trunks, PBXs and webhooks as they are named in the settings, countries, and words of ours; never a
number, an id or a client's text. Calls to test numbers are left out, because they say nothing about carriers
and people. Source: prometheus.io, "Metric and label naming".
"""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from voicegate import __version__
from voicegate.adapters.metrics.gauges import GaugeCollector, StoreGauges
from voicegate.application.monitor import Condition
from voicegate.application.observing import JudgedGuess
from voicegate.application.ports import CallRecord
from voicegate.domain.challenge import Challenge, GuessResult
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny
from voicegate.domain.policy.decisions import DenyReason

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
"""The `Content-Type` of a page of metrics."""

_STARTING: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)
_RINGING: Final = (0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30)
_ANSWERING: Final = (2, 4, 6, 8, 10, 15, 20, 25, 30, 40, 50, 60, 90)
_SPEAKING: Final = (5, 10, 15, 20, 25, 30, 35, 40, 50, 60, 75, 90, 120, 180)
_COMMITTING: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SCORES: Final = (1, 1.5, 2, 2.5, 2.8, 3.1, 3.4, 3.6, 3.8, 4, 4.1, 4.2, 4.3, 4.4)
_NOW: Final = timedelta()


@dataclass(frozen=True, slots=True)
class _Instant:
    """A step of a call whose time since the request is measured."""

    name: str
    text: str
    buckets: tuple[float, ...]
    event: str
    """The step's name in the timeline."""


_INSTANTS: Final = (
    _Instant("originate", "until the PBX was asked to call (INVITE)", _STARTING, "originated"),
    _Instant("ring", "until the telephone rang", _RINGING, "rang"),
    _Instant("answer", "until it was answered", _ANSWERING, "answered"),
    _Instant("code", "until the code had been spoken once", _SPEAKING, "reading_ended"),
)


class Metrics:
    """Counts what it observes; implements `Observer`.

    `look` is called for each page, in the event loop.
    """

    def __init__(self) -> None:
        # Prometheus 2 takes them for a second gauge of each counter.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it lacks its annotation
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        build = Info("voicegate_build", "The version that runs", registry=registry)
        build.info({"version": __version__, "python": platform.python_version()})
        by_end = ("outcome", "trunk", "country")
        self._calls = Counter("voicegate_calls", "Calls that ended", by_end, registry=registry)
        self._instants = {
            one.event: Histogram(
                f"voicegate_call_time_to_{one.name}_seconds",
                f"From the request for a call (or the end of the call that it replaces) {one.text}",
                ("trunk",),
                buckets=one.buckets,
                registry=registry,
            )
            for one in _INSTANTS
        }
        self._mos = Histogram(
            "voicegate_call_mos",
            "Mean opinion score of answered calls, 1 to 4.4, where packets were counted",
            ("trunk",),
            buckets=_SCORES,
            registry=registry,
        )
        self._guesses = Counter("voicegate_guesses", "Passcodes entered", ("result",), registry=registry)
        self._refusals = Counter(
            "voicegate_refusals", "Requests refused by policy", ("reason",), registry=registry
        )
        self._receipts = Counter("voicegate_receipts", "Receipts stored", registry=registry)
        self._count_machinery()
        self._begin_at_zero()

    def watch(self, look: Callable[[], Condition], store: StoreGauges) -> None:
        """Have each page say how the daemon is."""
        self._registry.register(GaugeCollector(look, store))

    def page(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def call_ended(self, record: CallRecord, challenge: Challenge) -> None:
        """Count a call, and measure its steps."""
        del challenge
        call = record.call
        if call.is_test or record.outcome is None:
            return
        self._calls.labels(str(record.outcome.outcome), call.trunk, country_of(call.destination)).inc()
        for event, at in _first_times(record).items():
            took = max(at - call.created_at, _NOW)  # the clock may have been set back
            self._instants[event].labels(call.trunk).observe(took.total_seconds())
        quality = record.hangup.quality if record.hangup else None
        if call.evidence.answered and quality is not None and (mos := quality.mos) is not None:
            self._mos.labels(call.trunk).observe(mos)

    def guess_judged(self, guess: JudgedGuess) -> None:
        """Count a guess."""
        self._guesses.labels(str(guess.result)).inc()

    def request_refused(self, refusal: Deny) -> None:
        """Count a refusal."""
        self._refusals.labels(str(refusal.reason)).inc()

    def receipt_made(self) -> None:
        """Count a receipt."""
        self._receipts.inc()

    def webhook_tried(self, webhook: str, *, is_taken: bool) -> None:
        """Count a try."""
        self._webhook_tries.labels(webhook, "taken" if is_taken else "failed").inc()

    def authentication_failed(self, why: str) -> None:
        """Count a request without valid credentials; `why` is one of few words."""
        self._failures.labels(why).inc()

    def committed(self, writes: int, seconds: float) -> None:
        """Measure a commit. May be called in any thread."""
        self._commits.observe(seconds)
        self._writes.inc(writes)

    def _count_machinery(self) -> None:
        """Create what is counted of webhooks, of strangers and of the database."""
        registry = self._registry
        self._webhook_tries = Counter(
            "voicegate_webhook_tries", "Messages sent to webhooks", ("webhook", "result"), registry=registry
        )
        self._failures = Counter(
            "voicegate_authentication_failures",
            "Requests whose sender could not be authenticated",
            ("why",),
            registry=registry,
        )
        self._commits = Histogram(
            "voicegate_database_commit_seconds",
            "Duration of a commit with its writes",
            buckets=_COMMITTING,
            registry=registry,
        )
        self._writes = Counter("voicegate_database_writes", "Writes committed", registry=registry)

    def _begin_at_zero(self) -> None:
        # A counter that is first seen at 1 has no increase: Prometheus would not notice the first of each.
        for result in GuessResult:
            self._guesses.labels(str(result))
        for reason in DenyReason:
            self._refusals.labels(str(reason))


def country_of(destination: Destination) -> str:
    """Return the label of a number's country."""
    return "internal" if destination.is_internal else destination.country or "unknown"


def _first_times(record: CallRecord) -> dict[str, datetime]:
    """Return when each measured step happened first; of readings, the first that was proven."""
    times: dict[str, datetime] = {}
    measured = {one.event for one in _INSTANTS}
    for entry in record.timeline:
        is_unproven = entry.event == "reading_ended" and not entry.detail.get("proven")
        if entry.event in measured and not is_unproven:
            times.setdefault(entry.event, entry.at)
    return times
