"""Gauges: how the daemon is, read when a page of metrics is asked for, so that they cost nothing between."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from voicegate.application.monitor import Condition, TrunkCondition
from voicegate.domain.policy.spend import MICROS, Cost, SpendKind
from voicegate.domain.webhook import MessageState

_MINUTE_S = 60
Key = TypeVar("Key", bound=tuple[str, ...])
_SHOWN_MESSAGES = (MessageState.PENDING, MessageState.GIVEN_UP)


@dataclass(frozen=True, slots=True)
class StoreGauges:
    """What the database's writer says of itself; none of it blocks."""

    undone: Callable[[], int]
    """Returns how many writes are queued or being done."""
    delay_s: Callable[[], float]
    """Returns how long a new write would wait, in seconds."""


class GaugeCollector(Collector):
    """Reads the gauges."""

    def __init__(self, look: Callable[[], Condition], store: StoreGauges) -> None:
        self._look = look
        self._store = store

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return no names: the registry would else read the gauges when they are registered."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges as they are."""
        now = self._look()
        yield from _of_calls(now)
        yield from _of_trunks(now)
        yield from _of_pbxs(now)
        yield from _of_costs(now)
        yield from self._of_store(now)

    def _of_store(self, now: Condition) -> Iterator[GaugeMetricFamily]:
        yield _gauge("voicegate_database_queued_writes", "Writes queued or being done", self._store.undone())
        text = "How long a new write would wait now, estimated"
        yield _gauge("voicegate_database_write_wait_seconds", text, self._store.delay_s())
        messages = {key: count for key, count in now.messages.items() if key[1] in _SHOWN_MESSAGES}
        yield _labelled(
            "voicegate_webhook_messages",
            "Messages of webhooks that are to be sent, or were given up",
            ("webhook", "state"),
            values={(webhook, str(state)): count for (webhook, state), count in messages.items()},
        )


def _of_calls(now: Condition) -> Iterator[GaugeMetricFamily]:
    yield _gauge("voicegate_calls_queued", "Calls that wait for a line", now.occupancy.queued)
    yield _gauge("voicegate_calls_queued_max", "The most that may wait", now.limits.queued)
    text = "The most calls in progress, over all trunks"
    yield _gauge("voicegate_calls_in_progress_max", text, now.limits.in_progress)
    text = "1 while new calls are refused because the daemon stops"
    yield _gauge("voicegate_stopping", text, int(now.is_stopping))


def _of_trunks(now: Condition) -> Iterator[GaugeMetricFamily]:
    in_progress = dict.fromkeys(now.trunk_limits, 0) | dict(now.occupancy.in_progress)
    name, text = "voicegate_calls_in_progress", "Calls in progress: lines in use"
    yield _labelled(name, text, ("trunk",), values={(trunk,): calls for trunk, calls in in_progress.items()})
    name, text = "voicegate_trunk_calls_in_progress_max", "The most calls in progress on a trunk"
    yield _labelled(
        name, text, ("trunk",), values={(trunk,): most for trunk, most in now.trunk_limits.items()}
    )
    yield _labelled(
        "voicegate_trunk_state",
        "1 for the state that the trunk is in, 0 for the others",
        ("trunk", "state"),
        values={
            (trunk, str(state)): int(state is own)
            for trunk, own in now.trunks.items()
            for state in TrunkCondition
        },
    )


def _of_pbxs(now: Condition) -> Iterator[GaugeMetricFamily]:
    name, text = "voicegate_pbx_connected", "1 while calls can be placed by the PBX"
    yield _labelled(name, text, ("pbx",), values={(pbx,): int(is_so) for pbx, is_so in now.connected.items()})
    yield _labelled(
        "voicegate_pbx_ping_seconds",
        "Round trip of a ping to the PBX (AMI or ESL), asked every ten seconds; absent while not connected",
        ("pbx",),
        values={(pbx,): took.total_seconds() for pbx, took in now.pings.items()},
    )


def _of_costs(now: Condition) -> Iterator[GaugeMetricFamily]:
    for kind in (SpendKind.TRUNK, SpendKind.COUNTRY):
        name, text = f"voicegate_{kind}_spent", f"What calls cost today (UTC), by {kind}"
        money, seconds = (
            _by_key(now, kind, lambda cost: cost.micros / MICROS),
            _by_key(now, kind, _seconds_of),
        )
        yield from _sums(f"{name}_money", f"{text}, in the rates' currency", kind, costs=money)
        yield from _sums(f"{name}_seconds", f"{text}, billed", kind, costs=seconds)
        cap = now.caps.get(kind)
        if cap is not None and cap.micros:
            text = f"The most money a {kind} may cost in a day"
            yield _gauge(f"{name}_money_max", text, cap.micros / MICROS)
        if cap is not None and cap.minutes:
            text = f"The longest time a {kind} may be billed in a day"
            yield _gauge(f"{name}_seconds_max", text, cap.minutes * _MINUTE_S)


def _by_key(
    now: Condition, kind: SpendKind, value: Callable[[Cost], float]
) -> Mapping[tuple[str], Sequence[float]]:
    """Return the costs of each trunk or country: of a country, one for each client."""
    found: dict[tuple[str], list[float]] = {}
    for account, cost in now.spent.items():
        if account.kind is kind:
            found.setdefault((account.key,), []).append(value(cost))
    return found


def _seconds_of(cost: Cost) -> float:
    return cost.seconds


def _sums(
    name: str, text: str, kind: SpendKind, *, costs: Mapping[tuple[str], Sequence[float]]
) -> Iterator[GaugeMetricFamily]:
    label = (str(kind),)
    yield _labelled(name, text, label, values={key: sum(each) for key, each in costs.items()})
    if kind is SpendKind.COUNTRY:
        # Its cap holds for each client: the sum of all says nothing of how near it is.
        highest = {key: max(each) for key, each in costs.items()}
        yield _labelled(f"{name}_highest", f"{text}, of the client with the most", label, values=highest)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _labelled(
    name: str, text: str, labels: tuple[str, ...], *, values: Mapping[Key, float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
