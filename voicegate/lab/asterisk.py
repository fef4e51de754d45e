"""Runs one Asterisk from its own folder, as an ordinary user, beside any number of others.

What the Asterisk is for (PBX or carrier) is in the configuration files from `rendering`; this file has only
what all need. Seen on Asterisk 22.10.1: `-C` and all directories must be absolute, and it starts in a quarter
of a second if only the needed modules are loaded.
"""

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from voicegate.lab.deadlines import Deadline, at_most
from voicegate.lab.errors import LabError
from voicegate.lab.packages import Asterisk
from voicegate.lab.processes import Daemon, Priority

_COMMON: Final = Path(__file__).parent / "common"
_FOLDERS: Final = {
    "astetcdir": "etc",
    "astvarlibdir": "lib",
    "astdbdir": "db",
    "astkeydir": "lib",
    "astdatadir": "lib",
    "astagidir": "lib/agi-bin",
    "astspooldir": "spool",
    "astlogdir": "log",
}
# Asterisk complains in its log about every file of these that is missing.
_EMPTY_FILES: Final = ("acl", "ccss", "cdr", "cel", "features", "http", "pjproject", "stasis", "udptl")


@dataclass(frozen=True, slots=True)
class AsteriskInstance:
    """One Asterisk of a lab, running or not."""

    daemon: Daemon
    """Its process."""
    program: Asterisk
    """What to run."""
    home: Path
    """Its configuration, log and database."""
    run: Path
    """Its control socket; in a short path, because a socket's address has room for 107 bytes."""

    def write(self, files: Mapping[str, str]) -> None:
        """Write its configuration: the given files, and what any Asterisk of a lab needs."""
        for folder in (*_FOLDERS.values(), "lib/sounds"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        self.run.mkdir(parents=True, exist_ok=True)
        _link(self.home / "lib/documentation", self.program.data / "documentation")
        if self.program.sounds:
            _link(self.home / "lib/sounds/en", self.program.sounds)
        common = {
            "asterisk.conf": self._main_file(),
            **{file.name: file.read_text("utf-8") for file in _COMMON.glob("*.conf")},
            **dict.fromkeys((f"{name}.conf" for name in _EMPTY_FILES), ""),
        }
        for name, text in {**common, **files}.items():
            file = self.home / "etc" / name
            file.touch(mode=0o600)
            file.write_text(text, "utf-8")

    def start(self) -> None:
        """Start it; does not wait until it is ready."""
        # Left behind by a kill, it would be taken for the new one's.
        if self.daemon.pid is None:
            (self.run / "asterisk.ctl").unlink(missing_ok=True)
        self.daemon.start([*self._command, "-f", "-vvv"], Priority.PROMPT)

    def wait_ready(self, within: timedelta = timedelta(seconds=20)) -> None:
        """Block until it has started completely.

        Raises:
            LabError: it ended, or took longer than `within`.
        """
        deadline = Deadline(within.total_seconds())
        while "fully booted" not in self._ask("core waitfullybooted", timedelta(seconds=10)).stdout:
            if self.daemon.pid is None or deadline.has_passed:
                raise LabError(f"{self.daemon.name} does not boot:\n{self.daemon.last_words()}")
            time.sleep(0.05)

    def command(self, text: str) -> str:
        """Return what its console answers to a command. Blocks.

        Raises:
            LabError: it does not run, or does not answer.
        """
        done = self._ask(text, timedelta(seconds=10))
        if done.returncode:
            raise LabError(
                f"{self.daemon.name} cannot be asked: {done.stderr.strip() or done.stdout.strip()}"
            )
        return done.stdout

    def _ask(self, text: str, within: timedelta) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(
                [*self._command, "-rx", text],
                capture_output=True,
                text=True,
                check=False,
                timeout=at_most(within.total_seconds()),
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.daemon.name} does not answer to: {text}") from error

    @property
    def _command(self) -> Sequence[str]:
        return (*self.program.command, "-n", "-C", str(self.home / "etc/asterisk.conf"))

    def _main_file(self) -> str:
        folders = {name: self.home / folder for name, folder in _FOLDERS.items()}
        folders |= {"astmoddir": self.program.modules, "astrundir": self.run, "astcachedir": self.run}
        lines = "".join(f"{name} => {folder}\n" for name, folder in folders.items())
        # Without a system name unique ids of two exchanges could be the same.
        return f"[directories]\n{lines}[options]\nsystemname = {self.daemon.name}\n"


def _link(link: Path, target: Path) -> None:
    if link.is_symlink():
        link.unlink()
    link.symlink_to(target)
