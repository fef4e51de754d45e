"""The files of an installation, made from our examples and an admin's answers; pure but for reading these.

Every file goes into one folder of Voicegate's own. What the PBX needs is included from there by single lines
that the admin adds to its files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from voicegate.config import project_folder
from voicegate.lab.config_templates import as_toml, fill_in, fill_in_xml, without_section

LOOPBACK: Final = "127.0.0.1"
AUDIO_GROUP: Final = "voicegate-audio"
CLIENT_GROUP: Final = "voicegate-clients"
_REMOTE: Final = "/etc/asterisk/voicegate"
"""Where the folder `asterisk` is copied on a PBX that is another machine."""


class Pbx(StrEnum):
    """What the files are for."""

    ASTERISK = "asterisk"
    FREEPBX = "freepbx"
    FREESWITCH = "freeswitch"

    @property
    def default_user(self) -> str:
        """The user that its packages make for it."""
        return "freeswitch" if self is Pbx.FREESWITCH else "asterisk"

    @property
    def default_audio_group(self) -> str:
        """The group that may read sounds: its own where it drops all other groups of its user."""
        return AUDIO_GROUP if self is Pbx.ASTERISK else self.default_user

    @property
    def default_port(self) -> int:
        """The port of its AMI or ESL."""
        return 8021 if self is Pbx.FREESWITCH else 5038

    @property
    def secret_name(self) -> str:
        """The name of the file with its secret."""
        return "esl-password" if self is Pbx.FREESWITCH else "ami-secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What an admin says about the installation."""

    folder: Path
    """Where the files go, absolute."""
    pbx: Pbx
    """The kind of PBX."""
    pbx_host: str
    """Its address; loopback: this machine."""
    pbx_port: int
    """Its AMI or ESL port."""
    pbx_user: str
    """The Unix user that it runs as."""
    own_address: str
    """This machine's address as the PBX sees it; loopback where it is this machine."""
    agi_port: int
    """The port on which answered calls arrive (Asterisk)."""
    domain: str
    """FreeSWITCH's domain, in whose directory the account is."""
    trunk: str
    """The PJSIP endpoint, or FreeSWITCH gateway."""
    caller_id: str
    """The number that is shown."""
    countries: Sequence[str]
    """The countries that may be called, as ISO 3166 codes."""
    service: str
    """The name that is spoken."""
    language: str
    """The language that is spoken."""
    backend_user: str
    """The Unix user that may ask at the socket; empty: only root and the daemon's own."""
    audio_group: str
    """The group that may read sounds; empty: the daemon's own."""
    socket_group: str
    """The group that may open the socket; empty: the daemon's own."""
    program: Path
    """The command `voicegate`."""
    state: Path
    """The folder of database and key file."""
    run: Path
    """The folder of the folders for socket and sounds."""
    is_credential: bool = False
    """Does systemd give the daemon its secret, so that the file can stay root's?"""

    @property
    def is_local(self) -> bool:
        """Does the PBX run on this machine?"""
        return self.pbx_host == LOOPBACK

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "voicegate.toml"

    @property
    def secret(self) -> Path:
        """The file with the PBX's secret."""
        return self.folder / self.pbx.secret_name

    @property
    def secret_setting(self) -> str:
        """Where the daemon finds it, as the settings say."""
        name = self.pbx.secret_name
        return f"$CREDENTIALS_DIRECTORY/{name}" if self.is_credential else str(self.secret)


@dataclass(frozen=True, slots=True)
class Made:
    """A file to write."""

    text: str
    """What is in it."""
    mode: int = 0o644
    """Who may read it."""


def render(answers: Answers, secret: str) -> dict[str, Made]:
    """Return the files by their names in the folder; `secret` is what the PBX and Voicegate share."""
    files = {
        "voicegate.toml": Made(_settings(answers)),
        answers.pbx.secret_name: Made(f"{secret}\n", 0o600),
        "systemd/voicegate.service": Made(_unit(answers)),
        "systemd/sysusers.conf": Made(_example("config/sysusers.conf")),
        "systemd/tmpfiles.conf": Made(_tmpfiles(answers)),
    }
    return files | (_freeswitch(secret) if answers.pbx is Pbx.FREESWITCH else _asterisk(answers, secret))


def includes(answers: Answers) -> Sequence[tuple[str, str]]:
    """Return the lines that an Asterisk's own files need, each with its file."""
    if answers.pbx is Pbx.FREESWITCH:
        return ()
    where = str(answers.folder / "asterisk") if answers.is_local else _REMOTE
    own = {
        Pbx.ASTERISK: ("extensions.conf", "manager.conf", "pjsip.conf"),
        Pbx.FREEPBX: (
            "extensions_custom.conf",
            "manager_custom.conf",
            "pjsip.endpoint_custom_post.conf",
        ),
    }[answers.pbx]
    names = ("voicegate.conf", "manager.conf", "pjsip.conf")
    return [(file, f'#include "{where}/{name}"') for file, name in zip(own, names, strict=True)]


def _settings(answers: Answers) -> str:
    values: dict[tuple[str, str], object] = {
        ("service", "name"): answers.service,
        ("service", "language"): answers.language,
        ("storage", "database"): str(answers.state / "voicegate.db"),
        ("storage", "key_file"): str(answers.state / "key"),
        ("storage", "state_folder"): str(answers.state),
        ("socket", "path"): str(answers.run / "voicegate/voicegate.sock"),
        ("socket", "group"): answers.socket_group,
        ("socket", "allowed_users"): [answers.backend_user] if answers.backend_user else [],
        ("audio", "folder"): str(answers.run / "voicegate-audio"),
        ("audio", "group"): answers.audio_group,
        ("policy", "allowed_countries"): list(answers.countries),
        ("trunks.carrier", "endpoint"): answers.trunk,
        ("trunks.carrier", "caller_ids"): [{"number": answers.caller_id, "name": answers.service}],
    }
    example = _example("config/voicegate.toml")
    if answers.pbx is Pbx.FREESWITCH:
        example = without_section(example, "pbx.main")
        values |= _in_pbx("pbx.second", _esl(answers)) | {("trunks.carrier", "pbx"): "second"}
    else:
        values |= _in_pbx("pbx.main", _ami(answers))
    return fill_in(example, {place: as_toml(value) for place, value in values.items()})


def _in_pbx(section: str, values: Mapping[str, object]) -> dict[tuple[str, str], object]:
    return {(section, name): value for name, value in values.items()}


def _ami(answers: Answers) -> Mapping[str, object]:
    peers = [] if answers.is_local else [f"{answers.pbx_host}/32"]
    return {
        "ami_host": answers.pbx_host,
        "ami_port": answers.pbx_port,
        "ami_secret_file": answers.secret_setting,
        "agi_host": answers.own_address,
        "agi_port": answers.agi_port,
        **({"agi_allowed_peers": peers} if peers else {}),
    }


def _esl(answers: Answers) -> Mapping[str, object]:
    return {
        "kind": "freeswitch",
        "esl_host": answers.pbx_host,
        "esl_port": answers.pbx_port,
        "esl_user": f"voicegate@{answers.domain}",
        "esl_password_file": answers.secret_setting,
    }


def _asterisk(answers: Answers, secret: str) -> dict[str, Made]:
    account = _example("dialplan/asterisk/manager.conf").partition("\n[voicegate]\n")[2]
    permit = f"{answers.own_address}/255.255.255.255"
    values = {("voicegate", "secret"): secret, ("voicegate", "permit"): permit}
    manager = fill_in(f"[voicegate]\n{account}", values)
    hint = (
        "; Included by manager.conf, whose [general] needs enabled = yes, and bindaddr = 127.0.0.1 at best.\n"
    )
    trunk = (
        f"; What Voicegate needs of the endpoint [{answers.trunk}], which stands above; and G.711 (allow).\n"
        f"[{answers.trunk}](+)\ndirect_media = no\nredirect_method = user\nsend_pai = yes\n"
    )
    files = {
        "asterisk/voicegate.conf": Made(_example("dialplan/asterisk/voicegate.conf")),
        "asterisk/manager.conf": Made(hint + manager, 0o640),
        "asterisk/pjsip.conf": Made(trunk),
    }
    if answers.pbx is Pbx.FREEPBX:
        files |= {f"freepbx/{name}": Made(f"{line}\n") for name, line in includes(answers)}
    return files


def _freeswitch(secret: str) -> dict[str, Made]:
    names = ("acl.conf.xml", "event_socket.conf.xml", "profile.xml")
    files = {f"freeswitch/{name}": Made(_example(f"dialplan/freeswitch/{name}")) for name in names}
    directory = fill_in_xml(
        _example("dialplan/freeswitch/directory.xml"), {("voicegate", "esl-password"): secret}
    )
    return files | {"freeswitch/directory.xml": Made(directory, 0o640)}


def _unit(answers: Answers) -> str:
    folders = f"{answers.run}/voicegate {answers.run}/voicegate-audio"
    unit = _example("config/voicegate.service")
    changes = {
        "=/usr/local/bin/voicegate ": f"={answers.program} --config {answers.config} ",
        "ReadWritePaths=/run/voicegate /run/voicegate-audio": f"ReadWritePaths={folders}",
    }
    if answers.is_credential:
        shown = "#LoadCredential=ami-secret:/etc/voicegate/ami-secret"
        changes[shown] = f"LoadCredential={answers.pbx.secret_name}:{answers.secret}"
    for old, new in changes.items():
        unit = unit.replace(old, new)
    return unit


def _tmpfiles(answers: Answers) -> str:
    text = _example("config/tmpfiles.conf").replace("/run/", f"{answers.run}/")
    return text.replace(f"voicegate {AUDIO_GROUP} ", f"voicegate {answers.audio_group or 'voicegate'} ")


def _example(name: str) -> str:
    folder, _, file = name.partition("/")
    return (project_folder(folder) / file).read_text("utf-8")
