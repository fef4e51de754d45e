"""Hears all that a PBX, its neighbours and the machine can know of a call; what is secret is not its matter.

Seen on Asterisk 22.10.1: `core set verbose` concerns the asking console only, so that a log file names its
own level; CDR and CEL are the core's, their files are modules'. On FreeSWITCH 1.10.12 a console tells all.
"""

import asyncio
import secrets
import sqlite3
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from tests.pbx.relay import Relay, pump
from voicegate.lab.processes import python_module
from voicegate.lab.settings import PbxKind
from voicegate.lab.world import Lab

RELAY_OFFSET: Final = 94
"""The port between the controller and the PBX, from the lab's base on."""
_LOOK_S: Final = 0.2
_SPY: Final = "eavesdropper"
# The first is a part of the customs' that older versions do not have.
_MODULES: Final = ("res_cdrel_custom", "cdr_csv", "cdr_custom", "cdr_manager", "cel_custom", "cel_manager")
_EVERYTHING: Final = "notice,warning,error,debug,verbose(10),dtmf,security"
_CDR: Final = "accountcode src dst dcontext clid channel dstchannel lastapp lastdata userfield uniqueid"
_CEL: Final = (
    "eventtype eventextra CALLERID(all) CALLERID(dnid) CHANNEL(channame) CHANNEL(exten) CHANNEL(context) "
    "CHANNEL(appname) CHANNEL(appdata) CHANNEL(uniqueid) CHANNEL(linkedid) CHANNEL(userfield) BRIDGEPEER"
)
_FILES: Final = {
    "logger.conf": f"[general]\n[logfiles]\nconsole =>\nfull => {_EVERYTHING}\n",
    "cdr.conf": "[general]\nenable = yes\nunanswered = yes\ncongestion = yes\n[csv]\nloguniqueid = yes\n",
    "cdr_manager.conf": "[general]\nenabled = yes\n",
    "cdr_custom.conf": f"[mappings]\nAll.csv => {','.join(f'${{CDR({name})}}' for name in _CDR.split())}\n",
    "cel.conf": "[general]\nenable = yes\napps = all\nevents = ALL\n[manager]\nenabled = yes\n",
    "cel_custom.conf": f"[mappings]\nAll.csv => {','.join(f'${{{name}}}' for name in _CEL.split())}\n",
}
_ASTERISK_COMMANDS: Final = (
    "core set verbose 10",
    "core set debug 10",
    "pjsip set logger on",
    "agi set debug on",
)
_FREESWITCH_COMMANDS: Final = (
    "fsctl loglevel debug",
    "fsctl debug_level 10",
    "fsctl verbose_events on",
    "sofia global siptrace on",
    "sofia loglevel all 9",
)


@dataclass(frozen=True)
class Door:
    """Where a PBX tells of all its events, and what must be said there first."""

    port: int
    login: bytes


def make_talkative(lab: Lab) -> Door:
    """Have the lab's PBX tell all that it can."""
    (kind,) = lab.settings.pbxs
    return _MAKERS[kind](lab)


def _make_freeswitch_talkative(lab: Lab) -> Door:
    for command in _FREESWITCH_COMMANDS:
        lab.pbx_command(command)
    login = f"auth {lab.settings.keep_secret()}\n\nevent plain ALL\n\n"
    return Door(lab.settings.ports.esl, login.encode())


def _make_asterisk_talkative(lab: Lab) -> Door:
    """Start it anew, with a manager who hears it all."""
    lab.kill_pbx()
    etc, log = lab.settings.folder / "pbx/etc", lab.settings.folder / "pbx/log"
    secret = secrets.token_urlsafe(16)
    for name, text in _FILES.items():
        (etc / name).write_text(text, "utf-8")
    for name in ("cdr-csv", "cdr-custom", "cel-custom"):
        (log / name).mkdir(exist_ok=True)
    with (etc / "modules.conf").open("a", encoding="utf-8") as modules:
        modules.writelines(f"load = {module}\n" for module in _MODULES)
    with (etc / "manager.conf").open("a", encoding="utf-8") as managers:
        managers.write(f"\n[{_SPY}]\nsecret = {secret}\nread = all\nwrite =\n")
    lab.start_pbx()
    for command in _ASTERISK_COMMANDS:
        lab.pbx_command(command)
    login = f"Action: Login\r\nUsername: {_SPY}\r\nSecret: {secret}\r\n\r\n"
    return Door(lab.settings.ports.ami, login.encode())


_MAKERS: Final = {
    PbxKind.ASTERISK: _make_asterisk_talkative,
    PbxKind.FREESWITCH: _make_freeswitch_talkative,
}


@dataclass
class Eavesdropper:
    """What was heard so far."""

    lab: Lab
    door: Door
    events: bytearray = field(default_factory=bytearray)
    """What was told at the door: every event."""
    traffic: list[bytearray] = field(default_factory=list)
    """What controllers and the PBX said to each other, one entry a direction."""
    processes: set[bytes] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    """Of files, whenever they were there."""
    sounds: dict[str, bytes] = field(default_factory=dict)
    """The calls' files."""
    answers: bytearray = field(default_factory=bytearray)
    """What the daemon's own API said."""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen, with the relay open, as long as the context lasts."""
        relay_port = self.lab.settings.port_base + RELAY_OFFSET
        relay = Relay(self.door.port, relay_port, traffic=self.traffic)
        async with relay.running(), asyncio.TaskGroup() as tasks:
            spies = [tasks.create_task(self._hear_events()), tasks.create_task(self._look_on())]
            yield
            for spy in spies:
                spy.cancel()

    async def ask(self, *paths: str) -> None:
        """Keep what the daemon answers at some paths of its API, and what the command line prints."""
        transport = httpx.AsyncHTTPTransport(uds=str(self.lab.settings.socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://voicegate") as client:
            for path in paths:
                self.answers += (await client.get(path)).raise_for_status().content
        command = python_module("voicegate", "--config", str(self.lab.settings.config_file), "calls")
        listed = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
        self.answers += (await listed.communicate())[0]

    def all(self) -> dict[str, bytes]:
        """Return every trace there is by now."""
        here = self.lab.settings
        return {
            "manager events": bytes(self.events),
            "manager traffic": b"\n".join(self.traffic),
            "sounds": b"".join(self.sounds.values()),
            **self.ours(),
            **dict(_contents(here.folder, leave=(here.recordings, here.raw_recordings))),
        }

    def ours(self) -> dict[str, bytes]:
        """Return those in which Voicegate itself speaks, and masks numbers."""
        here = self.lab.settings
        log = (here.processes / "controller.log").read_bytes()
        with closing(sqlite3.connect(f"file:{here.folder}/voicegate.db?mode=ro", uri=True)) as database:
            details = database.execute("SELECT state || event || detail FROM timeline").fetchall()
        return {
            "controller's log": log,
            "answers": bytes(self.answers),
            "timeline": "\n".join(row[0] for row in details).encode(),
            "processes": b"\n".join(sorted(self.processes)),
            "file names": "\n".join(sorted(self.names)).encode(),
        }

    def sealed(self, verification_id: str) -> bytes | None:
        """Return a verification's sealed code as the database has it now."""
        query = "SELECT sealed FROM challenges WHERE id = ?"
        path = f"file:{self.lab.settings.folder}/voicegate.db?mode=ro"
        with closing(sqlite3.connect(path, uri=True)) as database:
            found: tuple[bytes | None] = database.execute(query, (verification_id,)).fetchone()
        return found[0]

    async def _look_on(self) -> None:
        here = self.lab.settings
        while True:
            self.processes |= set(_processes({part.pid for part in self.lab.status() if part.pid}))
            # Not the carrier's and its telephones', which know what was dialed.
            for folder in (here.volatile / "pbx", here.audio, here.processes, here.folder / "pbx"):
                self.names |= {f"{folder.name}/{path.name}" for path in folder.rglob("*")}
            for file in here.audio.glob("*"):
                # Each appears whole and does not change; it may be gone by now.
                with suppress(FileNotFoundError):
                    self.sounds.setdefault(file.name, file.read_bytes())
            await asyncio.sleep(_LOOK_S)

    async def _hear_events(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.door.port)
        try:
            writer.write(self.door.login)
            await pump(reader, self.events)
        finally:
            writer.close()


def _processes(daemons: set[int]) -> Iterator[bytes]:
    """Every process's command line, as anybody may see it; of the lab's daemons and their children also the
    environment."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            yield (process / "cmdline").read_bytes()
            # proc(5), field 6: each daemon leads a session, in which its children are.
            session = (process / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[3]
            if int(session) in daemons:
                yield (process / "environ").read_bytes()


def _contents(folder: Path, leave: tuple[Path, ...]) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        is_left = any(path.is_relative_to(other) for other in leave)
        if path.is_file() and not path.is_symlink() and not is_left:
            yield str(path.relative_to(folder)), path.read_bytes()
