"""A PostgreSQL server of the tests' own: unprivileged, on a Unix socket in a folder that goes with it.

It is the machine's, or Debian's packages unpacked into the cache of the lab. PostgreSQL refuses to run as
root: root's server runs as `nobody`.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from voicegate.adapters.storage import engines
from voicegate.adapters.storage.migrations import migrate
from voicegate.adapters.storage.tables import METADATA
from voicegate.lab.deadlines import Deadline
from voicegate.lab.errors import PackageError
from voicegate.lab.packages import ensure_packages, no_progress

OWNER: Final = "voicegate"
_BIN: Final = "usr/lib/postgresql/*/bin"
_TEMPLATE: Final = "migrated"
_EMPTY: Final = "template0"
_PR_SET_PDEATHSIG: Final = 1
# Nothing of it outlives the tests; no power cut is to be survived.
_FAST: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "jit": "off",
    "shared_buffers": "16MB",
    "max_connections": "80",
    "listen_addresses": "",
    "timezone": "Asia/Kolkata",  # the server's own zone must not matter
}


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's programs, which can be run."""

    folder: Path
    libraries: Path | None = None
    """What the machine has no libraries for; None: it has all."""

    def environment(self) -> dict[str, str]:
        own = {} if self.libraries is None else {"LD_LIBRARY_PATH": str(self.libraries)}
        return {"PATH": os.environ["PATH"], "LC_ALL": "C", **own}


def find_programs(scratch: Path) -> Programs:
    """Those of the machine, or else those of Debian's package, put below `scratch`; raises PackageError."""
    # Not by PATH: Debian has only wrappers there.
    if installed := sorted(Path("/").glob(f"{_BIN}/initdb"), key=_version_of):
        return Programs(installed[-1].parent)
    root = ensure_packages(("postgresql",), suites=(), progress=no_progress)
    return unpacked(root, scratch)


def _version_of(program: Path) -> int:
    return int(program.parents[1].name)


def unpacked(root: Path, scratch: Path) -> Programs:
    """A copy of unpacked packages that every user can run."""
    # Root's cache is closed to `nobody`.
    for name in ("usr/lib/postgresql", "usr/share/postgresql"):
        shutil.copytree(root / name, scratch / name, symlinks=True)
    libraries = scratch / "libraries"
    libraries.mkdir()
    # The machine's own where it has them: its loader fits no other libc.
    for file in (file for pattern in ("lib", "usr/lib") for file in root.glob(f"{pattern}/*-linux-*/*.so*")):
        if not any((Path("/") / folder / file.name).exists() for folder in _system_folders(file)):
            shutil.copy(file, libraries / file.name)
    programs = sorted(scratch.glob(f"{_BIN}/initdb"), key=_version_of)
    if not programs:
        raise PackageError(f"{root} is incomplete: delete it, and it is fetched again.")
    return Programs(programs[-1].parent, libraries)


def _system_folders(file: Path) -> Sequence[str]:
    return (f"lib/{file.parent.name}", f"usr/lib/{file.parent.name}")


@dataclass(slots=True)
class Server:
    """A server that runs, or did."""

    folder: Path
    """Its data, socket and log; its user's own."""
    programs: Programs
    process: subprocess.Popen[bytes] | None = None
    numbers: Iterator[int] = field(default_factory=count)

    def prepare(self) -> None:
        """Make its data."""
        self._run("initdb", "--no-sync", "--no-instructions", "--auth=trust", "--encoding=UTF8", "--locale=C")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {**_FAST, "unix_socket_directories": str(self.folder)}
        command = [str(self.programs.folder / "postgres"), "-D", str(self._data)]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - it calls one function of libc
                **self._as_user(),
            )
        deadline = Deadline(30)
        while not self._answers():
            if deadline.has_passed or self.process.poll() is not None:
                raise AssertionError((self.folder / "log").read_text("utf-8"))
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it; by SIGINT orderly, though sessions are cut, by SIGQUIT as in a crash."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def url(self, database: str, user: str = OWNER) -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    @contextmanager
    def database(self, template: str = _TEMPLATE) -> Iterator[str]:
        """The URL of a new database, a copy of `template`, while the context lasts."""
        name = f"test_{next(self.numbers)}"
        self.create(name, template)
        try:
            yield self.url(name)
        finally:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def create(self, name: str, template: str = _EMPTY) -> str:
        """Make a database; return its URL."""
        # By files: the log of a whole database costs more than a checkpoint here.
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        self._execute(made.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def empty(self, url: str) -> None:
        """Delete all rows of a database."""
        # Not a copy of the template for each test, which takes ten times as long.
        statements = "; ".join(f'DELETE FROM "{table.name}"' for table in reversed(METADATA.sorted_tables))
        with psycopg.connect(url) as connection:
            connection.execute(sql.SQL(statements))
        connection.close()

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A connection of the server's owner, without transactions."""
        return psycopg.connect(self.url(database), autocommit=True)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _execute(self, statement: sql.Composed) -> None:
        with closing(self.connect()) as connection:
            connection.execute(statement)

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs.folder / program), "-D", str(self._data), "-U", OWNER, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._as_user())
        assert done.returncode == 0, done.stderr

    def _as_user(self) -> dict[str, Any]:
        common = {"cwd": self.folder, "env": self.programs.environment()}
        if os.geteuid() != 0:
            return common
        nobody = pwd.getpwnam("nobody")
        return common | {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def running_server() -> Iterator[Server]:
    """A server with a database of this version's tables, the template of all others."""
    # Not pytest's own folder, which root keeps from others; and the name of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="voicegate-postgresql-") as scratch:
        server = Server(Path(scratch) / "server", find_programs(Path(scratch)))
        server.folder.mkdir(0o700)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(server.folder, nobody.pw_uid, nobody.pw_gid)
            Path(scratch).chmod(0o711)
        server.prepare()
        try:
            server.start()
            _migrate(server.create(_TEMPLATE))
            yield server
        finally:
            server.stop()


def _migrate(url: str) -> None:
    engine = engines.connect_writer(engines.locate(url))
    try:
        with engine.begin() as connection:
            migrate(connection)
    finally:
        engine.dispose()


def _end_with_parent() -> None:
    """Have the kernel stop the server when the tests are killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
