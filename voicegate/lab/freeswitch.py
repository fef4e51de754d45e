"""Runs one FreeSWITCH from its own folder, as an ordinary user, beside any number of others.

What the FreeSWITCH is for is in the configuration files from `rendering`; this file has only what all need,
and asks its console through its event socket. There is no package of FreeSWITCH to fetch: an environment
variable names the program. Seen on FreeSWITCH 1.10.12: either all folders are named on the command line, or
those that it was built with are used; without a console and a terminal it logs only to its file.
"""

import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final

from voicegate.lab.deadlines import Deadline, at_most
from voicegate.lab.errors import LabError
from voicegate.lab.processes import Daemon, Priority

VARIABLE: Final = "VOICEGATE_FREESWITCH"
"""The environment variable that holds the path of the `freeswitch` to run."""
_FOLDERS: Final = (
    "cache",
    "certs",
    "db",
    "grammar",
    "htdocs",
    "log",
    "recordings",
    "scripts",
    "storage",
    "temp",
)
_TIMEOUT_S: Final = 10.0
_STEP_S: Final = 0.05


def find_freeswitch() -> Path:
    """Return the FreeSWITCH that the environment variable names.

    Raises:
        LabError: it names none, or one that cannot be run.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        raise LabError(f"There is no FreeSWITCH: set {VARIABLE} to the path of a `freeswitch` program.")
    if not os.access(named, os.X_OK):
        raise LabError(f"There is no FreeSWITCH: {VARIABLE} names {named}, which cannot be run.")
    return Path(named).resolve()


@dataclass(frozen=True, slots=True)
class FreeSwitchInstance:
    """One FreeSWITCH of a lab, running or not."""

    daemon: Daemon
    """Its process."""
    home: Path
    """Its configuration, log and database."""
    run: Path
    """Its pid file; in a short path."""
    port: int
    """Its event socket's port, on loopback."""
    password: str
    """The password of the event socket."""

    def write(self, files: Mapping[str, str]) -> None:
        """Write its configuration; it reads `freeswitch.xml` first."""
        for folder in ("etc", *_FOLDERS):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        self.run.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            file = self.home / "etc" / name
            file.parent.mkdir(exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(text, "utf-8")

    def start(self) -> None:
        """Start it; does not wait until it is ready.

        Raises:
            LabError: there is no FreeSWITCH to start.
        """
        self.daemon.start(self._command, Priority.PROMPT)

    def wait_ready(self, within: timedelta = timedelta(seconds=20)) -> None:
        """Block until it answers and has a running SIP profile.

        Raises:
            LabError: it ended, or took longer than `within`.
        """
        deadline = Deadline(within.total_seconds())
        while not self._is_ready():
            if self.daemon.pid is None or deadline.has_passed:
                raise LabError(f"{self.daemon.name} does not boot:\n{self.daemon.last_words()}")
            time.sleep(_STEP_S)

    def command(self, text: str) -> str:
        """Return what its console answers to a command. Blocks.

        Raises:
            LabError: it does not run, or does not answer.
        """
        try:
            with socket.create_connection(("127.0.0.1", self.port), at_most(_TIMEOUT_S)) as connection:
                return self._converse(connection, text)
        except OSError as error:
            raise LabError(f"{self.daemon.name} cannot be asked: {error}") from error

    def _converse(self, connection: socket.socket, text: str) -> str:
        with connection.makefile("rb") as answers:
            _read_frame(answers)
            connection.sendall(f"auth {self.password}\n\n".encode())
            _read_frame(answers)
            connection.sendall(f"api {text}\n\n".encode())
            return _read_frame(answers)

    def _is_ready(self) -> bool:
        try:
            return "RUNNING" in self.command("sofia status")
        except LabError:
            return False

    @property
    def _command(self) -> Sequence[str]:
        program = find_freeswitch()
        folders = {name: self.home / name for name in _FOLDERS}
        folders |= {"conf": self.home / "etc", "run": self.run, "sounds": self.home / "storage"}
        # As every installation has it, a package's as well as one's own.
        folders["mod"] = program.parent.parent / "lib/freeswitch/mod"
        named = [part for name, folder in folders.items() for part in (f"-{name}", str(folder))]
        # No console, no fork, the priority that it was started with, no look-out for a router.
        return (str(program), "-nc", "-nf", "-np", "-nonat", *named)


def _read_frame(answers: BinaryIO) -> str:
    """Return the body of a frame; empty: it has none."""
    length = 0
    while line := answers.readline().decode("utf-8", "replace").strip():
        name, _, value = line.partition(":")
        if name == "Content-Length":
            length = int(value)
    return answers.read(length).decode("utf-8", "replace")
