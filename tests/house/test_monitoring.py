"""What the monitoring page, the dashboard and the alerts name is what the daemon tells."""

import re
from datetime import timedelta
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.pages import ROOT
from voicegate.adapters.metrics import Metrics
from voicegate.adapters.metrics.gauges import StoreGauges
from voicegate.application.monitor import Condition, TrunkCondition
from voicegate.application.queueing import CallLimits, Occupancy
from voicegate.domain.policy.spend import MICROS, Account, Cap, Cost, SpendKind
from voicegate.domain.webhook import MessageState

PAGE: Final = ROOT / "docs/operate/monitoring.md"
NAME: Final = re.compile(r"\bvoicegate_[a-z_]+\b")


def a_condition() -> Condition:
    """One that has something of everything."""
    kinds = (SpendKind.TRUNK, SpendKind.COUNTRY)
    return Condition(
        occupancy=Occupancy({"carrier": 1}, queued=0),
        limits=CallLimits(),
        trunk_limits={"carrier": 30},
        trunks={"carrier": TrunkCondition.USABLE},
        connected={"main": True},
        pings={"main": timedelta(milliseconds=2)},
        spent={Account(kind, "", "x"): Cost(60, MICROS) for kind in kinds},
        caps=dict.fromkeys(kinds, Cap(minutes=1, micros=MICROS)),
        messages={("web", MessageState.PENDING): 1},
        is_stopping=False,
    )


def a_page() -> bytes:
    metrics = Metrics()
    metrics.watch(a_condition, StoreGauges(lambda: 0, lambda: 0.0))
    return metrics.page()


def told() -> dict[str, set[str]]:
    """The names of a page of metrics as they are written, by their types; those of the process not."""
    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(a_page().decode()):
        if family.name.startswith("voicegate_"):
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            names.setdefault(family.type, set()).add(family.name.removesuffix(suffix) + suffix)
    return names


def test_the_page_has_a_row_for_every_metric_and_for_no_other() -> None:
    rows = re.findall(r"^\| `(voicegate_\w+)` \| (\w+)", PAGE.read_text("utf-8"), re.MULTILINE)
    # In the text format an info is a gauge.
    written = {name: "gauge" if kind == "info" else kind for name, kind in rows}
    assert written == {name: kind for kind, names in told().items() for name in names}


def test_names_follow_prometheus_own_advice() -> None:
    names = told()
    assert all(name.endswith("_total") for name in names["counter"])
    assert not [name for name in names["gauge"] if name.endswith(("_total", "_count", "_sum", "_bucket"))]
    assert not [name for kind in names.values() for name in kind if re.search(r"_ms$|_milli|_minutes", name)]


@pytest.mark.parametrize("name", ["config/prometheus/voicegate.rules.yml", "config/grafana/voicegate.json"])
def test_what_alerts_and_dashboard_ask_for_exists(name: str) -> None:
    asked = set(NAME.findall((ROOT / name).read_text("utf-8")))
    names = told()
    parts = {f"{one}{part}" for one in names["histogram"] for part in ("_bucket", "_count", "_sum")}
    known = parts.union(*names.values())
    assert asked
    assert asked <= known, asked - known


def test_the_dashboard_shows_every_metric() -> None:
    shown = (ROOT / "config/grafana/voicegate.json").read_text("utf-8")
    hidden = {
        one for names in told().values() for one in names if not re.search(rf"\b{one}(_bucket)?\b", shown)
    }
    assert not hidden
