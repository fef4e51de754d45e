"""The `Store` port on an SQL database: which thread does what, and how errors come out.

Writes go to the one `Writer`; reads run in a few threads on connections of their own and see what is
committed, so a reader never waits for the writer. The event loop waits for neither. The SQL itself is
`statements`'s.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from voicegate.adapters.storage import counts, engines, lists, page_rows, purge, statements
from voicegate.adapters.storage.engines import FileIdentity
from voicegate.adapters.storage.migrations import migrate
from voicegate.adapters.storage.transaction import SqlTransaction
from voicegate.adapters.storage.writer import Writer
from voicegate.application.listing import (
    ALL_CALLS,
    ALL_ENTRIES,
    Attempt,
    AttemptFilter,
    AuditFilter,
    CallFilter,
    FactorFilter,
    Summary,
)
from voicegate.application.ports import CallRecord, ChallengeRecord
from voicegate.application.store_port import AuditEntry, ClientRecord, FactorRecord, Kept, Transaction
from voicegate.domain.call import Call
from voicegate.domain.challenge import Challenge
from voicegate.domain.client import Client, ClientKey
from voicegate.domain.errors import StoreError
from voicegate.domain.page_session import PageSession

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a write waits for a database that somebody else has locked."""

    request: timedelta = timedelta(seconds=5)
    """A request's, or a call's step that can be stored later."""
    call: timedelta = timedelta(seconds=60)
    """A call's beginning, without which nobody is called, and its end."""
    probe: timedelta = timedelta(seconds=2)
    """A probe."""


DEFAULT_WAITS: Final = Waits()


class SqlStore:
    """Challenges and calls in a database; an async context manager that opens and closes it.

    `location` is the path of an SQLite file, which is made when missing, or a database URL.

    A caller that is cancelled while it waits for a write stops waiting; the write still happens.
    What is given to `transact` and `record` runs in the writer's thread.
    """

    def __init__(self, location: str | Path, waits: Waits = DEFAULT_WAITS) -> None:
        self._url = engines.locate(location)
        self._name = engines.name_of(self._url)
        self._waits = waits
        self._opened_file = FileIdentity(0, 0)
        self._writing = engines.connect_writer(self._url, engines.LOCK_STEP_S)
        self._reading = engines.connect_readers(self._url)
        self._readers = ThreadPoolExecutor(engines.READERS, thread_name_prefix="store reader")
        self._listers = ThreadPoolExecutor(engines.LISTERS, thread_name_prefix="store lister")
        self._writer: Writer | None = None

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self._prepare)
        except BaseException:
            await self.close()
            raise
        self._writer = Writer(self._writing)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish what is queued and let go of the database; doing it twice is fine."""
        writer, self._writer = self._writer, None
        await asyncio.to_thread(self._finish, writer)

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction; return its answer once that is committed. What it raises undoes it."""
        return await self._write(lambda connection: work(SqlTransaction(connection)))

    async def record(
        self,
        record: CallRecord,
        change: Callable[[Challenge], Challenge] | None = None,
        *,
        following: Call | None = None,
        can_wait: bool = False,
    ) -> None:
        """Store a call's state with its new timeline entries, its challenge and its next call with it."""
        job = partial(statements.record_call, record=record, change=change, following=following)
        await self._write(job, self._waits.call if can_wait else None)

    async def challenge(self, challenge_id: str) -> ChallengeRecord | None:
        """Return a challenge with its calls and timelines; None: unknown."""
        return await self._read(partial(statements.find_challenge, challenge_id=challenge_id))

    async def newest_plain(
        self, number: str, client: str, service: str | None = None
    ) -> ChallengeRecord | None:
        """Return a client's newest plain challenge for a number that a service (None: none) asked for."""
        job = partial(statements.find_newest_plain, number=number, client=client, service=service)
        return await self._read(job)

    async def call(self, call_id: str) -> CallRecord | None:
        """Return a call with its timeline; None: unknown."""
        return await self._read(partial(statements.find_call, call_id=call_id))

    async def recent_calls(self, limit: int, wanted: CallFilter = ALL_CALLS) -> Sequence[CallRecord]:
        """Return the newest of those calls first, without timelines."""
        return await self._list(partial(lists.find_calls, wanted=wanted, limit=limit))

    async def attempts(self, wanted: AttemptFilter, limit: int) -> Sequence[Attempt]:
        """Return the newest of those calls first."""
        return await self._list(partial(lists.find_attempts, wanted=wanted, limit=limit))

    async def summary(self, wanted: AttemptFilter) -> Summary:
        """Return how those calls fared."""
        return await self._list(partial(counts.find_summary, wanted=wanted))

    async def open_challenges(self) -> Sequence[Challenge]:
        """Return all challenges that are in an open state."""
        return await self._list(statements.find_open_challenges)

    async def live_calls(self) -> Sequence[CallRecord]:
        """Return all calls that have not ended, oldest first, with timelines."""
        return await self._read(statements.find_live_calls)

    async def factor(self, factor_id: str) -> FactorRecord | None:
        """Return a factor with its newest challenge, a dead one too; None: unknown."""
        return await self._read(partial(statements.find_factor, factor_id=factor_id))

    async def factors(self, subscriber: str, client: str | None) -> Sequence[FactorRecord]:
        """Return a subscriber's living factors, of one client or (None) of all, oldest first."""
        return await self._read(partial(statements.find_factors, subscriber=subscriber, client=client))

    async def page_session(self, page_id: str) -> PageSession | None:
        """Return a page session, one that is over too; None: unknown."""
        return await self._read(partial(page_rows.look, page_id=page_id))

    async def list_factors(self, limit: int, wanted: FactorFilter) -> Sequence[FactorRecord]:
        """Return the first of those factors, living ones only, by client and then by subscriber."""
        return await self._list(partial(lists.find_factors, wanted=wanted, limit=limit))

    async def client_of(self, key_id: str) -> tuple[Client, ClientKey] | None:
        """Return a key with its client; None: unknown."""
        return await self._read(partial(statements.find_client_of, key_id=key_id))

    async def clients(self) -> Sequence[ClientRecord]:
        """Return all clients with their keys, by name."""
        return await self._read(statements.find_clients)

    async def audit(self, limit: int, wanted: AuditFilter = ALL_ENTRIES) -> Sequence[AuditEntry]:
        """Return the newest of those audit entries first."""
        return await self._list(partial(lists.find_audit, wanted=wanted, limit=limit))

    async def expire(self, now: datetime) -> int:
        """Expire what is over and erase its sealed codes; return how many challenges.

        SQLite's WAL is emptied too, in which everything erased since the last time still lies.
        """
        expired = await self._write(partial(statements.expire, now=now))
        await asyncio.get_running_loop().run_in_executor(self._listers, self._forget)
        return expired

    async def purge(self, kept: Kept, limit: int) -> int:
        """Delete a batch of what is not kept; return how many rows, 0 once all is gone."""
        return await self._write(partial(purge.purge, kept=kept, limit=limit))

    async def probe(self, now: datetime) -> None:
        """Store something small."""
        await self._write(partial(self._probe, now=now), self._waits.probe)

    async def _write(self, work: Callable[[Connection], T], wait: timedelta | None = None) -> T:
        try:
            return await asyncio.wrap_future(self._opened().submit(work, wait or self._waits.request))
        except (SQLAlchemyError, StoreError) as error:
            raise self._explain(error) from error

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await self._run(self._readers, work)

    async def _list(self, work: Callable[[Connection], T]) -> T:
        # In threads of their own: who asks for long lists must not make a sign-in's reads wait.
        return await self._run(self._listers, work)

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[Connection], T]) -> T:
        self._opened()
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, self._look, work)
        except SQLAlchemyError as error:
            raise self._explain(error) from error

    def write_delay_s(self, ahead: int = 0) -> float:
        """Return for how long a write that came now would wait, behind at least so many others, in seconds;
        does not block."""
        return 0.0 if self._writer is None else self._writer.delay_s(ahead)

    def _opened(self) -> Writer:
        if self._writer is None:
            raise StoreError(f"{self._name}: not open")
        return self._writer

    def _look(self, work: Callable[[Connection], T]) -> T:
        with self._reading.begin() as connection:
            return work(connection)

    def _forget(self) -> None:
        try:
            engines.empty_wal(self._reading)
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._explain(error) from error

    def _probe(self, connection: Connection, now: datetime) -> None:
        if engines.is_sqlite(self._url):
            engines.check_file(Path(self._name), self._opened_file)
        statements.probe(connection, now)

    def _prepare(self) -> None:
        try:
            if engines.is_sqlite(self._url):
                engines.create_file(Path(self._name))
            self._migrate()
            engines.connect_all(self._reading)
        except (SQLAlchemyError, StoreError, OSError) as error:
            raise self._explain(error) from error

    def _migrate(self) -> None:
        # By an engine that waits longer: another start may be migrating.
        engine = engines.connect_writer(self._url)
        try:
            with engine.begin() as connection:
                migrate(connection)
        finally:
            engine.dispose()
        if engines.is_sqlite(self._url):
            self._opened_file = engines.identify(Path(self._name))
        # Now, as the readers do: later the file may be another's, or no descriptor left.
        self._writing.connect().close()

    def _finish(self, writer: Writer | None) -> None:
        if writer is not None:
            writer.close()
        self._readers.shutdown()
        self._listers.shutdown()
        self._reading.dispose()
        self._writing.dispose()

    def _explain(self, error: Exception) -> StoreError:
        # The driver's own first line, for SQLAlchemy's has the statement and PostgreSQL's later ones
        # have values.
        reason: object = error
        if isinstance(error, DBAPIError) and error.orig is not None:
            reason = error.orig
        elif isinstance(error, OSError):
            reason = error.strerror
        return StoreError(f"{self._name}: {str(reason).split(chr(10), 1)[0]}")
