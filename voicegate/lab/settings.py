"""What distinguishes one lab from another: folder, ports and names; everything else follows from them."""

import hashlib
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from voicegate.lab.errors import LabError
from voicegate.lab.ports import DEFAULT_PORT_BASE, Ports

LOOPBACK: Final = "127.0.0.1"


class PbxKind(StrEnum):
    """The kind of a company's PBX."""

    ASTERISK = "asterisk"
    """The one on PATH, or fetched once."""
    FREESWITCH = "freeswitch"
    """Only one that is named; see `freeswitch`."""

    @property
    def section(self) -> str:
        """Its name in the controller's settings, as in our example: `[pbx.<section>]`."""
        return "main" if self is PbxKind.ASTERISK else "second"


@dataclass(frozen=True, slots=True)
class LabSettings:
    """One lab."""

    folder: Path
    """Its configuration, logs and recordings; absolute."""
    port_base: int = DEFAULT_PORT_BASE
    """The first of its 500 ports; see `Ports`."""
    name: str = "lab"
    """Distinguishes it from other labs in messages and folder names."""
    service: str = "Voicegate"
    """The company's name, spoken on each call."""
    overrides: Mapping[str, object] = field(default_factory=dict)
    """Settings of the controller's file that differ, such as {"call.time_cap_s": 20}."""
    listen: str = LOOPBACK
    """The address at which the PBX accepts the testers' softphones; loopback: only those on this machine."""
    trunks: tuple[str, ...] = ("carrier",)
    """The trunks that the controller uses, in this order, by their names in `trunks`."""
    pbxs: tuple[PbxKind, ...] = (PbxKind.ASTERISK,)
    """The company's PBXs, one of each kind; testers join the first one, a second one gets the calls to
    Britain."""

    @property
    def ports(self) -> Ports:
        """Its ports."""
        return Ports(self.port_base)

    @property
    def registrar(self) -> str:
        """Where the testers' softphones register: host:port."""
        return f"{self.listen}:{self.ports.testers}"

    @property
    def volatile(self) -> Path:
        """Folder on tmpfs for sockets and for the sound of calls in progress; a short path."""
        memory = Path("/dev/shm")  # noqa: S108
        parent = os.environ.get("XDG_RUNTIME_DIR") or (memory if memory.is_dir() else tempfile.gettempdir())
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]
        return Path(parent) / f"voicegate-{self.name}-{os.getuid()}-{digest}"

    @property
    def audio(self) -> Path:
        """Sound files of calls in progress."""
        return self.volatile / "audio"

    @property
    def socket(self) -> Path:
        """The controller's Unix socket."""
        return self.volatile / "voicegate.sock"

    @property
    def config_file(self) -> Path:
        """The controller's settings."""
        return self.folder / "voicegate.toml"

    @property
    def secret_file(self) -> Path:
        """The password of the PBX's manager interface or event socket."""
        return self.folder / "ami-secret"

    @property
    def accounts_file(self) -> Path:
        """The testers' passwords."""
        return self.folder / "testers.json"

    @property
    def telephone_password_file(self) -> Path:
        """The password of the telephone in the browser."""
        return self.folder / "telephone-password"

    @property
    def telephone_key_file(self) -> Path:
        """The API key of the page with that telephone."""
        return self.folder / "telephone-key"

    @property
    def websocket_url(self) -> str:
        """The first PBX's address for SIP over WebSocket."""
        path = "/ws" if self.pbxs[0] is PbxKind.ASTERISK else ""
        return f"ws://{LOOPBACK}:{self.ports.websocket}{path}"

    @property
    def state(self) -> Path:
        """What the controller keeps: own recordings, introductions."""
        return self.folder / "state"

    @property
    def sounds(self) -> Path:
        """The sounds of service numbers."""
        return self.folder / "sounds"

    @property
    def certificates(self) -> Path:
        """The carrier's certificate and the authority that signed it."""
        return self.folder / "certificates"

    @property
    def recordings(self) -> Path:
        """What each telephone heard: `<dialed number>-<channel's id>.wav`, 8 kHz."""
        return self.folder / "recordings"

    @property
    def raw_recordings(self) -> Path:
        """The same during the call, as the carrier writes it."""
        return self.folder / "carrier/spool/monitor"

    @property
    def processes(self) -> Path:
        """Pid files, and the output of the processes."""
        return self.folder / "processes"

    def keep_secret(self) -> str:
        """Return the controller's password for the PBXs; created when it is first asked for."""
        return _kept_secret(self.secret_file)

    def keep_telephone_password(self) -> str:
        """Return the password of the telephone in the browser; created when it is first asked for."""
        return _kept_secret(self.telephone_password_file)

    def save(self) -> None:
        """Store these settings in the lab's folder, for later commands.

        Raises:
            LabError: the folder cannot be made or written.
        """
        values = (self.port_base, self.name, self.service, dict(self.overrides), self.listen)
        kept = _Kept(*values, self.trunks, self.pbxs)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _kept_file(self.folder).write_bytes(msgspec.json.format(msgspec.json.encode(kept)))
        except OSError as error:
            raise LabError(f"the lab's folder {self.folder} cannot be written: {error.strerror}") from error


def _kept_secret(file: Path) -> str:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(24), "ascii")
    return file.read_text("ascii")


def default_folder() -> Path:
    """Return the default folder of a lab."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / "voicegate" / "lab"


def recall(folder: Path) -> LabSettings | None:
    """Return the settings with which the lab in `folder` was started last; None: it never was.

    Raises:
        LabError: the file with them is damaged or cannot be read.
    """
    file = _kept_file(folder)
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise LabError(f"{file} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise LabError(f"{file} is damaged: {error}") from error
    return LabSettings(folder.resolve(), **msgspec.structs.asdict(kept))


class _Kept(msgspec.Struct, frozen=True):
    port_base: int
    name: str
    service: str
    overrides: dict[str, object]
    listen: str = LOOPBACK
    trunks: tuple[str, ...] = ("carrier",)
    pbxs: tuple[PbxKind, ...] = (PbxKind.ASTERISK,)


def _kept_file(folder: Path) -> Path:
    return folder / "lab.json"
