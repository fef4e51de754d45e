"""The exchange under test, the far end and the controllers: the lab's own files, with what a load needs.

Not the lab's carrier and its telephones, which record and listen: they would cost more than what is measured.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from shutil import rmtree
from typing import Final

from tests.bench.far_end import FarEnd
from tests.bench.secure_end import SecureFarEnd
from voicegate.lab.certificates import Certificates
from voicegate.lab.company import CompanyAsterisk, CompanyFreeSwitch, CompanyPbx
from voicegate.lab.deadlines import Deadline
from voicegate.lab.ports import reserve_port_base
from voicegate.lab.processes import Daemon, Priority, python_module
from voicegate.lab.rendering import render_controller
from voicegate.lab.settings import LabSettings, PbxKind
from voicegate.lab.world import is_ready

RTP: Final = range(10000, 12000)
"""The PBX's RTP ports: a thousand calls. Below those of labs."""
_TIMEOUT_S: Final = 30.0
_STEP_S: Final = 0.05
_MANY: Final = 1_000_000
_MODULES: Final = "load = pbx_spool\n"
LIMITS: Final[Mapping[str, object]] = {
    # Counted as always, and never reached: not counting would be cheaper than what admins run.
    "policy.calls_per_prefix": _MANY,
    "policy.calls_per_country": _MANY,
    "policy.calls_per_client": _MANY,
    "policy.calls_per_system": _MANY,
    "policy.sequential_numbers": 200,
    "policy.conversion_calls_prefix": _MANY,
    "policy.conversion_calls_country": _MANY,
    "policy.call_spacing_s": [0],
    "policy.call_lock_after": 0,
    "call.max_in_progress": 10000,
    "call.max_queued": 10000,
    "trunks.carrier.max_calls": 10000,
    "call.human_check": "none",
    # As a daemon logs that runs under systemd.
    "log.format": "json",
    "testing.enabled": False,
    # Calls that ring nowhere, to warm up.
    "test_numbers.enabled": True,
    "test_numbers.pace": 0.01,
    "tcp.enabled": False,
}
"""Settings of every controller here that differ from the example's."""


class BenchAsterisk(CompanyAsterisk):
    """The lab's Asterisk with room for a thousand calls, and a trunk that is not looked at."""

    def _files(self) -> Mapping[str, str]:
        files = dict(super()._files())
        # SIPp answers calls and nothing else.
        files["pjsip.conf"] = re.sub(r"qualify_frequency = \d+", "qualify_frequency = 0", files["pjsip.conf"])
        files["pjsip.conf"] = re.sub(r'#include "(?!trunk-tls).*\n', "", files["pjsip.conf"])
        files["rtp.conf"] = f"[general]\nrtpstart = {RTP.start}\nrtpend = {RTP.stop - 1}\n"
        common = Path(__file__).parents[2] / "voicegate/lab/common/modules.conf"
        files["modules.conf"] = common.read_text("utf-8") + _MODULES
        return files


class BenchFreeSwitch(CompanyFreeSwitch):
    """The lab's FreeSWITCH likewise."""

    def _files(self) -> Mapping[str, str]:
        files = dict(super()._files())
        text = files["freeswitch.xml"]
        text = re.sub(r'(rtp-start-port" value=)"\d+"', rf'\1"{RTP.start}"', text)
        text = re.sub(r'(rtp-end-port" value=)"\d+"', rf'\1"{RTP.stop - 1}"', text)
        files["freeswitch.xml"] = text.replace(
            '"sessions-per-second"', '"max-sessions" value="2000"/><param name="sessions-per-second"'
        )
        files["profile.xml"] = re.sub(r'<param name="ping" value="\d+"/>', "", files["profile.xml"])
        del files["voicegate/trunk-registered.xml"], files["voicegate/odd-trunks.xml"]
        return files

    def knows_trunks(self) -> bool:
        return True


_PBXS: Final[Mapping[PbxKind, type[CompanyPbx]]] = {
    PbxKind.ASTERISK: BenchAsterisk,
    PbxKind.FREESWITCH: BenchFreeSwitch,
}


@dataclass(slots=True)
class Controller:
    """One daemon of Voicegate's, running or not."""

    folder: Path
    """Its own: configuration, socket, and its database unless that is a server's."""
    database: str
    """Its SQLite file, or the URL of a database of PostgreSQL's."""
    daemon: Daemon
    config_text: str
    program: Sequence[str] = field(default_factory=lambda: python_module("voicegate"))
    """What runs it; another revision's for a comparison."""

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "v.sock"

    @property
    def pid(self) -> int:
        """Its process id."""
        pid = self.daemon.pid
        assert pid is not None, self.daemon.last_words()
        return pid

    def start(self) -> float:
        """Start it; return the seconds until it could place calls."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "voicegate.toml"
        config.write_text(self.config_text, "utf-8")
        began, deadline = time.monotonic(), Deadline(_TIMEOUT_S)
        self.daemon.start([*self.program, "--config", str(config), "serve"], Priority.PROMPT)
        while not is_ready(self.socket):
            if deadline.has_passed or self.daemon.pid is None:
                self.stop()
                raise RuntimeError(f"the controller does not start:\n{self.daemon.last_words(30)}")
            time.sleep(0.005)
        return time.monotonic() - began

    def stop(self) -> None:
        """Stop it."""
        self.daemon.stop()


class BenchLab:
    """An exchange that runs, with a far end, in a folder of its own."""

    def __init__(self, settings: LabSettings) -> None:
        self.settings = settings
        self.pbx = _PBXS[settings.pbxs[0]](settings, Daemon("pbx", settings.processes))
        self.far_end: FarEnd | SecureFarEnd
        self._numbers = count(1)

    def start(self) -> None:
        """Start the PBX."""
        here = self.settings
        for folder in (here.folder, here.processes, here.volatile):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        Certificates(here.certificates).ensure()
        self.pbx.write()
        # Where Asterisk looks for call files.
        (here.folder / "pbx/spool/outgoing").mkdir(parents=True, exist_ok=True)
        self.pbx.start()

    @property
    def pbx_pid(self) -> int:
        """The PBX's process id."""
        pid = self.pbx.daemon.pid
        assert pid is not None, self.pbx.daemon.last_words()
        return pid

    def controller(
        self, name: str, overrides: Mapping[str, object] | None = None, *, trunk: str = "carrier"
    ) -> Controller:
        """Return a controller at this PBX, not started; `trunk` is its only one, by its name in the lab."""
        folder = self.settings.volatile / f"{name}-{next(self._numbers)}"
        apart: dict[str, object] = {
            "storage.database": str(folder / "voicegate.db"),
            "storage.key_file": str(folder / "key"),
            "storage.state_folder": str(folder),
            "socket.path": str(folder / "v.sock"),
            "audio.folder": str(folder / "audio"),
        }
        if self.settings.pbxs[0] is PbxKind.ASTERISK:
            apart["pbx.main.agi_port"] = 0
        given = {**LIMITS, **apart, **(overrides or {})}
        settings = replace(self.settings, overrides=given, trunks=(trunk,))
        daemon = Daemon(folder.name, self.settings.processes)
        database = str(settings.overrides["storage.database"])
        return Controller(folder, database, daemon, render_controller(settings))


@contextmanager
def running(
    folder: Path,
    kind: PbxKind = PbxKind.ASTERISK,
    *,
    press_after_ms: int | None = None,
    is_secure: bool = False,
) -> Iterator[BenchLab]:
    """A lab that is stopped in the end; the folder stays.

    The far end presses a key so long after its answer, if that is given; with `is_secure` it speaks TLS and
    SRTP.
    """
    with ExitStack() as stack:
        base = stack.enter_context(reserve_port_base())
        settings = LabSettings(folder.resolve(), base, name="bench", pbxs=(kind,))
        lab = BenchLab(settings)
        stack.callback(lab.pbx.daemon.stop)
        stack.callback(rmtree, settings.volatile, ignore_errors=True)
        ports = settings.ports
        if is_secure:
            lab.far_end = stack.enter_context(SecureFarEnd(settings))
        else:
            sip, media = ports.carrier_sip, ports.carrier_rtp
            plain = FarEnd(folder / "far-end", sip, media, press_after_ms=press_after_ms)
            lab.far_end = stack.enter_context(plain)
        lab.start()
        yield lab
