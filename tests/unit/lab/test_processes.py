"""Detached processes are started once, ended surely, and never mistaken for another with the same pid."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from voicegate.lab.errors import LabError
from voicegate.lab.processes import Daemon, Priority, start_time

SLEEPER = [sys.executable, "-c", "import time; print('started', flush=True); time.sleep(60)"]
STUBBORN = [
    *(sys.executable, "-c"),
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon("sleeper", tmp_path / "run")
    yield daemon
    daemon.kill()


def wait_for_word(daemon: Daemon, word: str) -> None:
    while word not in daemon.last_words():
        assert daemon.pid is not None


def test_a_process_is_started_once(daemon: Daemon) -> None:
    daemon.start(SLEEPER)
    first = daemon.pid
    daemon.start(SLEEPER)
    assert first is not None
    assert daemon.pid == first


def test_it_leaves_our_process_group(daemon: Daemon) -> None:
    daemon.start(SLEEPER)
    assert daemon.pid is not None
    assert os.getsid(daemon.pid) == daemon.pid


def test_what_it_prints_is_kept(daemon: Daemon) -> None:
    daemon.start(SLEEPER)
    wait_for_word(daemon, "started")


def test_a_stopped_process_is_gone(daemon: Daemon) -> None:
    daemon.start(SLEEPER)
    pid = daemon.pid
    daemon.stop()
    assert daemon.pid is None
    assert pid is not None
    assert start_time(pid) is None


def test_one_that_ignores_the_request_is_ended_by_force(daemon: Daemon) -> None:
    daemon.start(STUBBORN)
    wait_for_word(daemon, "deaf")
    daemon.stop(grace=timedelta(milliseconds=50))
    assert daemon.pid is None


def test_a_crashed_process_is_not_running(daemon: Daemon) -> None:
    daemon.start(SLEEPER)
    assert daemon.pid is not None
    os.kill(daemon.pid, signal.SIGKILL)
    while daemon.pid is not None:
        pass


def test_a_pid_that_another_program_got_is_not_ours(daemon: Daemon) -> None:
    daemon.folder.mkdir()
    (daemon.folder / "sleeper.pid").write_text(f"{os.getpid()} 12345")
    assert daemon.pid is None
    daemon.stop()


def test_a_damaged_pid_file_means_not_running(daemon: Daemon) -> None:
    daemon.folder.mkdir()
    (daemon.folder / "sleeper.pid").write_text("nonsense")
    assert daemon.pid is None


def test_a_command_that_does_not_exist_is_refused(daemon: Daemon) -> None:
    with pytest.raises(LabError, match="sleeper cannot be started"):
        daemon.start(["/nonexistent/program"])


def test_one_that_must_act_while_audio_passes_goes_first_where_that_is_allowed(daemon: Daemon) -> None:
    daemon.start(SLEEPER, Priority.LISTENER)
    assert daemon.pid is not None
    wanted = (os.SCHED_RR, Priority.LISTENER) if may_go_first() else (os.SCHED_OTHER, 0)
    assert (os.sched_getscheduler(daemon.pid), os.sched_getparam(daemon.pid).sched_priority) == wanted
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_one_that_answers_meanwhile_has_a_larger_share_where_that_is_allowed(daemon: Daemon) -> None:
    daemon.start(SLEEPER, Priority.PROMPT)
    assert daemon.pid is not None
    assert os.sched_getscheduler(daemon.pid) == os.SCHED_OTHER
    assert (os.getpriority(os.PRIO_PROCESS, daemon.pid) == -10) == may_go_first()


def test_where_it_is_refused_it_runs_all_the_same(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    spawn = os.posix_spawnp

    def refuse(*arguments: Any, **more: Any) -> int:
        if "scheduler" in more:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        return spawn(*arguments, **more)

    monkeypatch.setattr(os, "posix_spawnp", refuse)
    daemon.start(SLEEPER, Priority.LISTENER)
    wait_for_word(daemon, "started")
    assert daemon.pid is not None
    assert os.sched_getscheduler(daemon.pid) == os.SCHED_OTHER


def may_go_first() -> bool:
    return not subprocess.run(["chrt", "--rr", "10", "true"], capture_output=True, check=False).returncode
