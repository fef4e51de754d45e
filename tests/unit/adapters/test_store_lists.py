"""Lists, summaries and the purge in a database that grew: what they read, and what is left."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Select, event
from sqlalchemy.sql import ClauseElement

from tests.contract.making import NOW, make_call, make_challenge, open_challenge
from tests.filled import CLIENT, NEWEST, SERVICE, at, fill
from voicegate.adapters.storage import SqlStore, engines, figures, lists
from voicegate.adapters.storage.counts import summary_queries
from voicegate.adapters.storage.migrations import migrate
from voicegate.adapters.storage.purge import old_challenges, purge
from voicegate.application.listing import (
    AuditFilter,
    CallFilter,
    FactorFilter,
    Position,
    ServiceCallFilter,
    Summary,
)
from voicegate.application.retention import Kept
from voicegate.domain.call_outcome import Outcome
from voicegate.domain.challenge import ChallengeState

DAY = timedelta(days=1)
BEHIND = Position(NOW, "call_1")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "voicegate.db"


@dataclass
class Filled:
    """A database with some hundred calls, and what it is asked."""

    connection: Connection
    asked: list[tuple[str, object]]

    def plan(self, query: ClauseElement) -> list[str]:
        """How SQLite answers a query, run as in earnest, with its parameters apart."""
        self.asked.clear()
        self.connection.execute(query)  # type: ignore[call-overload]  # whatever can be executed
        statement, parameters = self.asked[-1]
        rows = self.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
        return [row[-1] for row in rows]


@pytest.fixture
def filled(file: Path) -> Iterator[Filled]:
    engine = engines.connect_writer(engines.locate(file))
    with engine.begin() as connection:
        migrate(connection)
    fill(file, 300)
    asked: list[tuple[str, object]] = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    with engine.connect() as connection:
        yield Filled(connection, asked)
    engine.dispose()


@pytest.mark.parametrize(
    ("query", "read"),
    [
        (lists.calls_query(CallFilter()), "ix_calls_created_at"),
        (lists.calls_query(CallFilter(behind=BEHIND)), "ix_calls_created_at ((created_at,id)<(?,?))"),
        (
            lists.calls_query(CallFilter(client="nobody", with_tests=False, behind=BEHIND)),
            "ix_calls_client (client=? AND (created_at,id)<(?,?))",
        ),
        (
            lists.calls_query(CallFilter(client=CLIENT, outcome=Outcome.BUSY, trunk="other", before=NOW)),
            "ix_calls_client (client=? AND created_at<?)",
        ),
        (lists.calls_query(CallFilter(number="+12025550101")), "ix_calls_number (number=?)"),
        (lists.calls_query(CallFilter(number="+12025550101", client=CLIENT)), "ix_calls_number (number=?)"),
        (
            lists.calls_query(CallFilter(subscriber="alice", client=CLIENT, behind=BEHIND)),
            "ix_calls_subscriber (subscriber=? AND (created_at,id)<(?,?))",
        ),
        (lists.calls_query(CallFilter(subscriber="alice")), "ix_calls_subscriber (subscriber=?)"),
        (
            lists.calls_query(CallFilter(reference="order 1", client=CLIENT)),
            "ix_calls_reference (reference=?)",
        ),
        (
            lists.service_calls_query(ServiceCallFilter(client="nobody", behind=BEHIND)),
            "ix_calls_service (client=? AND (created_at,id)<(?,?))",
        ),
        (
            lists.service_calls_query(ServiceCallFilter(client=CLIENT, service=SERVICE, is_converted=False)),
            "ix_calls_service (client=?)",
        ),
        (lists.factors_query(FactorFilter()), "uq_factors_living"),
        (
            lists.factors_query(FactorFilter(behind=(CLIENT, "alice"))),
            "uq_factors_living ((client,subscriber)>(?,?))",
        ),
        (
            lists.factors_query(FactorFilter(client=CLIENT, behind=(CLIENT, "alice"))),
            "uq_factors_living (client=? AND subscriber>?)",
        ),
        (lists.audit_query(AuditFilter()), "SCAN audit"),
        (lists.audit_query(AuditFilter(behind=9)), "INTEGER PRIMARY KEY (rowid<?)"),
        (lists.audit_query(AuditFilter(client=CLIENT, behind=9)), "ix_audit_client (client=? AND id<?)"),
        (lists.audit_query(AuditFilter(number_digests=[b"1"])), "ix_audit_number_digest (number_digest=?)"),
        (lists.audit_query(AuditFilter(subject="fac_1", behind=9)), "ix_audit_subject (subject=? AND id<?)"),
        (lists.audit_query(AuditFilter(subscriber="alice")), "ix_audit_subscriber (subscriber=?)"),
        (lists.audit_query(AuditFilter(reference="order 1")), "ix_audit_reference (reference=?)"),
        (lists.audit_query(AuditFilter(trunk="carrier")), "ix_audit_trunk (trunk=?)"),
        (lists.audit_query(AuditFilter(after=NOW, before=NOW)), "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (old_challenges(NOW), "ix_challenges_expires_at (expires_at<?)"),
    ],
)
def test_a_list_is_read_in_its_indexs_order_and_never_sorted(
    filled: Filled, query: Select[tuple[object, ...]], read: str
) -> None:
    plan = filled.plan(query.limit(50))
    assert any(read in step for step in plan), plan
    assert not [step for step in plan if "TEMP B-TREE" in step], plan
    assert not [step for step in plan if "SCAN" in step and "INDEX" not in step and step != "SCAN audit"], (
        plan
    )


@pytest.mark.parametrize(
    "wanted",
    [
        ServiceCallFilter(client=CLIENT),
        ServiceCallFilter(client=CLIENT, service=SERVICE, country="US"),
        ServiceCallFilter(client=CLIENT, after=at(200), before=at(100)),
        ServiceCallFilter(client=CLIENT, prefix="+1202"),
    ],
)
def test_a_summary_reads_counts_and_an_index_and_never_a_whole_table(
    filled: Filled, wanted: ServiceCallFilter
) -> None:
    for query in summary_queries(wanted):
        (step,) = filled.plan(query)
        assert step.startswith("SEARCH"), step
        assert (
            "COVERING INDEX ix_calls_service (client=?" in step
            or "PRIMARY KEY" in step
            or ("sqlite_autoindex_call_counts_1 (client=?" in step)
        ), step


@pytest.mark.parametrize("query", [figures.figures_query(at(10)), figures.failures_query(at(10))])
def test_trunks_figures_read_the_index_of_the_windows_calls_and_no_others(
    filled: Filled, query: ClauseElement
) -> None:
    first, *others = filled.plan(query)
    assert first == "SEARCH calls USING INDEX ix_calls_created_at (created_at>?)"
    # What is left is put in order, once it is summed up.
    assert not [step for step in others if "TEMP B-TREE" not in step]


def test_a_batch_of_the_purge_looks_up_what_it_deletes(filled: Filled) -> None:
    filled.asked.clear()
    purge(filled.connection, Kept(*[NEWEST] * 7), limit=20)
    assert len(filled.asked) > 5
    for statement, parameters in list(filled.asked):
        rows = filled.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
        plan = [row[-1] for row in rows]
        assert not [step for step in plan if step.startswith("SCAN") and "INDEX" not in step], plan


def remaining(file: Path) -> dict[str, int]:
    with closing(sqlite3.connect(file)) as connection:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("challenges", "calls", "timeline", "audit", "call_counts")
        }


async def test_what_is_old_goes_batch_by_batch_and_what_is_kept_stays(file: Path) -> None:
    async with SqlStore(file) as store:
        await asyncio.to_thread(fill, file, 300)
        before = remaining(file)
        kept = Kept(
            calls=at(100), timelines=at(50), audit=at(200), webhooks=at(0), recent=at(0), page_sessions=at(0)
        )
        batches = []
        while deleted := await store.purge(kept, 100):
            batches.append(deleted)
        assert len(batches) > 10
        after = remaining(file)
        # Its five minutes are over by five calls more.
        assert after["challenges"] == after["calls"] == 106
        assert after["timeline"] == 4 * 51
        assert after["audit"] == 201
        assert after["call_counts"] == before["call_counts"]
        assert await store.summary(ServiceCallFilter(client=CLIENT)) == Summary(300, 300)


async def test_what_is_open_or_live_or_of_a_living_factor_is_never_deleted(file: Path) -> None:
    async with SqlStore(file) as store:
        await open_challenge(store, make_challenge("open"), make_call("1", "open"), None)
        over = make_challenge("over", state=ChallengeState.CANCELED)
        await open_challenge(store, over, make_call("2", "over"), None)
        far = Kept(*[NOW + 1000 * DAY] * 6)
        assert await store.purge(far, 100) == 0
        assert await store.challenge("ver_over") is not None


async def test_emptying_the_log_keeps_no_writer_out_while_somebody_reads(file: Path) -> None:
    async with SqlStore(file) as store:
        await open_challenge(store, make_challenge(), make_call(), None)
        with (
            closing(sqlite3.connect(file, isolation_level=None)) as reading,
            closing(sqlite3.connect(file, isolation_level=None)) as writing,
        ):
            writing.execute("PRAGMA busy_timeout = 0")
            reading.execute("BEGIN")
            reading.execute("SELECT * FROM challenges").fetchall()
            await open_challenge(store, make_challenge("2"), make_call("2", "2"), None)
            emptying = asyncio.create_task(asyncio.to_thread(engines.empty_wal, store._reading))
            tries = []
            while not emptying.done():
                tries.append(may_write(writing))
                await asyncio.sleep(0.01)
            await emptying
    assert len(tries) > 10
    assert tries.count(True) > 5 * tries.count(False)


def may_write(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    connection.execute("ROLLBACK")
    return True
