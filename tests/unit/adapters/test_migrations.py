"""The revisions of the database: they make the tables that the code knows, and lose nothing on the way."""

import io
import re
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from tests.contract.making import NOW, make_call, make_challenge
from voicegate.adapters.storage import SqlStore, engines
from voicegate.adapters.storage.migrations import migrate
from voicegate.adapters.storage.rows import call_row, challenge_row
from voicegate.adapters.storage.tables import METADATA
from voicegate.application.listing import CallFilter, ServiceCallFilter, Summary
from voicegate.application.ports import CallRecord, ChallengeRecord
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.errors import StoreError
from voicegate.domain.phone_number import Destination

RENAMED = {
    "0007": {"verification_id": "challenge_id"},
    "0011": {"attempts_left": "guesses_left", "attempts": "calls"},
}
"""Columns that a revision renamed, with their new names."""
ADDED: dict[str, dict[str, dict[str, Any]]] = {"0007": {}, "0011": {"calls": {"is_test": 0}}}
"""Columns that it added to a table, with what they hold in rows that were there."""
OLD_NAMES = {new: old for names in RENAMED.values() for old, new in names.items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "voicegate.db"


def migrate_file(file: Path, revision: str) -> None:
    engine = engines.connect_writer(engines.locate(file))
    with engine.begin() as connection:
        migrate(connection, revision)
    engine.dispose()


def constraints_in(definition: str) -> set[str]:
    # A column that was added later refers to another table without a name in SQLite.
    return set(re.findall(r"CONSTRAINT (\w+)", definition)) - {"fk_challenges_factor_id"}


async def test_the_migrations_make_exactly_the_tables_that_the_code_knows(file: Path) -> None:
    async with SqlStore(file):
        pass
    engine = engines.connect_writer(engines.locate(file))
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        indexes = {row.name: row.sql for row in connection.exec_driver_sql(query)}
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
        tables = {row.name: row.sql for row in connection.exec_driver_sql(query)}
    engine.dispose()
    assert {name: constraints_in(tables[name]) for name in METADATA.tables} == {
        name: constraints_in(str(CreateTable(table))) for name, table in METADATA.tables.items()
    }
    assert indexes == {
        index.name: str(CreateIndex(index).compile(dialect=sqlite.dialect()))
        for table in METADATA.tables.values()
        for index in table.indexes
    }


def test_the_tables_can_be_made_in_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in METADATA.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))


def insert_old(connection: Connection, table: str, row: dict[str, object]) -> None:
    """Insert what a table of an older version has columns for."""
    known = [column[1] for column in connection.exec_driver_sql(f"PRAGMA table_info({table})")]
    named = {OLD_NAMES.get(name, name): value for name, value in row.items()}
    old = {name: value for name, value in named.items() if name in known}
    values = [value.strftime("%F %T.%f") if isinstance(value, datetime) else value for value in old.values()]
    statement = f"INSERT INTO {table} ({', '.join(old)}) VALUES ({', '.join('?' * len(old))})"
    connection.exec_driver_sql(statement, tuple(values))


async def test_what_the_first_version_kept_is_kept(file: Path) -> None:
    engine = engines.connect_writer(engines.locate(file))
    challenge, call = make_challenge(), make_call()
    with engine.begin() as connection:
        migrate(connection, "0001")
        insert_old(connection, "verifications", challenge_row(challenge) | {"revision": 3})
        insert_old(connection, "calls", call_row(CallRecord(call)) | {"position": 1})
    engine.dispose()
    async with SqlStore(file) as store:
        assert await store.challenge("ver_1") == ChallengeRecord(challenge, [CallRecord(call)], revision=3)
        assert await store.newest_plain(challenge.destination.number, "tester") is not None


async def test_calls_of_before_their_client_and_country_were_kept_are_listed_and_counted(file: Path) -> None:
    engine = engines.connect_writer(engines.locate(file))
    kept = make_challenge("1", state=ChallengeState.VERIFIED, service="bank")
    plain = make_challenge("2", state=ChallengeState.VERIFIED, destination=Destination("4001"))
    later = NOW + timedelta(hours=3)
    made = [
        make_call("1", "1"),
        make_call("2", "1", created_at=later),
        make_call("3", "1", created_at=later, trunk="test numbers"),
        make_call("4", "2", destination=Destination("4001")),
    ]
    with engine.begin() as connection:
        migrate(connection, "0003")
        for challenge in (kept, plain):
            insert_old(connection, "verifications", challenge_row(challenge) | {"revision": 1})
        for position, call in enumerate(made, 1):
            insert_old(connection, "calls", call_row(CallRecord(call)) | {"position": position})
    engine.dispose()
    async with SqlStore(file) as store:
        found = await store.service_calls(ServiceCallFilter(with_tests=True), 9)
        assert [(one.record.call.id, one.is_converted) for one in found] == [
            ("call_3", True),
            ("call_2", False),
            ("call_1", False),
        ]
        counted = ServiceCallFilter(client="tester", service="bank", country="US")
        assert await store.summary(counted) == Summary(2, 0)
        assert await store.summary(ServiceCallFilter(after=later - timedelta(hours=1))) == Summary(1, 0)
        assert [one.call.id for one in await store.recent_calls(9, CallFilter(number="4001"))] == ["call_4"]
        assert len(await store.recent_calls(9, CallFilter(client="tester"))) == 4


async def test_a_migration_that_fails_midway_leaves_nothing_behind(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE timeline (other TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="timeline"):
        async with SqlStore(file):
            pytest.fail("it opened")
    with sqlite3.connect(file) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()
    assert tables == [("timeline",)]


def test_a_factors_last_use_is_taken_from_the_audit(file: Path) -> None:
    migrate_file(file, "0009")
    guesses = [
        ("fac_1", "verified", 1),
        ("fac_1", "verified", 2),
        ("fac_1", "denied", 3),
        ("fac_2", "denied", 1),
    ]
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.row_factory = sqlite3.Row
        fill_every_column(connection, ["factors"])
        connection.execute("UPDATE factors SET id = 'fac_' || id")
        for subject, decision, n in guesses:
            columns = "at, client, request_id, action, decision, subject"
            row = (value_of("DATETIME", n), "tester", "req", "factor.verify", decision, subject)
            connection.execute(f"INSERT INTO audit ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row)
    migrate_file(file, "0010")
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT id, verified_at FROM factors").fetchall()
    assert dict(found) == {"fac_0": None, "fac_1": value_of("DATETIME", 2), "fac_2": None}


def rows_of(connection: sqlite3.Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, by its columns' names."""
    connection.row_factory = sqlite3.Row
    names = [row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        name: [dict(row) for row in connection.execute(f"SELECT * FROM {name} ORDER BY rowid")]
        for name in names
        if name != "alembic_version"
    }


def fill_every_column(connection: sqlite3.Connection, tables: list[str]) -> None:
    """Add three rows to each table that refer to each other, one of them with NULL wherever it may be."""
    for table in tables:
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        for n in range(3):
            values = [
                None if n == 2 and not (column["notnull"] or column["pk"]) else value_of(column["type"], n)
                for column in columns
            ]
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", values)


def value_of(kind: str, n: int) -> object:
    match kind:
        case "INTEGER" | "BOOLEAN":
            return n
        case "BLOB":
            return bytes([n])
        case "DATETIME":
            return f"2026-01-0{n + 1} 12:00:00.000000"
        case "JSON":
            return f"[{n}]"
        case _:
            return str(n)


def migrated(table: str, rows: list[dict[str, Any]], revision: str) -> list[dict[str, Any]]:
    new, added = RENAMED[revision], ADDED[revision].get(table, {})
    return [{new.get(name, name): value for name, value in row.items()} | added for row in rows]


@pytest.mark.parametrize(("last", "revision"), [("0006", "0007"), ("0010", "0011")])
def test_every_row_of_the_last_version_is_kept_under_the_new_names(
    file: Path, last: str, revision: str
) -> None:
    migrate_file(file, last)
    with closing(sqlite3.connect(file)) as connection, connection:
        fill_every_column(connection, list(rows_of(connection)))
        before = rows_of(connection)
    assert {len(rows) for rows in before.values()} == {3}
    migrate_file(file, revision)
    with closing(sqlite3.connect(file)) as connection:
        after = rows_of(connection)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert [row[0] for row in connection.execute("PRAGMA integrity_check")] == ["ok"]
        connection.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            connection.execute("UPDATE calls SET challenge_id = 'unknown'")
    before["challenges"] = before.pop("verifications" if "verifications" in before else "challenges")
    assert after == {name: migrated(name, rows, revision) for name, rows in before.items()}


def test_a_call_of_before_the_mark_is_a_test_by_its_trunks_name(file: Path) -> None:
    migrate_file(file, "0010")
    with closing(sqlite3.connect(file)) as connection, connection:
        fill_every_column(connection, list(rows_of(connection)))
        connection.execute("UPDATE calls SET trunk = 'test numbers' WHERE id = '1'")
    migrate_file(file, "0011")
    with closing(sqlite3.connect(file)) as connection:
        marks = connection.execute("SELECT id, is_test FROM calls ORDER BY id").fetchall()
    assert [tuple(mark) for mark in marks] == [("0", 0), ("1", 1), ("2", 0)]


def test_a_call_of_before_its_subscriber_was_kept_has_its_factors(file: Path) -> None:
    migrate_file(file, "0017")
    with closing(sqlite3.connect(file)) as connection, connection:
        fill_every_column(connection, list(rows_of(connection)))
        connection.execute("UPDATE audit SET action = 'trunk.drain' WHERE id = 1")
    migrate_file(file, "0018")
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT subscriber, reference FROM calls ORDER BY id").fetchall()
        trunks = connection.execute("SELECT trunk FROM audit ORDER BY id").fetchall()
    assert found == [("0", "0"), ("1", "1"), (None, None)]
    assert trunks == [(None,), ("1",), (None,)]


def test_in_postgresql_challenges_are_renamed_with_all_that_bears_the_old_name() -> None:
    written = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": written}
    )
    revision = import_module("voicegate.adapters.storage.migrations.versions.r0007_challenges")
    with Operations.context(context):
        revision.upgrade()
    statements = [line.rstrip(";") for line in written.getvalue().splitlines() if line]
    assert "ALTER TABLE verifications RENAME TO challenges" in statements
    new_names = {
        line.rpartition(" RENAME CONSTRAINT ")[2].split(" TO ")[1] for line in statements if "CONST" in line
    }
    named = {str(constraint.name) for table in METADATA.tables.values() for constraint in table.constraints}
    assert new_names == {name for name in named if "challenge" in name}
    made = {line for line in statements if line.startswith("CREATE INDEX")}
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    assert made == {
        str(CreateIndex(index).compile(dialect=dialect))
        for table in METADATA.tables.values()
        for index in table.indexes
        if "challenge" in str(index.name)
    }
