"""What the SQL store does on PostgreSQL beyond the port's promises: errors, other daemons, a server that goes
away."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, event, inspect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateIndex

from tests.contract.making import (
    NOW,
    make_call,
    make_challenge,
    open_challenge,
    read,
    update_challenge,
    with_steps,
)
from tests.pbx.relay import Relay
from tests.postgresql import Server, running_server
from voicegate.adapters.storage import SqlStore, engines, postgresql, silence
from voicegate.adapters.storage.checks import StoreCheck
from voicegate.adapters.storage.migrations import migrate
from voicegate.adapters.storage.store import Waits
from voicegate.adapters.storage.tables import METADATA
from voicegate.application.diagnostics import Level
from voicegate.application.store_port import Transaction
from voicegate.config import parse
from voicegate.domain import challenge as challenges
from voicegate.domain.challenge import Challenge, GuessResult
from voicegate.domain.errors import ConfigError, StoreError, StoreUnsure

LONG = Waits(request=timedelta(seconds=60))
HASTY = "&options=-c%20lock_timeout%3D100"
"""What makes a URL's stores wait 100 ms for another daemon."""


async def refusal(url: str, *, controller: str | None = None) -> str:
    with pytest.raises(StoreError) as refused:
        async with SqlStore(url, controller=controller):
            pytest.fail("it opened")
    return str(refused.value)


def miss(challenge: Challenge) -> tuple[Challenge, challenges.VerifyResult]:
    return challenges.verify(challenge, NOW, is_match=False)


def test_the_migrations_make_exactly_the_tables_that_the_code_knows(server: Server) -> None:
    with server.database() as url:
        engine = engines.connect_readers(engines.locate(url))
        with engine.begin() as connection:
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
            found = inspect(connection)
            named = {
                constraint["name"]
                for table in METADATA.tables
                for constraint in (*found.get_foreign_keys(table), *found.get_unique_constraints(table))
            }
            names = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
            indexes = {row[0]: row[1] for row in connection.exec_driver_sql(names)}
        engine.dispose()
    wanted = {index.name: index for table in METADATA.tables.values() for index in table.indexes}
    assert set(wanted) <= set(indexes)
    partial = {name for name, index in wanted.items() if " WHERE " in str(CreateIndex(index).compile(engine))}
    assert partial == {name for name in wanted if " WHERE " in indexes[name]}
    assert named >= {
        str(key.name) for table in METADATA.tables.values() for key in table.foreign_key_constraints
    }


async def test_what_the_first_version_kept_is_kept(server: Server) -> None:
    with server.database("template0") as url:
        engine = engines.connect_writer(engines.locate(url))
        with engine.begin() as connection:
            migrate(connection, "0001")
            connection.exec_driver_sql(
                "INSERT INTO verifications VALUES ('ver_1', 'web', '+12025550101', NULL, 'en', 'any_key', 6,"
                " 'x', NULL, now(), now(), 5, 'verified', NULL, 3)"
            )
            connection.exec_driver_sql(
                "INSERT INTO calls VALUES ('call_1', 'ver_1', 1, '+12025550101', NULL, 'carrier', '', now(),"
                " 'ended', false, false, false, false, false, false, 0)"
            )
        engine.dispose()
        async with SqlStore(url) as store:
            record = await read(store)
            assert (record.revision, [one.call.id for one in record.calls]) == (3, ["call_1"])


async def test_first_starts_at_once_make_one_database(server: Server) -> None:
    async def start(url: str) -> None:
        async with SqlStore(url) as store:
            await store.expire(NOW)

    with server.database("template0") as url:
        await asyncio.gather(*(start(url) for _ in range(4)))


async def test_of_guesses_through_two_stores_at_once_no_more_count_than_are_left(database: str) -> None:
    async with SqlStore(database, LONG) as one, SqlStore(database, LONG) as other:
        name = "guessed through two"
        await open_challenge(one, make_challenge(name), make_call(name, name))
        guesses = (update_challenge(store, f"ver_{name}", miss) for store in (one, other) * 20)
        found = [result.result for result in await asyncio.gather(*guesses) if result]
    assert (found.count(GuessResult.DENIED), found.count(GuessResult.LOCKED)) == (4, 36)


async def test_of_calls_through_two_stores_at_once_none_passes_the_limit(server: Server) -> None:
    """Who counts before it adds, counts what the other has added."""

    async def place(store: SqlStore, name: str) -> bool:
        def work(tx: Transaction) -> bool:
            if len(tx.calls_in_progress(make_call().destination.number, NOW)) >= 3:
                return False
            tx.add_challenge(make_challenge(name))
            tx.add_call(make_call(name, name))
            return True

        return await store.transact(work)

    with server.database() as url:
        async with SqlStore(url, LONG) as one, SqlStore(url, LONG) as other:
            placed = await asyncio.gather(
                *(place(store, f"{n}{key}") for n in range(10) for key, store in (("a", one), ("b", other)))
            )
    assert placed.count(True) == 3


async def test_a_daemon_of_a_version_for_one_daemon_keeps_controllers_out_and_they_it(server: Server) -> None:
    def take_alone(url: str) -> Engine:
        """As that version takes the database for itself."""
        engine = engines.connect_readers(engines.locate(url))
        event.listen(engine, "connect", take)
        return engine

    def take(connection: DBAPIConnection, _entry: object) -> None:
        connection.cursor().execute(f"SELECT pg_advisory_lock({postgresql._SOLE_LOCK})")
        connection.commit()

    with server.database() as url:
        alone = take_alone(url)
        with alone.connect():
            message = await refusal(url + HASTY, controller="new")
            # Doctor, and who reads receipts, is let in.
            (finding,) = [one async for one in StoreCheck(url).run()]
        alone.dispose()
        assert message.startswith("storage.database: postgresql://voicegate@/")
        assert message.endswith("a daemon of an older version uses this database: stop it first")
        assert finding.level is Level.OK
        async with SqlStore(url, controller="one") as one, SqlStore(url, controller="two") as two:
            await one.probe(NOW)
            await two.probe(NOW)
            alone = take_alone(url + HASTY)
            with pytest.raises(DBAPIError, match="lock timeout"):
                alone.connect()
            alone.dispose()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://voicegate@127.0.0.1:1/voicegate", "Connection refused"),
        ("postgresql://voicegate@/voicegate?host=/nowhere", "No such file"),
    ],
)
async def test_a_server_that_is_away_is_told_by_the_setting(url: str, says: str) -> None:
    message = await refusal(url)
    assert message.startswith("storage.database: postgresql://voicegate@")
    assert says in message
    (finding,) = [one async for one in StoreCheck(url).run()]
    assert finding.level is Level.ERROR
    assert says in finding.text
    assert "storage.database; its server must run" in str(finding.fix)


async def test_a_lost_key_file_is_told_where_there_are_codes_of_it(database: str) -> None:
    async with SqlStore(database) as store:
        (without,) = [one async for one in StoreCheck(database).run()]
        await open_challenge(store, make_challenge(), make_call())
        (lost,) = [one async for one in StoreCheck(database).run()]
        (there,) = [one async for one in StoreCheck(database, lambda _: True).run()]
    assert (without.level, there.level) == (Level.OK, Level.OK)
    assert (lost.level, "storage.key_file: restore it" in lost.fix) == (Level.ERROR, True)


async def test_a_missing_database_or_user_is_told(server: Server) -> None:
    assert 'database "nothing" does not exist' in await refusal(server.url("nothing"))
    assert 'role "nobody" does not exist' in await refusal(server.url("postgres", "nobody"))


async def test_errors_have_no_statement_and_no_values(database: str) -> None:
    async with SqlStore(database) as store:
        await open_challenge(store, make_challenge("twice"), make_call("twice", "twice"))
        with pytest.raises(StoreError) as refused:
            await open_challenge(store, make_challenge("twice"), make_call("other", "twice"))
    assert "pk_challenges" in str(refused.value)
    assert "DETAIL" not in str(refused.value)
    assert "+1202" not in f"{refused.value!r} {refused.value.__cause__}"


@pytest.mark.parametrize("location", ["postgresql://me:word@db/x", "postgresql://db/x?user=me&password=word"])
def test_a_password_in_the_url_is_refused_and_not_shown(location: str) -> None:
    with pytest.raises(ConfigError, match=r"storage\.database: must be a file's path, or a URL") as refused:
        parse({"storage": {"database": location}})
    assert "word@" not in str(refused.value)
    assert "=word" not in str(refused.value)


async def test_readers_cannot_write(database: str) -> None:
    engine = engines.connect_readers(engines.locate(database))
    with pytest.raises(DBAPIError, match="read-only"), engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM probes")
    engine.dispose()


@pytest.fixture
async def own() -> AsyncIterator[Server]:
    """A server that a test may stop."""
    with running_server() as server:
        yield server


async def test_writes_wait_for_a_server_that_is_restarted_and_happen_once(own: Server) -> None:
    url = own.create("restarted")
    async with SqlStore(url, LONG, controller="own") as store:
        await open_challenge(store, make_challenge(), make_call())
        for how in (signal.SIGINT, signal.SIGQUIT):
            own.stop(how)
            # What comes while it is away waits; what was acknowledged is there after a crash too.
            writing = asyncio.create_task(store.record(with_steps(make_call(), 3)))
            await asyncio.to_thread(own.start)
            await writing
        record = await read(store)
        assert [len(one.timeline) for one in record.calls] == [3]
        own.stop()
        with pytest.raises(StoreError):
            await store.challenge("ver_1")
        with pytest.raises(StoreError):
            await store.probe(NOW)


async def test_who_asks_a_server_that_says_nothing_is_told_in_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "GRACE", timedelta(seconds=0.2))
    waits = Waits(request=timedelta(seconds=0.2), call=timedelta(seconds=60))
    async with Relay(server.folder / ".s.PGSQL.5432").running() as relay:
        server.create("silent")
        url = f"postgresql://voicegate@127.0.0.1:{relay.port}/silent?sslmode=disable&gssencmode=disable"
        async with SqlStore(url, waits) as store:
            await open_challenge(store, make_challenge(), make_call())
            relay.freeze()
            writing = asyncio.create_task(store.record(with_steps(make_call(), 2), can_wait=True))
            with pytest.raises(StoreError, match="no answer in time"):
                await store.challenge("ver_1")
            # Behind what is on its way: it does not begin, and so it is certain that nothing is stored.
            with pytest.raises(StoreError, match="no answer in time") as refused:
                await open_challenge(store, make_challenge("2"), make_call("2", "2"))
            assert not isinstance(refused.value, StoreUnsure)
            relay.thaw()
            await writing
            record = await read(store)
            assert [len(one.timeline) for one in record.calls] == [2]
            assert await store.challenge("ver_2") is None


async def test_a_frozen_writer_keeps_others_from_writing_only_for_a_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = postgresql._SERVER | {"idle_in_transaction_session_timeout": "300"}
    monkeypatch.setattr(postgresql, "_SERVER", settings)
    with server.database() as url:
        frozen = engines.connect_writer(engines.locate(url))
        async with SqlStore(url, LONG) as store:
            with frozen.connect() as connection:
                connection.begin()
                await store.probe(NOW)
                with pytest.raises(DBAPIError):
                    connection.exec_driver_sql("SELECT 1")
        frozen.dispose()


def test_a_server_of_root_runs_as_nobody(server: Server) -> None:
    assert server.process is not None
    owner = Path(f"/proc/{server.process.pid}").stat().st_uid
    assert (owner != 0, owner == os.geteuid()) == (True, os.geteuid() != 0)
