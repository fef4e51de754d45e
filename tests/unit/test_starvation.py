"""Tests that fail on a busy machine are run again, on another they fail; their time is an idle machine's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFTEST = """
from tests import starvation
from voicegate.lab import deadlines

pytest_plugins = ["tests.timeouts", "tests.starvation"]


class Meter:
    def starvation(self, since):
        return {measured!r}

    def close(self):
        pass


starvation.Meter = Meter
deadlines.idle_clock = {clock}
"""
BEGIN = """
from pathlib import Path
import time
import pytest

def count(name):
    with open(Path(__file__).with_name(name), "a") as file:
        file.write("x")
    return Path(__file__).with_name(name).stat().st_size
"""
LUCKY = """
@pytest.fixture(scope="session")
def lab():
    return count("lab")

@pytest.fixture(scope="module")
def calls(lab):
    count("calls")
    assert lab != 2, "a fixture fails too"

def test_first(calls, lab):
    pass

def test_third_time_lucky(calls, lab):
    assert lab == 3, "at first it fails"

def test_next(calls, lab):
    assert lab == 3

def test_never():
    assert count("never") < 0
"""
SLOW = """
@pytest.mark.timeout(0.2)
def test_slow():
    time.sleep(1)
"""
SLOW_AGAIN = """
@pytest.mark.timeout(1)
def test_slow():
    time.sleep(0.6)
    assert count("slow") == 2
"""


def run(
    folder: Path, tests: str, measured: str | None, processes: int = 0, clock: str = "deadlines.idle_clock"
) -> list[str]:
    (folder / "conftest.py").write_text(CONFTEST.format(measured=measured, clock=clock))
    (folder / "test_it.py").write_text(BEGIN + tests)
    # Named, not all that is installed: Hypothesis and Schemathesis need two seconds to be imported.
    plugins = ("-p", "xdist", "-p", "pytest_timeout", "-p", "no:cacheprovider")
    options = (*plugins, "-n", str(processes), "--rootdir", str(folder))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=folder,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("processes", [0, 1])
def test_what_was_starved_is_run_again_from_nothing_and_told(tmp_path: Path, processes: int) -> None:
    said = run(tmp_path, LUCKY, "a thread waited for up to 7 s", processes)
    assert "1 failed, 3 passed" in said[-1]
    assert "2 starved" in said[-1]
    assert [(tmp_path / name).stat().st_size for name in ("lab", "calls")] == [3, 3]
    starved = [line for line in said if "a thread waited for up to 7 s" in line]
    assert starved == ["test_it.py::test_third_time_lucky: a thread waited for up to 7 s"] * 2
    assert "    its call had failed: AssertionError: at first it fails" in said
    assert "    its setup had failed: AssertionError: a fixture fails too" in said


def test_what_was_not_starved_fails_at_once(tmp_path: Path) -> None:
    said = run(tmp_path, LUCKY, None)
    assert "3 failed, 1 passed" in said[-1]
    assert [(tmp_path / name).stat().st_size for name in ("lab", "calls", "never")] == [1, 1, 1]


def test_a_tests_time_is_counted_by_the_clock_of_an_idle_machine(tmp_path: Path) -> None:
    assert "1 passed" in run(tmp_path, SLOW, None, clock="lambda: 0")[-1]
    said = run(tmp_path, SLOW, None, clock="deadlines.time.monotonic")
    assert "1 failed" in said[-1]
    assert any("Timeout (>0.2s)" in line for line in said)


def test_a_test_that_is_run_again_has_all_its_time_again(tmp_path: Path) -> None:
    said = run(tmp_path, SLOW_AGAIN, "starved", clock="deadlines.time.monotonic")
    assert "1 passed" in said[-1]
    assert "1 starved" in said[-1]
