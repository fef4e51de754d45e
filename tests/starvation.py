"""A test that failed while the machine did not let it run is run again, and the summary says so.

Starved is a test, with its fixtures but for the session's, during which the processors were so much in demand
that work took `SLOW` times as long as on an idle machine, or a thread that should have run waited for
`STALLED_S`: audio that is late by that is silence. Measured by `voicegate.lab.deadlines` and by `stalls`, in
every process that runs tests. Whatever was not starved fails at once. A second run begins from nothing, with
labs of its own, for what the first one left would be heard in it. Loaded by `conftest`.
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_timeout
from _pytest.runner import runtestprotocol

from voicegate.lab.deadlines import idle_clock

SLOW = 1.5
STALLED_S = 0.1
AGAIN = 2
"""How often a test is run again at most, and how many of a file's failures are."""
AT_MOST = 12
"""In all, of one process: what is starved for longer is not to be tested now."""
STARVED: Any = "starved"
"""The outcome, beside pytest's own, of a run that counts for nothing."""


@dataclass(frozen=True)
class Moment:
    """When something was begun, by both clocks."""

    wall: float = field(default_factory=time.monotonic)
    idle: float = field(default_factory=idle_clock)


class Meter:
    """How the machine treats this process, as noted by a process beside it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="voicegate-stalls-")
        self._notes = Path(self._folder.name) / "notes"
        program = Path(__file__).with_name("stalls.py")
        self._process = subprocess.Popen([sys.executable, str(program), str(self._notes)])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def starvation(self, since: Moment) -> str | None:
        """What was measured since then, in words; None when it was not bad."""
        now = Moment()
        slowness = (now.wall - since.wall) / max(now.idle - since.idle, 0.001)
        stall = max(self._stalls(since.wall), default=0)
        if slowness < SLOW and stall < STALLED_S:
            return None
        return f"work took {slowness:.1f} times as long, a thread waited for up to {stall:.2f} s"

    def _stalls(self, since: float) -> Iterator[float]:
        with suppress(FileNotFoundError):
            for line in self._notes.read_text("ascii").splitlines():
                at, late = map(float, line.split())
                if at >= since:
                    yield late


class Starvation:
    """The plugin, in a process that runs tests."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._made: dict[Any, Moment] = {}
        self._again: Counter[Path] = Counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        self._made[fixturedef] = Moment()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._run(item, nextitem):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _run(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[pytest.TestReport]:
        for _ in range(AGAIN):
            began = Moment()
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            failed = next((report for report in reports if report.failed), None)
            starvation = self._meter.starvation(self._begin_of(item, began)) if failed else None
            if failed is None or starvation is None or not self._may_run_again(item):
                break
            yield starved(failed, starvation)
            item.session._setupstate.teardown_exact(None)
            restart_timer(item)
        else:
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
        yield from reports

    def _begin_of(self, item: pytest.Item, began: Moment) -> Moment:
        """When the oldest of its fixtures was begun, but for those of the session."""
        info: Any = getattr(item, "_fixtureinfo", None)
        used = [made for several in info.name2fixturedefs.values() for made in several] if info else []
        moments = [self._made[made] for made in used if made in self._made and made.scope != "session"]
        return min([began, *moments], key=lambda moment: moment.wall)

    def _may_run_again(self, item: pytest.Item) -> bool:
        self._again[item.path] += 1
        return self._again[item.path] <= AGAIN and self._again.total() <= AT_MOST

    def pytest_unconfigure(self) -> None:
        self._meter.close()


def starved(report: pytest.TestReport, starvation: str) -> pytest.TestReport:
    """The report of a run that counts for nothing."""
    report.outcome = STARVED
    report.user_properties.append(("starvation", starvation))
    return report


def restart_timer(item: pytest.Item) -> None:
    item.ihook.pytest_timeout_cancel_timer(item=item)
    settings = pytest_timeout._get_item_settings(item)
    if settings.timeout:
        item.ihook.pytest_timeout_set_timer(item=item, settings=settings)


def pytest_configure(config: pytest.Config) -> None:
    # The one that only hands out tests to others runs none.
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        config.pluginmanager.register(Starvation(Meter()))


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, Any]] | None:
    return (STARVED, "R", ("STARVED", {"yellow": True})) if report.outcome == STARVED else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    again = terminalreporter.getreports(STARVED)
    if again:
        terminalreporter.section("run again, for the machine had starved them", yellow=True)
    for report in again:
        crash = getattr(report.longrepr, "reprcrash", None)
        said = str(crash.message if crash else report.longreprtext).strip().splitlines() or [""]
        terminalreporter.line(f"{report.nodeid}: {dict(report.user_properties)['starvation']}")
        terminalreporter.line(f"    its {report.when} had failed: {said[0]}")
