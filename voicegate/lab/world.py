"""A whole telephone world on one machine: the company's PBXs, a carrier with telephones, the controller.

Everything runs as the calling user, detached, and outlives the command that started it. Ports and folders are
in `settings`, configuration files in `rendering`, the people at the telephones in `telephones`, and the
differences between kinds of PBX in `company`.
"""

import os
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from typing import Final

from voicegate.config import project_folder
from voicegate.lab.apt import Progress
from voicegate.lab.asterisk import AsteriskInstance
from voicegate.lab.certificates import Certificates
from voicegate.lab.company import TIMEOUT, company_pbxs
from voicegate.lab.deadlines import Deadline, at_most
from voicegate.lab.errors import LabError
from voicegate.lab.packages import ensure_asterisk, no_progress
from voicegate.lab.phrases import make_sounds
from voicegate.lab.processes import Daemon, Priority, python_module
from voicegate.lab.rendering import render_carrier, render_controller
from voicegate.lab.settings import LabSettings, recall
from voicegate.lab.telephones import copy_recording

_STEP_S: Final = 0.1
_KNOCK_S: Final = 5.0
_READY: Final = b"HTTP/1.1 200"


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One process of a lab."""

    name: str
    """pbx, second-pbx, carrier, telephones, callback or controller."""
    pid: int | None
    """Its process id; None: it does not run."""
    where: str
    """The address at which it listens."""
    log: Path
    """The file of its output."""


class Lab:
    """A lab in a folder, running or not; every method blocks until it is done."""

    def __init__(self, settings: LabSettings) -> None:
        self.settings = settings
        self.pbxs = company_pbxs(settings)
        """The company's PBXs; most labs have only the first one."""
        self._carrier = self._daemon("carrier")
        self._telephones = self._daemon("telephones")
        self._callback = self._daemon("callback")
        self._controller = self._daemon("controller")

    def up(self, progress: Progress = no_progress, *, with_controller: bool = True) -> None:
        """Start the parts that do not run, all at once, and wait until the lab is ready for calls.

        Raises:
            LabError: something cannot be fetched or started, or is not ready in time.
        """
        self._write(progress)
        starts = [self.start_carrier, *(pbx.start for pbx in self.pbxs)]
        starts += [self.start_telephones, self.start_callback]
        if with_controller:
            starts.append(self.start_controller)
        progress("starting", 0)
        with ThreadPoolExecutor(len(starts)) as pool:
            started = [pool.submit(start) for start in starts]
            for count, future in enumerate(started, 1):
                future.result()
                progress("starting", count / (len(starts) + 1))
        self.wait_trunks()
        progress("starting", 1)

    def up_carrier(self, progress: Progress = no_progress) -> None:
        """Start the carrier and its telephones only: for a PBX that is not the lab's own.

        Raises:
            LabError: as `up`.
        """
        self._write(progress)
        progress("starting", 0)
        self.start_carrier()
        self.start_telephones()
        progress("starting", 1)

    def down(self) -> None:
        """Stop all parts and remove what they kept in memory; configuration, logs and recordings stay."""
        # The controller first: it ends its calls and removes their sound.
        self._controller.stop()
        others = (*(pbx.daemon for pbx in self.pbxs), self._carrier, self._telephones, self._callback)
        with ThreadPoolExecutor(len(others)) as pool:
            list(pool.map(Daemon.stop, others))
        rmtree(self.settings.volatile, ignore_errors=True)

    def status(self) -> Sequence[PartStatus]:
        """Return the state of each process."""
        ports = self.settings.ports
        doors = (f"calls 127.0.0.1:{pbx.handover_port}" for pbx in self.pbxs if pbx.handover_port)
        places = (
            *((pbx.daemon, pbx.where) for pbx in self.pbxs),
            (self._carrier, f"SIP 127.0.0.1:{ports.carrier_sip}"),
            (self._telephones, f"FastAGI 127.0.0.1:{ports.telephones}"),
            (self._callback, f"calls 127.0.0.1:{ports.callback}"),
            (self._controller, ", ".join((str(self.settings.socket), *doors))),
        )
        return [PartStatus(daemon.name, daemon.pid, where, daemon.log) for daemon, where in places]

    def start_pbx(self) -> None:
        """Start the first PBX unless it runs, and wait until it has started."""
        self.pbxs[0].start()

    def kill_pbx(self) -> None:
        """End the first PBX like a crash (SIGKILL)."""
        self.pbxs[0].daemon.kill()

    def pbx_command(self, text: str) -> str:
        """Return what the first PBX's console answers to a command."""
        return self.pbxs[0].command(text)

    def start_carrier(self) -> None:
        """Start the carrier unless it runs, and wait until it has started."""
        self._exchange.start()
        self._exchange.wait_ready(TIMEOUT)

    def carrier_command(self, text: str) -> str:
        """Return what the carrier's console answers to a command."""
        return self._exchange.command(text)

    def kill_carrier(self) -> None:
        """End the carrier and its telephones like a crash (SIGKILL)."""
        self._carrier.kill()

    def start_telephones(self) -> None:
        """Start the telephones' people unless they run, and wait until they listen."""
        here, port = self.settings, self.settings.ports.telephones
        places = (here.raw_recordings, here.recordings, project_folder("sounds"))
        command = [str(port), str(here.ports.odd), *map(str, places)]
        self._telephones.start(python_module("voicegate.lab.telephones", *command), Priority.LISTENER)
        self._wait(self._telephones, lambda: _accepts(port))

    def start_callback(self) -> None:
        """Start the call-back service unless it runs, and wait until it listens."""
        here, port = self.settings, self.settings.ports.callback
        command = [str(port), here.pbxs[0].value, str(here.socket), str(here.sounds)]
        self._callback.start(python_module("voicegate.lab.callback", *command))
        self._wait(self._callback, lambda: _accepts(port))

    def start_controller(self) -> None:
        """Start the controller unless it runs, and wait until it can place calls."""
        config = str(self.settings.config_file)
        self._controller.start(python_module("voicegate", "--config", config, "serve"), Priority.PROMPT)
        self._wait(self._controller, lambda: is_ready(self.settings.socket))

    def stop_controller(self) -> None:
        """Stop the controller as an admin does (SIGTERM), and wait until it has ended."""
        self._controller.stop(timedelta(seconds=20))

    def kill_controller(self) -> None:
        """End the controller like a crash (SIGKILL)."""
        self._controller.kill()

    def wait_trunks(self) -> None:
        """Have the PBXs check their trunks, and wait until they know the state of each."""
        # All were started at once: a PBX may have looked for the carrier too early, and would not look
        # again for a while. Where it has not looked yet it would dial.
        for pbx in self.pbxs:
            self._wait(pbx.daemon, pbx.knows_trunks)

    def recordings(self, number: str) -> list[Path]:
        """Return the recordings of calls to a number, oldest first; a call's recording appears at its end."""
        found = self.settings.recordings.glob(f"{number}-*.wav")
        return sorted(found, key=lambda file: file.stat().st_mtime_ns)

    def listen_in(self, number: str, file: Path) -> bool:
        """Write what the telephone has heard so far on a call to a number as the WAV `file`; return whether
        there is one."""
        try:
            copy_recording(next(self.settings.raw_recordings.glob(f"{number}-*.sln48")), file)
        except (StopIteration, FileNotFoundError):
            return False  # not answered yet, or over: then it is kept
        return True

    def wait_recording(self, number: str, within: timedelta = timedelta(seconds=5)) -> Path:
        """Return the recording of the last call to a number; waits until it is written.

        Raises:
            LabError: there is none `within` that time.
        """
        deadline = Deadline(within.total_seconds())
        while not (kept := self.recordings(number)):
            if deadline.has_passed:
                raise LabError(f"No telephone kept what it heard on a call to {number}.")
            time.sleep(_STEP_S)
        return kept[-1]

    def _write(self, progress: Progress) -> None:
        here = self.settings
        progress("looking for Asterisk", 0)
        ensure_asterisk(progress)
        self._check_unlike()
        here.save()
        for folder in (here.raw_recordings, here.recordings, here.processes):
            folder.mkdir(parents=True, exist_ok=True)
        here.volatile.mkdir(mode=0o700, parents=True, exist_ok=True)
        if here.volatile.stat().st_uid != os.getuid():
            raise LabError(f"{here.volatile} belongs to somebody else.")
        make_sounds(here.sounds, here.state, progress)
        Certificates(here.certificates).ensure()
        for pbx in self.pbxs:
            pbx.write()
        self._exchange.write(render_carrier(here))
        here.config_file.write_text(render_controller(here), "utf-8")

    def _check_unlike(self) -> None:
        """Refuse a start that would give half a lab: with other settings than it runs with, or with ports in
        use."""
        here, running = self.settings, [part.name for part in self.status() if part.pid is not None]
        if running:
            if recall(here.folder) not in (None, here):
                names = ", ".join(running)
                raise LabError(f"This lab runs with other settings ({names}): take it down first.")
            return
        if taken := here.ports.taken():
            raise LabError(f"Port {taken[0]} of 127.0.0.1 is in use: choose other ports by --port-base.")
        here.ports.check_listen(here.listen)

    def _daemon(self, name: str) -> Daemon:
        return Daemon(name, self.settings.processes)

    @cached_property
    def _exchange(self) -> AsteriskInstance:
        home, run = self.settings.folder / "carrier", self.settings.volatile / "carrier"
        return AsteriskInstance(self._carrier, ensure_asterisk(), home, run)

    def _wait(self, daemon: Daemon, is_ready: Callable[[], bool]) -> None:
        deadline = Deadline(TIMEOUT.total_seconds())
        while not is_ready():
            if daemon.pid is None:
                raise LabError(f"{daemon.name} ended:\n{daemon.last_words()}")
            if deadline.has_passed:
                raise LabError(f"{daemon.name} does not get ready; see {daemon.log}:\n{daemon.last_words()}")
            time.sleep(_STEP_S)


def _accepts(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def is_ready(path: Path) -> bool:
    """Return whether a controller that listens at this socket can place calls; blocks for seconds."""
    # By hand: httpcore 1.0 leaves its socket open when a connect fails, and most of these fail.
    with socket.socket(socket.AF_UNIX) as knock:
        knock.settimeout(at_most(_KNOCK_S))
        try:
            knock.connect(str(path))
            knock.sendall(b"GET /readyz HTTP/1.1\r\nHost: voicegate\r\nConnection: close\r\n\r\n")
            return knock.recv(len(_READY)) == _READY
        except OSError:
            return False
