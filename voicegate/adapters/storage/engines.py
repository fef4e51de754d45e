"""How to connect: where the database is, and what SQLite must be told on every connection.

SQLite runs in WAL mode with synchronous=FULL: a commit is on disk when it returns, and readers never wait for
the writer (sqlite.org/wal.html).
"""

import os
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from voicegate.adapters.storage import postgresql
from voicegate.adapters.storage.prepared import json_text, run_text
from voicegate.domain.errors import StoreError, StoreUnsure

SETTING: Final = "storage.database"
"""The setting that says where the database is."""
READERS: Final = 4
"""Threads for short reads, each with its own connection."""
LISTERS: Final = 2
"""Threads for lists, each with its own connection."""
_BUSY_TIMEOUT_S: Final = 10.0
LOCK_STEP_S: Final = 0.25
"""How long the writer waits for a lock at a time; so late can a job fail that may wait no longer."""
MIN_FREE_BYTES: Final = 1024 * 1024
"""A disk with less free space counts as full."""
_CHECKPOINT_TRIES: Final = 20
_CHECKPOINT_PAUSE_S: Final = 0.025

_PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    # A sealed code that was erased is overwritten, not just unlinked.
    "secure_delete = ON",
    # Else SQLite would write temporary files to /var/tmp, and need a file descriptor during a request.
    "temp_store = MEMORY",
)


def locate(location: str | Path) -> URL:
    """Return the database's URL; what has no `://` is the path of an SQLite file.

    Raises:
        StoreError: the URL cannot be read, names SQLite without a file, or a database that is not supported.
    """
    text = str(location)
    try:
        url = make_url(text) if "://" in text else URL.create("sqlite", database=text)
    except (ArgumentError, ValueError):
        # Without its text, which may have a password in it.
        raise StoreError(f"{SETTING}: the URL cannot be read") from None
    if is_sqlite(url) and (not url.database or url.database == ":memory:"):
        raise StoreError(f"{SETTING}: the database needs a file: memory forgets")
    return url if is_sqlite(url) else postgresql.as_psycopg(url)


def is_sqlite(url: URL) -> bool:
    """Is the database an SQLite file?"""
    return url.get_backend_name() == "sqlite"


def name_of(url: URL) -> str:
    """Return the database's name for errors: its file, or its URL without the password."""
    if is_sqlite(url):
        return str(url.database)
    # Without parameters either, which are not needed to find it.
    plain = url.set(drivername="postgresql", query={})
    return plain.render_as_string(hide_password=True)


def passfile_of(location: str) -> str:
    """Return the file with the password of a configured PostgreSQL; empty: there is none."""
    try:
        named = make_url(location).query.get("passfile", "")
    except ArgumentError:
        return ""
    return named if isinstance(named, str) else ""


def explain(url: URL, error: Exception) -> StoreError:
    """Return what went wrong with a database, without any value that is stored in it or sent to it."""
    kind = StoreUnsure if isinstance(error, StoreUnsure) else StoreError
    return kind(f"{name_of(url)}: {reason_of(error)}")


def reason_of(error: Exception) -> str:
    """Return an error in one line, without any value that is stored or sent."""
    # Only the first line of the driver's own message: SQLAlchemy's has the whole statement, and in
    # PostgreSQL's the lines after the first ("DETAIL: Key (number)=(...)") have values of the row.
    reason: object = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        reason = error.orig
    elif isinstance(error, OSError):
        reason = error.strerror
    return str(reason).split(chr(10), 1)[0]


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Which file it is, whatever its name."""

    device: int
    """The number of its file system."""
    inode: int
    """Its number in that file system."""


def identify(path: Path) -> FileIdentity:
    """Return which file has a name now.

    Raises:
        OSError: there is none.
    """
    found = path.stat()
    return FileIdentity(found.st_dev, found.st_ino)


def check_file(path: Path, opened: FileIdentity) -> None:
    """Check that the opened file is still the one at `path`, and that its disk has room.

    Raises:
        StoreError: the file was deleted or replaced, or its disk is full.
    """
    try:
        present = identify(path)
    except OSError:
        present = None
    if present != opened:
        raise StoreError("the file was deleted or replaced while in use: restart the daemon")
    # A write alone does not tell: SQLite reuses the space that its WAL has, and fails some writes later.
    disk = os.statvfs(path)
    if disk.f_bavail * disk.f_frsize < MIN_FREE_BYTES:
        raise StoreError(f"the disk is full: less than {MIN_FREE_BYTES // 1024} KiB are free")


def create_file(path: Path) -> None:
    """Create an empty file that only its owner can read; does nothing when there is one.

    Raises:
        OSError: the folder is missing, or cannot be written.
    """
    try:
        # By us, with this mode: SQLite would follow the umask, and gives the WAL the mode of this file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    # The name is on disk only after an fsync of the folder: else a power cut could lose the whole database.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def connect_writer(
    url: URL, busy_timeout_s: float = _BUSY_TIMEOUT_S, *, controller: str | None = None
) -> Engine:
    """Return an engine for the one writer; connects when first used.

    `busy_timeout_s`: how long it waits for a locked database. `controller`: as in `postgresql`; an SQLite
    file has one controller only.
    """
    if not is_sqlite(url):
        return postgresql.connect_writer(url, max(busy_timeout_s, postgresql.LOCK_STEP_S), controller)
    # IMMEDIATE takes the write lock at once. A transaction that begins as a reader and writes later fails at
    # once with SQLITE_BUSY_SNAPSHOT when another has written meanwhile, whatever the timeout.
    return _connect(url, begin="BEGIN IMMEDIATE", connections=1, busy_timeout_s=busy_timeout_s)


def connect_readers(url: URL, *, controller: str | None = None) -> Engine:
    """Return an engine for the readers, who see only what is committed; connects when first used."""
    if not is_sqlite(url):
        return postgresql.connect_readers(url, READERS + LISTERS, controller)
    return _connect(url, begin="BEGIN", connections=READERS + LISTERS, pragmas=("query_only = ON",))


def connect_plain(url: URL) -> Engine:
    """Return an engine that only looks at an SQLite file, and leaves its journal mode as it is."""
    return create_engine(url, poolclass=NullPool, hide_parameters=True)


def connect_all(readers: Engine) -> None:
    """Connect every reader now, so that none needs a file descriptor during a request; blocks."""
    with ExitStack() as stack:
        for _ in range(READERS + LISTERS):
            stack.enter_context(readers.connect())


def empty_wal(engine: Engine) -> None:
    """Copy an SQLite database's WAL into the database and cut it to length 0; blocks.

    Gives up after half a second when other connections go on reading.
    """
    # `secure_delete` overwrites in the database only: the WAL would keep a code that was erased.
    if not is_sqlite(engine.url):
        return
    # Not `connect`, which begins a transaction, in which no checkpoint can be made.
    with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        # A checkpoint that waits for readers keeps writers out meanwhile: so this one does not wait, and is
        # tried again.
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            tries = 1
            while not _checkpoint(cursor) and tries < _CHECKPOINT_TRIES:
                tries += 1
                time.sleep(_CHECKPOINT_PAUSE_S)
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(_BUSY_TIMEOUT_S * 1000)}")


def _checkpoint(cursor: DBAPICursor) -> bool:
    """Try to empty the WAL; returns whether no other connection was in the way."""
    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    answer = cursor.fetchone()
    return answer is not None and not answer[0]


def _connect(
    url: URL,
    *,
    begin: str,
    connections: int,
    pragmas: tuple[str, ...] = (),
    busy_timeout_s: float = _BUSY_TIMEOUT_S,
) -> Engine:
    engine = create_engine(
        url,
        # Else errors, and so the log, would show the telephone numbers in a statement.
        hide_parameters=True,
        json_serializer=json_text,
        pool_size=connections,
        max_overflow=0,
        # `isolation_level`: Python's own transactions are off, for they begin none before DDL, and too late
        # before a read (docs.sqlalchemy.org, dialect pysqlite); we send BEGIN. `timeout`: connecting may have
        # to wait while another daemon migrates, however short a statement waits later.
        connect_args={"isolation_level": None, "timeout": _BUSY_TIMEOUT_S},
    )
    busy_timeout = f"busy_timeout = {int(busy_timeout_s * 1000)}"

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in (*_PRAGMAS, *pragmas, busy_timeout):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        run_text(connection, begin)

    return engine
