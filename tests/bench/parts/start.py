"""How long one waits: for a first start, for the command line's help, for a second `make demo`."""

import os
import pty
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.drive import tell
from tests.bench.figures import bootstrap
from tests.bench.machine import Moment, calibrate
from tests.bench.options import Options
from tests.bench.report import Figure, Plot, Result
from tests.bench.simulated import simulated
from tests.bench.validity import Load, judge_load

_TRIES: Final = 7
_DEMO_WITHIN_S: Final = 120
_START_S, _HELP_S, _DEMO_S = 0.5, 0.15, 10.0


def measure(options: Options) -> Result:
    """Measure all three."""
    tries = options.chosen_rounds(_TRIES)
    speeds, before = [calibrate()], Moment.now()
    tell("first starts")
    starts = [_first_start() for _ in range(tries)]
    tell("voicegate --help")
    helps = [_timed(_help) for _ in range(tries)]
    imports = [_timed(_nothing) for _ in range(tries)]
    tell("make demo, twice, to its first ringing")
    demo = _second_demo()
    after = Moment.now()
    speeds.append(calibrate())
    steal = (after.steal_s - before.steal_s) / (after.wall_s - before.wall_s) / (os.cpu_count() or 1)
    spread, shown = bootstrap(starts, median), bootstrap(helps, median)
    return Result(
        part="start",
        title="How long one waits for a start",
        figures=[
            Figure("first start, to serving", spread.value, "s", spread.low, spread.high, _START_S),
            Figure("voicegate --help", shown.value, "s", shown.low, shown.high, _HELP_S),
            Figure("python -c pass, for comparison", median(imports), "s"),
            Figure("second make demo, to its first ringing", demo, "s", aim=_DEMO_S),
        ],
        plots=[
            Plot(
                "start",
                "Seconds to wait",
                "s",
                "",
                bars={
                    "first start": {"s": spread.value},
                    "--help": {"s": shown.value},
                    "second demo": {"s": demo},
                },
            )
        ],
        notes=[f"Starts and helps: the median of {tries}, warm disk; a first start makes key and database."],
        # Here the run itself is what the machine does: only its speed is judged.
        faults=judge_load(Load(0, steal, 0, after.wall_s - before.wall_s, speeds)),
        raw={"starts": starts, "helps": helps, "python": imports, "demo": demo},
    )


def _first_start() -> float:
    with tempfile.TemporaryDirectory() as folder:
        controller = simulated(Path(folder))
        try:
            return controller.start()
        finally:
            controller.stop()


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _help() -> None:
    command = [str(Path(sys.executable).parent / "voicegate"), "--help"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _nothing() -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True)


def _second_demo() -> float:
    """Return the seconds from the command to the first "ringing" of the demo's second run."""
    with tempfile.TemporaryDirectory() as state:
        environment = {**os.environ, "XDG_STATE_HOME": state, "TERM": "dumb", "COLUMNS": "120"}
        _demo(environment)
        return _demo(environment)


def _demo(environment: dict[str, str]) -> float:
    # A demo shows its calls live on a terminal.
    ours, theirs = pty.openpty()
    command = [str(Path(sys.executable).parent / "voicegate"), "lab", "demo"]
    began, text = time.monotonic(), b""
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    try:
        while b"ringing" not in text:
            if time.monotonic() - began > _DEMO_WITHIN_S or not (more := _read(ours)):
                raise RuntimeError(f"the demo never rang: {text[-800:].decode(errors='replace')}")
            text += more
        return time.monotonic() - began
    finally:
        # As by Ctrl+C: the demo takes its lab down.
        process.send_signal(signal.SIGINT)
        while _read(ours):
            pass
        process.wait(60)
        os.close(ours)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the other end is closed
        return b""
