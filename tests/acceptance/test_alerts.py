"""The alert rules, checked and run by Prometheus' own promtool: each fires when it should, and not before."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.house.test_monitoring import a_page
from tests.pages import ROOT
from voicegate.lab.deadlines import at_most
from voicegate.lab.packages import ensure_packages, no_progress, unpacked_command

RULES: Final = ROOT / "config/prometheus/voicegate.rules.yml"
PAGE: Final = ROOT / "docs/operate/monitoring.md"
WHO: Final = {"instance": "vg:9770", "job": "voicegate"}
CALLS, GUESSES = "voicegate_calls_total", "voicegate_guesses_total"


@pytest.fixture(scope="session")
def promtool() -> tuple[str, ...]:
    """Debian's, of the package `prometheus`."""
    root = ensure_packages(("prometheus",), suites=(), progress=no_progress)
    return unpacked_command(root, "usr/bin/promtool")


def series(name: str, values: str, **labels: str) -> dict[str, str]:
    """A time series, with a value each minute, in promtool's notation."""
    written = ",".join(f'{key}="{value}"' for key, value in (WHO | labels).items())
    return {"series": f"{name}{{{written}}}", "values": values}


@dataclass(frozen=True)
class Case:
    """What makes an alert fire, by which minute, and the like of it that must not."""

    alert: str
    minute: int
    fires: list[dict[str, str]]
    quiet: list[dict[str, str]]
    labels: dict[str, str]
    step: str = "1m"
    """How often the rules are judged."""


def of_calls(good: str, bad: str) -> list[dict[str, str]]:
    labels = {"trunk": "carrier", "country": "US"}
    return [
        series(CALLS, good, outcome="delivered", **labels),
        series(CALLS, bad, outcome="no_answer", **labels),
    ]


def of_histogram(name: str, low: str, high: str, *, le: tuple[str, str]) -> list[dict[str, str]]:
    """One of two buckets: as many as `low` are up to the first bound, `high` are in all."""
    return [
        series(f"{name}_bucket", low, trunk="carrier", le=le[0]),
        series(f"{name}_bucket", high, trunk="carrier", le=le[1]),
        series(f"{name}_bucket", high, trunk="carrier", le="+Inf"),
        series(f"{name}_count", high, trunk="carrier"),
    ]


def gauge(name: str, value: float, **labels: str) -> list[dict[str, str]]:
    return [series(name, f"{value}x200", **labels)]


CARRIER: Final = {"trunk": "carrier"}
CASES: Final = (
    Case("VoicegateDown", 3, gauge("up", 0), gauge("up", 1), {}),
    Case(
        "VoicegatePbxDisconnected",
        2,
        gauge("voicegate_pbx_connected", 0, pbx="main"),
        [series("voicegate_pbx_connected", "1 0 1x200", pbx="main")],
        {"pbx": "main"},
    ),
    Case(
        "VoicegatePbxSlow",
        4,
        gauge("voicegate_pbx_ping_seconds", 2.5, pbx="main"),
        gauge("voicegate_pbx_ping_seconds", 0.02, pbx="main"),
        {"pbx": "main"},
    ),
    Case(
        "VoicegateTrunkDown",
        4,
        gauge("voicegate_trunk_state", 1, state="set_aside", **CARRIER),
        # Drained by an admin, who knows.
        gauge("voicegate_trunk_state", 1, state="drained", **CARRIER),
        {"state": "set_aside", **CARRIER},
    ),
    Case(
        "VoicegateNoTrunk",
        2,
        gauge("voicegate_trunk_state", 0, state="usable", **CARRIER)
        + gauge("voicegate_trunk_state", 0, state="usable", trunk="second"),
        gauge("voicegate_trunk_state", 0, state="usable", **CARRIER)
        + gauge("voicegate_trunk_state", 1, state="usable", trunk="second"),
        {},
    ),
    Case(
        "VoicegateTrunkDeliversLittle",
        40,
        of_calls("0+1x60", "0+9x60"),
        of_calls("0+9x60", "0+1x60"),
        CARRIER,
    ),
    Case("VoicegateCallsNotDelivered", 20, of_calls("0x60", "0+2x60"), of_calls("0+1x60", "0+2x60"), {}),
    Case(
        "VoicegateFewCodesEntered",
        80,
        [*of_calls("0+2x120", "0x120"), series(GUESSES, "0x120", result="verified")],
        [*of_calls("0+2x120", "0x120"), series(GUESSES, "0+1x120", result="verified")],
        {},
    ),
    Case(
        "VoicegateCountrySurge",
        1570,
        [
            series(CALLS, "0x1500 0+5x200", outcome="busy", trunk="carrier", country="LV"),
            series("voicegate_stopping", "0x1700"),
        ],
        [
            series(CALLS, "0+5x1700", outcome="busy", trunk="carrier", country="LV"),
            series("voicegate_stopping", "0x1700"),
        ],
        {"country": "LV"},
        step="10m",
    ),
    Case(
        "VoicegateGuessing",
        50,
        [series(GUESSES, "0+4x90", result="denied"), series(GUESSES, "0+1x90", result="verified")],
        [series(GUESSES, "0+4x90", result="denied"), series(GUESSES, "0+9x90", result="verified")],
        {},
    ),
    Case(
        "VoicegateAuthenticationFailures",
        30,
        [series("voicegate_authentication_failures_total", "0+20x60", why="key_wrong")],
        [series("voicegate_authentication_failures_total", "0+20x60", why="key_missing")],
        {},
    ),
    Case(
        "VoicegateSpendNearCap",
        1,
        gauge("voicegate_trunk_spent_money", 45, **CARRIER) + gauge("voicegate_trunk_spent_money_max", 50),
        # Without a cap there is none to come near.
        gauge("voicegate_trunk_spent_money", 45, **CARRIER),
        CARRIER,
    ),
    Case(
        "VoicegateSpendNearCap",
        1,
        gauge("voicegate_country_spent_seconds_highest", 5900, country="US")
        + gauge("voicegate_country_spent_seconds_max", 6000),
        gauge("voicegate_country_spent_seconds_highest", 100, country="US")
        + gauge("voicegate_country_spent_seconds_max", 6000),
        {"country": "US"},
    ),
    Case(
        "VoicegateQueueLong",
        3,
        gauge("voicegate_calls_queued", 150) + gauge("voicegate_calls_queued_max", 200),
        gauge("voicegate_calls_queued", 0) + gauge("voicegate_calls_queued_max", 0),
        {},
    ),
    Case(
        "VoicegateLinesFull",
        7,
        gauge("voicegate_calls_in_progress", 30, **CARRIER)
        + gauge("voicegate_trunk_calls_in_progress_max", 30, **CARRIER),
        gauge("voicegate_calls_in_progress", 20, **CARRIER)
        + gauge("voicegate_trunk_calls_in_progress_max", 30, **CARRIER),
        CARRIER,
    ),
    Case(
        "VoicegateRingsLate",
        45,
        of_histogram("voicegate_call_time_to_ring_seconds", "0+1x90", "0+9x90", le=("10.0", "30.0")),
        of_histogram("voicegate_call_time_to_ring_seconds", "0+9x90", "0+9x90", le=("10.0", "30.0")),
        CARRIER,
    ),
    Case(
        "VoicegateBadAudio",
        45,
        of_histogram("voicegate_call_mos", "0+8x90", "0+9x90", le=("2.5", "4.4")),
        of_histogram("voicegate_call_mos", "0+1x90", "0+9x90", le=("3.4", "4.4")),
        CARRIER,
    ),
    Case(
        "VoicegateDatabaseSlow",
        4,
        gauge("voicegate_database_write_wait_seconds", 3),
        gauge("voicegate_database_write_wait_seconds", 0.01),
        {},
    ),
    Case(
        "VoicegateWebhookFailing",
        45,
        [
            series("voicegate_webhook_tries_total", "0+1x90", webhook="web", result="failed"),
            series("voicegate_webhook_tries_total", "0x90", webhook="web", result="taken"),
        ],
        [
            series("voicegate_webhook_tries_total", "0+1x90", webhook="web", result="failed"),
            series("voicegate_webhook_tries_total", "0+9x90", webhook="web", result="taken"),
        ],
        {"webhook": "web"},
    ),
    Case(
        "VoicegateMessagesGivenUp",
        30,
        [series("voicegate_webhook_messages", "0x10 3x90", webhook="web", state="given_up")],
        [series("voicegate_webhook_messages", "3x100", webhook="web", state="given_up")],
        {"webhook": "web", "state": "given_up"},
    ),
    Case(
        "VoicegateFewDescriptors",
        7,
        gauge("process_open_fds", 900) + gauge("process_max_fds", 1024),
        gauge("process_open_fds", 90) + gauge("process_max_fds", 1024),
        {},
    ),
)
SEVERITY: Final = dict(re.findall(r"- alert: (\w+)\n.*?severity: (\w+)", RULES.read_text("utf-8"), re.DOTALL))


def run(promtool: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*promtool, *arguments], capture_output=True, text=True, check=False, timeout=at_most(60)
    )


def expected(case: Case) -> dict[str, Any]:
    """That the alert, and of its like nothing else, fires."""
    told = WHO | case.labels | {"alertname": case.alert, "alertstate": "firing"}
    told |= {"severity": SEVERITY[case.alert]}
    written = ", ".join(f'{key}="{value}"' for key, value in sorted(told.items()))
    return {"labels": f"ALERTS{{{written}}}", "value": 1}


def promtool_test(input_series: list[dict[str, str]], case: Case, *, fires: bool) -> dict[str, Any]:
    asked = {
        "expr": f'ALERTS{{alertname="{case.alert}", alertstate="firing"}}',
        "eval_time": f"{case.minute}m",
        "exp_samples": [expected(case)] if fires else [],
    }
    return {"interval": "1m", "input_series": input_series, "promql_expr_test": [asked]}


def written(folder: Path, tests: list[dict[str, Any]], step: str = "1m") -> str:
    """The path of a file of tests; promtool reads YAML, of which JSON is a part."""
    file = folder / f"rules.{step}.json"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": step, "tests": tests}))
    return str(file)


def test_promtool_finds_no_fault_in_the_rules(promtool: tuple[str, ...]) -> None:
    done = run(promtool, "check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    assert not done.returncode, done.stdout + done.stderr
    assert f"{len(SEVERITY)} rules found" in done.stdout


def test_promtool_finds_no_fault_in_the_page_of_metrics(promtool: tuple[str, ...]) -> None:
    done = subprocess.run(
        [*promtool, "check", "metrics"],
        input=a_page(),
        capture_output=True,
        check=False,
        timeout=at_most(60),
    )
    assert not done.returncode, done.stdout + done.stderr
    assert not done.stdout + done.stderr


def test_every_alert_fires_when_it_should_and_not_for_its_like(
    promtool: tuple[str, ...], tmp_path: Path
) -> None:
    assert {case.alert for case in CASES} == set(SEVERITY), "every alert has its case"
    for step in sorted({case.step for case in CASES}):
        cases = [case for case in CASES if case.step == step]
        tests = [promtool_test(case.fires, case, fires=True) for case in cases]
        tests += [promtool_test(case.quiet, case, fires=False) for case in cases]
        done = run(promtool, "test", "rules", written(tmp_path, tests, step))
        assert not done.returncode, done.stdout + done.stderr


def test_a_test_of_the_rules_can_fail(promtool: tuple[str, ...], tmp_path: Path) -> None:
    tests = [promtool_test(CASES[0].quiet, CASES[0], fires=True)]
    assert run(promtool, "test", "rules", written(tmp_path, tests)).returncode


def test_the_page_says_what_to_do_first_at_every_alert() -> None:
    rows = re.findall(r"^\| `(Voicegate\w+)` \| (\w+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert dict(rows) == SEVERITY
