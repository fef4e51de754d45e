"""Processes that outlive the command that started them, known by files that survive the reuse of a pid.

A pid may belong to another program tomorrow. Together with the time at which the kernel started it, from
`/proc/<pid>/stat` (proc(5), field 22), it names one process for ever. Linux only.

Some of them must not wait for a processor, because a telephone would hear it. They get real-time priority if
the system allows it (sched(7): root, or a limit `rtprio`), and run like all others if not. A process that
sends or answers the audio of many calls must not take a whole processor; it only gets a better nice value.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from voicegate.lab.deadlines import Deadline
from voicegate.lab.errors import LabError

_STEP_S: Final = 0.02
_NICE: Final = -10


class Priority(IntEnum):
    """Which process runs first when several wait for a processor; as for SCHED_RR, except the first two."""

    ORDINARY = 0
    """The same as everything on the machine."""
    PROMPT = 1
    """For a process that sends audio or answers, and may have much to do: no real-time priority, but a larger
    share. Thirty calls in Opus take two processors, and the process that holds those calls must still get
    its turn."""
    LISTENER = 5
    """For a process that must act while audio passes, and has little to do."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """One process of a lab, running or not."""

    name: str
    """Its name for people."""
    folder: Path
    """The folder of `<name>.pid` and `<name>.log`."""

    @property
    def log(self) -> Path:
        """The file of its output."""
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Its process id; None: it does not run."""
        try:
            pid, started = self._pid_file.read_text("ascii").split()
        except (OSError, ValueError):
            return None
        _reap(int(pid))
        return int(pid) if start_time(int(pid)) == started else None

    def start(self, command: Sequence[str], priority: Priority = Priority.ORDINARY) -> None:
        """Start it detached from this process, unless it runs; with `priority`, if the system allows it.

        Raises:
            LabError: the command cannot be executed.
        """
        if self.pid is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            pid = _spawn(command, self.log, priority)
        except OSError as error:
            raise LabError(f"{self.name} cannot be started: {error}") from error
        self._pid_file.write_text(f"{pid} {start_time(pid)}", "ascii")

    def stop(self, grace: timedelta = timedelta(seconds=5)) -> None:
        """Ask it to end, end it by force after `grace`, and remove its pid file. Blocks until it is gone."""
        if not self._ended_by(signal.SIGTERM, grace):
            self.kill()
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it by force (SIGKILL), like a crash. Blocks until it is gone.

        Raises:
            LabError: even that did not end it.
        """
        if not self._ended_by(signal.SIGKILL, timedelta(seconds=5)):
            raise LabError(f"{self.name} (process {self.pid}) does not end.")

    def last_words(self, lines: int = 8) -> str:
        """Return the last lines of its output."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    def _ended_by(self, number: signal.Signals, grace: timedelta) -> bool:
        pid = self.pid
        if pid is None:
            return True
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = Deadline(grace.total_seconds())
        while self.pid is not None:
            if deadline.has_passed:
                return False
            time.sleep(_STEP_S)
        return True


def start_time(pid: int) -> str | None:
    """Return when the kernel started process `pid`, in its own ticks; None: there is no such process.

    A zombie has ended: it counts as none.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # The name in parentheses may hold spaces and parentheses itself.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def python_module(name: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of ours with this Python."""
    return [sys.executable, "-m", name, *arguments]


def prefer(pid: int) -> None:
    """Give a process, which has no other threads yet, a larger share of the processors, if that is
    allowed."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, _NICE)
    # Where the kernel shares by session, this is what counts between them (sched(7), autogroup).
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(_NICE), "ascii")


def _spawn(command: Sequence[str], log: Path, priority: Priority) -> int:
    """Start a process in its own session; return its id."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}

    # Not subprocess: its object would complain that its child outlives it, which is the point.
    def spawn(**more: Any) -> int:
        return os.posix_spawnp(command[0], [*command], environment, file_actions=streams, setsid=True, **more)

    if priority > Priority.PROMPT:
        with suppress(PermissionError):
            return spawn(scheduler=(os.SCHED_RR, os.sched_param(priority)))
    pid = spawn()
    if priority:
        prefer(pid)
    return pid


def _reap(pid: int) -> None:
    # A child of this very process stays a zombie until it is waited for.
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
