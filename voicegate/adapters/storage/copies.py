"""Copies of an SQLite database that is in use: each shows one moment, and is the owner's alone.

Source: sqlite.org/backup.html. A PostgreSQL database is copied by its own tools (`pg_dump`).
"""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from voicegate.adapters.storage import engines
from voicegate.domain.errors import StoreError

Report = Callable[[int, int], None]
"""Is told how many of how many parts are done."""

_PAGES: Final = 256
"""Pages of a step; takes about a millisecond."""
_TIME: Final = "%Y%m%dT%H%M%SZ"


def ignore(_done: int, _total: int) -> None:
    """Report nothing."""


def copy_database(source: Path, target: Path, report: Report = ignore) -> None:
    """Copy the file `source`, which may be in use, to `target`, mode 0600 and synced to disk; blocks.

    A database that is at `target` is replaced. A copy by root belongs to the owner of `source`.

    Raises:
        StoreError: it cannot be read or copied, or its disk has no room; `target` is as it was.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        # What a copy left that was killed.
        part.unlink(missing_ok=True)
        _check_room(source, target)
        engines.create_file(part)
        _copy(source, part, report)
        _finish(part, source)
        # Only now: a copy that has its name is whole.
        part.rename(target)
        sync(target.parent)
    except (sqlite3.Error, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StoreError(f"{source}: cannot be copied to {target}: {reason}") from error
    finally:
        part.unlink(missing_ok=True)


def copy_before_upgrade(source: Path, revision: str, *, keep: int) -> Path:
    """Copy a database beside itself before it is upgraded from `revision`; return the copy. Blocks.

    Of the copies made so, the `keep` newest stay.

    Raises:
        StoreError: it cannot be copied.
    """
    target = source.with_name(f"{source.name}.{revision}-{datetime.now(UTC).strftime(_TIME)}.copy")
    copy_database(source, target)
    for old in copies_of(source)[:-keep]:
        old.unlink(missing_ok=True)
    return target


def copies_of(source: Path) -> list[Path]:
    """Return the copies that were made before upgrades, the oldest first."""
    # By the time in their names: one that was moved away and back has another time of its own.
    found = source.parent.glob(f"{source.name}.*-*Z.copy")
    return sorted(found, key=lambda copy: copy.name.rpartition("-")[2])


def sync(folder: Path) -> None:
    """Write a folder's names to disk; blocks."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_room(source: Path, target: Path) -> None:
    needed = source.stat().st_size + engines.MIN_FREE_BYTES
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise StoreError(f"{source}: no room for a copy in {target.parent}: {needed - free} bytes too few")


def _copy(source: Path, target: Path, report: Report) -> None:
    address = f"{source.absolute().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=10)) as read,
        closing(sqlite3.connect(target, isolation_level=None)) as written,
    ):
        # With a moment of its own: else each write of another process would begin the copy anew.
        read.execute("BEGIN")
        read.execute("SELECT count(*) FROM sqlite_master").fetchone()
        read.backup(written, pages=_PAGES, progress=lambda _status, left, total: report(total - left, total))
        # One file, without a WAL beside it.
        written.execute("PRAGMA journal_mode = DELETE")
        # A damaged database would be found out when the copy is needed, and there is no other any more.
        found = written.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"{source}: is damaged: {found}")


def _finish(part: Path, source: Path) -> None:
    """Sync a copy to disk; if root made it, give it to the owner of its source."""
    descriptor = os.open(part, os.O_RDONLY)
    try:
        if os.geteuid() == 0:
            owner = source.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
