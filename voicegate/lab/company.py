"""The company's PBXs in a lab: only what differs between an Asterisk and a FreeSWITCH.

Their configuration is in `rendering`, their programs run in `asterisk` and `freeswitch`, and the rest of a
lab is in `world`.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Final, Protocol

from voicegate.lab.asterisk import AsteriskInstance
from voicegate.lab.freeswitch import FreeSwitchInstance
from voicegate.lab.packages import ensure_asterisk
from voicegate.lab.processes import Daemon
from voicegate.lab.rendering import render_freeswitch, render_pbx
from voicegate.lab.settings import LabSettings, PbxKind
from voicegate.lab.testers import Account, keep_accounts
from voicegate.lab.trunks import QUALIFIED

TIMEOUT: Final = timedelta(seconds=30)
"""How long a part of a lab may take to be ready."""
_NAMES: Final = ("pbx", "second-pbx")


class CallSupervisor(Protocol):
    """A telephone exchange that runs from its own folder."""

    def write(self, files: Mapping[str, str]) -> None:
        """Write its configuration."""

    def start(self) -> None:
        """Start it; does not wait until it is ready."""

    def wait_ready(self, within: timedelta) -> None:
        """Block until it has started."""

    def command(self, text: str) -> str:
        """Return what its console answers to a command. Blocks."""
        ...


class CompanyPbx(ABC):
    """One PBX of the company, running or not; every method blocks until it is done."""

    def __init__(self, settings: LabSettings, daemon: Daemon) -> None:
        self.settings = settings
        self.daemon = daemon

    def write(self) -> None:
        """Write its configuration."""
        self._exchange.write(self._files())

    def start(self) -> None:
        """Start it unless it runs, and wait until it has started."""
        self._exchange.start()
        self._exchange.wait_ready(TIMEOUT)

    def command(self, text: str) -> str:
        """Return what its console answers to a command."""
        return self._exchange.command(text)

    @property
    def where(self) -> str:
        """Where it listens."""
        return f"{self._doors}, testers {self.settings.registrar}" if self.has_testers else self._doors

    @property
    def has_testers(self) -> bool:
        """Return whether softphones join here; they join the first PBX."""
        return self.daemon.name == _NAMES[0]

    @property
    @abstractmethod
    def handover_port(self) -> int | None:
        """The port on loopback at which it passes its answered calls to the controller; None: it needs
        none."""

    @abstractmethod
    def knows_trunks(self) -> bool:
        """Return whether it knows the state of each trunk that it checks. If not, it checks again."""

    @abstractmethod
    def look_for_carrier(self) -> None:
        """Have it check whether the carrier is there."""

    @abstractmethod
    def is_registered(self) -> bool:
        """Return whether it is registered at the carrier, on the trunk that needs it."""

    @abstractmethod
    def channels(self) -> int:
        """Return how many calls it has in progress."""

    @property
    def _accounts(self) -> Sequence[Account]:
        return keep_accounts(self.settings.accounts_file) if self.has_testers else ()

    @property
    @abstractmethod
    def _doors(self) -> str: ...

    @property
    @abstractmethod
    def _exchange(self) -> CallSupervisor: ...

    @abstractmethod
    def _files(self) -> Mapping[str, str]: ...


class CompanyAsterisk(CompanyPbx):
    """An Asterisk as PBX."""

    @property
    def handover_port(self) -> int:
        """The port on loopback at which it passes its answered calls to the controller."""
        return self.settings.ports.agi

    def knows_trunks(self) -> bool:
        """Return whether it knows the state of each trunk that it checks. If not, it checks again."""
        contacts = self.command("pjsip show contacts")
        missed = [
            name
            for name, is_up in QUALIFIED.items()
            if not re.search(rf"{name}-aor/\S+\s+\S+\s+{'Avail' if is_up else 'Unavail'}", contacts)
        ]
        for name in missed:
            self.command(f"pjsip qualify {name}")
        return not missed

    def look_for_carrier(self) -> None:
        """Have it check whether the carrier is there."""
        self.command("pjsip qualify carrier")

    def is_registered(self) -> bool:
        """Return whether it is registered at the carrier, on the trunk that needs it."""
        return " Registered " in self.command("pjsip show registrations")

    def channels(self) -> int:
        """Return how many calls it has in progress."""
        return _first_number(self.command("core show channels count"))

    @property
    def _doors(self) -> str:
        ports = self.settings.ports
        return f"SIP 127.0.0.1:{ports.pbx_sip}, AMI 127.0.0.1:{ports.ami}"

    @cached_property
    def _exchange(self) -> CallSupervisor:
        home, run = self.settings.folder / self.daemon.name, self.settings.volatile / self.daemon.name
        return AsteriskInstance(self.daemon, ensure_asterisk(), home, run)

    def _files(self) -> Mapping[str, str]:
        return render_pbx(self.settings, self.settings.keep_secret(), self._accounts)


class CompanyFreeSwitch(CompanyPbx):
    """A FreeSWITCH as PBX."""

    @property
    def handover_port(self) -> None:
        """None: it keeps its answered calls, and is told what to do with them."""

    def knows_trunks(self) -> bool:
        """Return whether it knows the state of each trunk that it checks, which it does every few seconds."""
        return all(
            re.search(rf"^Status\s+{'UP' if is_up else 'DOWN'}\b", self._gateway(name), re.MULTILINE)
            for name, is_up in QUALIFIED.items()
        )

    def look_for_carrier(self) -> None:
        """Do nothing: it checks by itself every few seconds, and cannot be told to."""

    def is_registered(self) -> bool:
        """Return whether it is registered at the carrier, on the trunk that needs it."""
        return re.search(r"^State\s+REGED\b", self._gateway("registered"), re.MULTILINE) is not None

    def channels(self) -> int:
        """Return how many calls it has in progress."""
        return _first_number(self.command("show channels count"))

    def _gateway(self, name: str) -> str:
        return self.command(f"sofia status gateway {name}")

    @property
    def _doors(self) -> str:
        ports = self.settings.ports
        return f"SIP 127.0.0.1:{ports.freeswitch_sip}, ESL 127.0.0.1:{ports.esl}"

    @cached_property
    def _exchange(self) -> CallSupervisor:
        here, name = self.settings, self.daemon.name
        return FreeSwitchInstance(
            self.daemon, here.folder / name, here.volatile / name, here.ports.esl, here.keep_secret()
        )

    def _files(self) -> Mapping[str, str]:
        return render_freeswitch(self.settings, self.settings.keep_secret(), self._accounts)


_CLASSES: Final[Mapping[PbxKind, type[CompanyPbx]]] = {
    PbxKind.ASTERISK: CompanyAsterisk,
    PbxKind.FREESWITCH: CompanyFreeSwitch,
}


def company_pbxs(settings: LabSettings) -> Sequence[CompanyPbx]:
    """Return the lab's PBXs in the order of its settings."""
    named = zip(_NAMES, settings.pbxs, strict=False)
    return tuple(_CLASSES[kind](settings, Daemon(name, settings.processes)) for name, kind in named)


def _first_number(text: str) -> int:
    found = re.search(r"\d+", text)
    return int(found[0]) if found else 0
