"""The dashboard: read by Grafana's own types, and its queries by Prometheus' own parser.

No Grafana is run: its licence (AGPL) keeps it out of this project's tests.
"""

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from grafana_foundation_sdk.models.prometheus import Dataquery

from tests.acceptance.test_alerts import promtool
from tests.pages import ROOT
from voicegate.lab.deadlines import at_most

__all__ = ["promtool"]

FILE: Final = ROOT / "config/grafana/voicegate.json"
DASHBOARD: Final[dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
PANELS: Final = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    return [target["expr"] for panel in PANELS for target in panel["targets"]]


def lost(written: Any, read: Any, path: str = "") -> list[str]:
    """Where something that is written is not there, or another, once it was read."""
    if isinstance(written, dict) and isinstance(read, dict):
        return [at for key in written for at in lost(written[key], read.get(key), f"{path}.{key}")]
    if isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        pairs = enumerate(zip(written, read, strict=True))
        return [at for index, (one, other) in pairs for at in lost(one, other, f"{path}[{index}]")]
    return [] if written == read else [path]


def test_grafanas_own_types_hold_all_of_it() -> None:
    register_default_plugins()
    read = Dashboard.from_json(DASHBOARD)
    assert not lost(DASHBOARD, json.loads(JSONEncoder().encode(read)))
    typed = [target for panel in read.panels or () for target in getattr(panel, "targets", None) or ()]
    assert len(typed) == len(queries())
    assert all(isinstance(target, Dataquery) for target in typed)


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


def test_every_variable_is_declared_and_no_data_source_is_ours() -> None:
    declared = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", FILE.read_text("utf-8")))
    assert used - {"__rate_interval", "__all"} == declared
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}


def test_prometheus_parses_every_query(promtool: tuple[str, ...], tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{index}", "expr": query.replace("$__rate_interval", "5m")}
        for index, query in enumerate(queries())
    ]
    file = tmp_path / "queries.json"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(
        [*promtool, "check", "rules", "--lint=none", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=at_most(60),
    )
    assert not done.returncode, done.stderr
    assert f"{len(rules)} rules found" in done.stdout


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_panel_says_its_unit(panel: dict[str, Any]) -> None:
    assert panel["fieldConfig"]["defaults"]["unit"]
    seconds = all(re.search(r"_seconds", target["expr"]) for target in panel["targets"])
    counted = any("cpu" in target["expr"] for target in panel["targets"])
    assert not seconds or counted or panel["fieldConfig"]["defaults"]["unit"] == "s"
