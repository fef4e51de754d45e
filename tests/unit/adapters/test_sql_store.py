"""What the SQL store does beyond the port's promises: files, migrations, crashes, indexes."""

import asyncio
import os
import signal
import sqlite3
import sys
import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Select, event, select
from sqlalchemy.dialects import sqlite

from tests.contract.making import NOW, make_call, make_challenge, open_challenge, update_challenge
from voicegate.adapters.storage import SqlStore, engines
from voicegate.adapters.storage.statements import NEWEST_OF_FACTOR, living
from voicegate.adapters.storage.tables import (
    IS_LIVE,
    IS_LIVING,
    IS_OPEN,
    calls,
    challenges,
    factors,
    wrong_guesses,
)
from voicegate.domain.challenge import Challenge, ChallengeState
from voicegate.domain.errors import StoreError
from voicegate.lab.deadlines import within

# Opens challenges in eight tasks for ever and prints each id once it is acknowledged.
CRASHING = """
import asyncio, sys
from tests.contract.making import make_call, make_challenge, open_challenge
from voicegate.adapters.storage import SqlStore

async def client(store, name):
    for n in range(10**9):
        await open_challenge(store, make_challenge(f"{name}-{n}"), make_call(f"{name}-{n}", f"{name}-{n}"))
        print(f"ver_{name}-{n}", flush=True)

async def main():
    async with SqlStore(sys.argv[1]) as store:
        await asyncio.gather(*(client(store, name) for name in "abcdefgh"))

asyncio.run(main())
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "voicegate.db"


async def refusal(location: str | Path) -> str:
    with pytest.raises(StoreError) as refused:
        async with SqlStore(location):
            pytest.fail("it opened")
    return str(refused.value)


async def test_the_database_and_its_log_are_the_owners_alone_whatever_the_umask(file: Path) -> None:
    before = os.umask(0)
    try:
        async with SqlStore(file) as store:
            await open_challenge(store, make_challenge(), make_call(), None)
            modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys([file.name, f"{file.name}-wal", f"{file.name}-shm"], 0o600)


def erase(challenge: Challenge) -> tuple[Challenge, None]:
    return replace(challenge, sealed=None, state=ChallengeState.CANCELED), None


def files_with(text: bytes, folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if text in path.read_bytes()]


async def test_tidying_leaves_a_sealed_code_that_was_erased_in_none_of_the_files(file: Path) -> None:
    async with SqlStore(file) as store:
        await open_challenge(store, make_challenge(sealed=b"a code, sealed"), make_call(), None)
        await update_challenge(store, "ver_1", erase)
        assert files_with(b"a code, sealed", file.parent) == [f"{file.name}-wal"]
        await store.expire(NOW)
        assert files_with(b"a code, sealed", file.parent) == []


async def test_a_long_read_delays_the_tidying_and_stops_nobody(file: Path) -> None:
    async with SqlStore(file) as store:
        with closing(sqlite3.connect(file, isolation_level=None)) as reading:
            await open_challenge(store, make_challenge(sealed=b"a code, sealed"), make_call(), None)
            reading.execute("BEGIN")
            reading.execute("SELECT * FROM challenges").fetchall()
            await update_challenge(store, "ver_1", erase)
            async with within(5):
                await store.expire(NOW)
            assert files_with(b"a code, sealed", file.parent) != []
        await store.expire(NOW)
        assert files_with(b"a code, sealed", file.parent) == []


async def test_a_url_opens_the_same_file_as_its_path(file: Path) -> None:
    async with SqlStore(file) as store:
        await open_challenge(store, make_challenge(), make_call(), None)
    async with SqlStore(f"sqlite:///{file}") as store:
        assert await store.challenge("ver_1") is not None


async def test_what_was_acknowledged_survives_kill_9(file: Path) -> None:
    writing = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CRASHING, str(file), stdout=asyncio.subprocess.PIPE
    )
    assert writing.stdout is not None
    acknowledged = [(await writing.stdout.readline()).decode().strip() for _ in range(300)]
    writing.send_signal(signal.SIGKILL)
    # A line cut by the kill has no end; all whole ones were acknowledged.
    rest = (await writing.stdout.read()).decode()
    acknowledged += [line.strip() for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    assert await writing.wait() == -signal.SIGKILL
    assert all(acknowledged)
    async with SqlStore(file) as store:
        found = [await store.challenge(challenge_id) for challenge_id in acknowledged]
        assert all(record is not None and len(record.calls) == 1 for record in found)
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_two_processes_worth_of_stores_share_one_file(file: Path) -> None:
    async with SqlStore(file) as one, SqlStore(file) as other:
        await asyncio.gather(
            *(
                open_challenge(
                    store, make_challenge(f"{name}{n}"), make_call(f"{name}{n}", f"{name}{n}"), None
                )
                for name, store in (("a", one), ("b", other))
                for n in range(50)
            )
        )
        assert len(await one.recent_calls(1000)) == 100
        assert len(await other.recent_calls(1000)) == 100


async def test_first_starts_at_once_make_one_database(file: Path) -> None:
    async def start() -> None:
        async with SqlStore(file) as store:
            await store.expire(NOW)

    await asyncio.gather(*(start() for _ in range(8)))


def test_the_writer_connects_though_another_start_has_the_file_for_itself(file: Path) -> None:
    url = engines.locate(file)
    engines.connect_writer(url).connect().close()
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    end = threading.Timer(3 * engines.LOCK_STEP_S, other.close)
    end.start()
    with engines.connect_writer(url, engines.LOCK_STEP_S).connect() as connection:
        waits_ms = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
    end.join()
    assert waits_ms == 1000 * engines.LOCK_STEP_S


async def test_a_factor_is_locked_before_its_challenge_whoever_asks(file: Path) -> None:
    asked: list[str] = []
    async with SqlStore(file) as store:
        event.listen(store._writing, "before_cursor_execute", lambda *given: asked.append(given[2]))
        await store.transact(lambda tx: tx.challenge("ver_1"))
    read = [text.split()[1].partition(".")[0] for text in asked if text.startswith("SELECT")]
    assert read == ["factors", "challenges"]


async def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(file: Path) -> None:
    async with SqlStore(file):
        pass
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    message = await refusal(file)
    assert str(file) in message
    assert "newer" in message
    assert "9999" in message
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    connection.close()


async def test_a_file_that_is_no_database_is_named(file: Path) -> None:
    file.write_bytes(b"something else entirely" * 100)
    message = await refusal(file)
    assert str(file) in message
    assert "not a database" in message


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "voicegate.db"
    assert await refusal(file) == f"{file}: No such file or directory"


@pytest.mark.parametrize("location", ["sqlite://", "sqlite:///:memory:", ":memory:"])
def test_a_database_in_memory_is_refused(location: str) -> None:
    with pytest.raises(StoreError, match="file"):
        SqlStore(location)


@pytest.mark.parametrize(
    "url", ["what://user:secret@host:port/x", "what://user:secret@host/x", "://user:secret@host"]
)
def test_a_url_that_cannot_be_used_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(StoreError) as refused:
        SqlStore(url)
    assert "secret" not in str(refused.value)


async def test_errors_have_no_statement_and_no_values(file: Path) -> None:
    async with SqlStore(file) as store:
        await open_challenge(store, make_challenge(), make_call(), None)
        with pytest.raises(StoreError) as refused:
            await open_challenge(store, make_challenge(), make_call("2"), None)
    assert str(refused.value) == f"{file}: UNIQUE constraint failed: challenges.id"
    assert "+1202" not in f"{refused.value!r} {refused.value.__cause__}"


async def test_an_erased_code_is_nowhere_in_the_file(file: Path) -> None:
    mark = b"SEALED-WITH-CARE"
    async with SqlStore(file) as store:
        # Longer than a page: without care, SQLite only takes the pages off the row.
        await open_challenge(store, make_challenge(sealed=mark * 1000), make_call(), None)
    assert mark in file.read_bytes()
    async with SqlStore(file) as store:
        await store.expire(make_challenge().expires_at)
    assert mark not in file.read_bytes()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (select(calls).where(IS_LIVE).order_by(calls.c.created_at), "ix_calls_live"),
        (select(calls).order_by(calls.c.created_at.desc()), "ix_calls_created_at"),
        (select(calls).where(calls.c.challenge_id == "ver_1"), "challenge_id=?"),
        (
            select(challenges).where(IS_OPEN, challenges.c.expires_at <= NOW),
            "ix_challenges_open (expires_at<?)",
        ),
        (NEWEST_OF_FACTOR, "ix_challenges_factor_id (factor_id=?)"),
        (select(factors).where(factors.c.number == "+12", IS_LIVING), "ix_factors_number (number=?)"),
        (select(factors).where(*living("alice", "web")), "uq_factors_living (client=? AND subscriber=?)"),
        (
            select(wrong_guesses).where(wrong_guesses.c.bucket == "+12", wrong_guesses.c.at > NOW),
            "ix_wrong_guesses_bucket (bucket=? AND at>?)",
        ),
        (
            select(wrong_guesses).where(wrong_guesses.c.client == "web", wrong_guesses.c.at > NOW),
            "ix_wrong_guesses_client (client=? AND at>?)",
        ),
    ],
)
async def test_the_frequent_questions_have_an_index(
    file: Path, query: Select[tuple[object, ...]], index: str
) -> None:
    async with SqlStore(file):
        pass
    engine = engines.connect_readers(engines.locate(file))
    # As the driver sends it, parameters apart: only so does SQLite plan as in earnest.
    compiled = query.compile(dialect=sqlite.dialect())
    with engine.begin() as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {compiled}", tuple(str(value) for value in compiled.params.values())
        ).all()
    engine.dispose()
    assert any(index in row[-1] for row in plan), plan


async def test_a_probe_stores_something_each_time(file: Path) -> None:
    async with SqlStore(file) as store:
        for second in range(3):
            await store.probe(NOW + timedelta(seconds=second))
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT id, at FROM probes").fetchall() == [
            (1, "2026-01-01 12:30:17.123456")
        ]


async def test_a_probe_finds_a_file_that_was_deleted_or_replaced(file: Path) -> None:
    async with SqlStore(file) as store:
        moved = file.rename(file.with_name("moved.db"))
        with pytest.raises(StoreError, match="deleted or replaced"):
            await store.probe(NOW)
        file.write_bytes(b"another")
        with pytest.raises(StoreError, match="deleted or replaced"):
            await store.probe(NOW)
        moved.replace(file)
        await store.probe(NOW)


# Where no file may grow, SQLite meets what it meets on a full disk: a write that fails.
FULL = """
import asyncio, resource, sys
from datetime import UTC, datetime
from voicegate.adapters.storage import SqlStore
from voicegate.domain.errors import StoreError

async def main():
    async with SqlStore(sys.argv[1]) as store:
        await store.expire(datetime.now(UTC))
        for limit in (4096, resource.RLIM_INFINITY):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                await store.probe(datetime.now(UTC))
                print("ok", flush=True)
            except StoreError as error:
                print(error, flush=True)

asyncio.run(main())
"""


async def test_a_probe_fails_while_no_file_can_grow_and_is_well_after(file: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FULL, str(file), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    full, well = output.decode().splitlines()
    assert full.startswith(f"{file}: ")
    assert full != well == "ok"


async def test_a_probe_finds_a_disk_that_is_as_good_as_full(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SqlStore(file) as store:
        monkeypatch.setattr(engines, "MIN_FREE_BYTES", 2**62)
        with pytest.raises(StoreError, match="the disk is full"):
            await store.probe(NOW)
