"""Copies of a database in use, and the one that is made before an upgrade."""

import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.unit.adapters.test_migrations import migrate_file
from voicegate.adapters.storage import SqlStore, engines
from voicegate.adapters.storage.copies import copies_of, copy_database
from voicegate.adapters.storage.migrations import newest_revision
from voicegate.adapters.storage.upgrading import Upgrade, UpgradeRules, upgrade
from voicegate.domain.errors import StoreError
from voicegate.lab.deadlines import at_most

OLD = "0021"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "voicegate.db"


def revision(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


@contextmanager
def writing(file: Path, written: threading.Event) -> Iterator[None]:
    """Write two rows in each of many transactions, one after the other."""
    ended = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(file, isolation_level=None, timeout=at_most(30))) as connection:
            while not ended.is_set():
                connection.execute("BEGIN IMMEDIATE")
                for name in ("one", "two"):
                    connection.execute(f"INSERT INTO {name} VALUES (randomblob(5000))")
                connection.execute("COMMIT")
                written.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_copy_shows_one_moment_while_others_write(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for name in ("one", "two"):
            connection.execute(f"CREATE TABLE {name} (content)")
            # More than one step of the copy.
            connection.executemany(f"INSERT INTO {name} VALUES (randomblob(5000))", [()] * 500)
    steps, written = [], threading.Event()

    def report(done: int, total: int) -> None:
        steps.append((done, total))
        # A write between any two steps.
        written.clear()
        assert written.wait(at_most(30))

    with writing(file, written):
        copy_database(file, tmp_path / "copy", report)
    assert len(steps) > 2
    assert steps[-1][0] == steps[-1][1] == steps[0][1]
    with closing(sqlite3.connect(tmp_path / "copy")) as connection:
        counts = {connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in ("one", "two")}
    assert len(counts) == 1
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    assert {entry.name for entry in tmp_path.glob("copy*")} == {"copy"}


def test_the_copy_of_a_damaged_database_is_refused_and_not_left(file: Path, tmp_path: Path) -> None:
    migrate_file(file, "head")
    content = bytearray(file.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    file.write_bytes(content)
    with pytest.raises(StoreError):
        copy_database(file, tmp_path / "copy")
    assert not list(tmp_path.glob("copy*"))


async def test_a_start_copies_the_database_of_an_older_version_first(file: Path) -> None:
    migrate_file(file, OLD)
    async with SqlStore(file):
        pass
    (copy,) = copies_of(file)
    assert copy.name.startswith(f"voicegate.db.{OLD}-")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert (revision(copy), revision(file)) == (OLD, newest_revision())
    async with SqlStore(file):
        pass
    assert copies_of(file) == [copy]


async def test_a_new_database_is_not_copied(file: Path) -> None:
    async with SqlStore(file):
        pass
    assert not copies_of(file)


def test_so_many_copies_stay_as_the_rules_say(file: Path) -> None:
    names = [f"voicegate.db.00{n:02}-20250101T0000{n:02}Z.copy" for n in range(5)]
    for name in names:
        file.with_name(name).touch()
    migrate_file(file, OLD)
    done = upgrade(engines.locate(file), UpgradeRules(copies_kept=2))
    assert done.copy is not None
    assert [copy.name for copy in copies_of(file)] == [names[-1], done.copy.name]


def test_no_copy_is_made_where_none_is_to_stay(file: Path) -> None:
    migrate_file(file, OLD)
    assert upgrade(engines.locate(file), UpgradeRules(copies_kept=0)) == Upgrade(OLD, newest_revision(), None)
    assert not copies_of(file)


def test_without_room_for_the_copy_nothing_is_upgraded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate_file(file, OLD)
    monkeypatch.setattr(engines, "MIN_FREE_BYTES", 1 << 60)
    with pytest.raises(StoreError, match="no room for a copy"):
        upgrade(engines.locate(file))
    assert revision(file) == OLD
    assert not copies_of(file)


async def test_a_start_that_may_not_upgrade_says_what_to_do(file: Path) -> None:
    migrate_file(file, OLD)
    with pytest.raises(StoreError, match=f"revision {OLD}.*`voicegate db upgrade`"):
        async with SqlStore(file, rules=UpgradeRules(is_allowed=False)):
            pass
    assert revision(file) == OLD
    upgrade(engines.locate(file))
    async with SqlStore(file, rules=UpgradeRules(is_allowed=False)):
        pass
