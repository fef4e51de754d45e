"""The `Store` port on an SQL database: which thread does what, and how errors are told.

Writes go to the one `Writer`. Reads run in a few other threads, each on its own connection, and see what is
committed: a reader never waits for the writer. The event loop waits for neither. The SQL is in `statements`.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from voicegate.adapters.storage import (
    counts,
    engines,
    figures,
    holds,
    lists,
    number_rows,
    outbox,
    page_rows,
    purge,
    recording,
    spend,
    statements,
)
from voicegate.adapters.storage.controllers import SqlControllers
from voicegate.adapters.storage.engines import FileIdentity
from voicegate.adapters.storage.silence import answer_of
from voicegate.adapters.storage.transaction import SqlTransaction
from voicegate.adapters.storage.upgrading import DEFAULT_RULES, UpgradeRules, upgrade
from voicegate.adapters.storage.writer import OnCommit, Writer
from voicegate.application.audit_entry import AuditEntry
from voicegate.application.lines import LineCaps, NoLine
from voicegate.application.listing import (
    ALL_CALLS,
    ALL_ENTRIES,
    AuditFilter,
    CallFilter,
    FactorFilter,
    ServiceCall,
    ServiceCallFilter,
    Summary,
)
from voicegate.application.outbox import NOTHING_TOLD, MessageFilter, StoredMessage, Told
from voicegate.application.ports import CallRecord, ChallengeRecord
from voicegate.application.retention import Kept
from voicegate.application.store_port import ClientRecord, FactorRecord, Transaction
from voicegate.application.trunk_drains import Drain
from voicegate.domain.call import Call
from voicegate.domain.challenge import Challenge
from voicegate.domain.client import Client, ClientKey
from voicegate.domain.errors import StoreError
from voicegate.domain.page_session import PageSession
from voicegate.domain.policy import ListedNumber, NumberList
from voicegate.domain.policy.conversion import PrefixHold, Tally
from voicegate.domain.policy.spend import Account, Cost, SpendKind
from voicegate.domain.trunk_figures import TrunkFigures
from voicegate.domain.webhook import MessageState

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a write waits while another process has locked the database."""

    request: timedelta = timedelta(seconds=5)
    """For a write of a request, and for a call's step that can be stored later."""
    call: timedelta = timedelta(seconds=60)
    """For the start of a call, without which nobody is called, and for its end."""
    probe: timedelta = timedelta(seconds=2)
    """For the probe of `/readyz`."""


DEFAULT_WAITS: Final = Waits()


class SqlStore:
    """Challenges and calls in a database; an async context manager that opens and closes it.

    `location` is the path of an SQLite file, which is created when it is missing, or a database URL.
    `controller`: the id of the controller whose calls it stores, where several share a PostgreSQL database.
    `rules`: what is done about a database of an older version.

    When a caller is cancelled while it waits for a write, it stops waiting; the write still happens.
    The functions given to `transact` and `record` run in the writer's thread.
    """

    def __init__(
        self,
        location: str | Path,
        waits: Waits = DEFAULT_WAITS,
        *,
        controller: str | None = None,
        on_commit: OnCommit | None = None,
        rules: UpgradeRules = DEFAULT_RULES,
    ) -> None:
        self._on_commit = on_commit
        self._url = engines.locate(location)
        self._name = engines.name_of(self._url)
        self._waits = waits
        self.controller = controller
        """The id of the controller whose calls it stores; None: the database is this one's alone."""
        self.controllers = SqlControllers(write=self._write, read=self._read)
        """Who shares a PostgreSQL database."""
        self._rules = rules
        self._opened_file = FileIdentity(0, 0)
        self._writing = engines.connect_writer(self._url, engines.LOCK_STEP_S, controller=controller)
        self._reading = engines.connect_readers(self._url, controller=controller)
        self._readers = ThreadPoolExecutor(engines.READERS, thread_name_prefix="store reader")
        self._listers = ThreadPoolExecutor(engines.LISTERS, thread_name_prefix="store lister")
        self._writer: Writer | None = None

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self._prepare)
        # A cancelled start too: the threads and connections would outlive it.
        except BaseException:
            await self.close()
            raise
        self._writer = Writer(self._writing, *([self._on_commit] if self._on_commit else []))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish the queued writes and close the database; may be called twice."""
        # Taken away first: from here on, a new write is refused instead of queued behind the end.
        writer, self._writer = self._writer, None
        await asyncio.to_thread(self._finish, writer)

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction; return its answer after the commit. If it raises, it is undone."""
        return await self._write(lambda connection: work(SqlTransaction(connection)))

    async def record(
        self,
        record: CallRecord,
        change: Callable[[Challenge], Challenge] | None = None,
        *,
        following: Call | None = None,
        told: Told = NOTHING_TOLD,
        can_wait: bool = False,
    ) -> None:
        """Store a call's state with its new timeline entries, the change of its challenge, the next call and
        what is told of it.

        All in one commit. `can_wait`: wait long for a locked database (`Waits.call`), instead of as long as
        a request.
        """
        work = partial(recording.store_call, record=record, change=change, following=following, told=told)
        await self._write(work, self._waits.call if can_wait else None)

    async def begin(self, record: CallRecord, caps: LineCaps, told: Told = NOTHING_TOLD) -> NoLine | None:
        """Store that a call begins, as `record` does; or return why it may not: then nothing is stored."""
        work = partial(recording.begin_call, record=record, caps=caps, told=told)
        return await self._write(work, self._waits.call)

    async def challenge(self, challenge_id: str) -> ChallengeRecord | None:
        """Return a challenge with its calls and timelines; None: unknown."""
        return await self._read(partial(statements.find_challenge, challenge_id=challenge_id))

    async def open_until(self, challenge_id: str) -> datetime | None:
        """Return when an open challenge's time is over; None: it is not open, or unknown."""
        return await self._read(partial(statements.find_open_until, challenge_id=challenge_id))

    async def newest_plain(
        self, number: str, client: str, service: str | None = None
    ) -> ChallengeRecord | None:
        """Return a client's newest challenge without a factor for a number; None: there is none.

        `service` is the service that asked for it; None: one that no service asked for.
        """
        job = partial(statements.find_newest_plain, number=number, client=client, service=service)
        return await self._read(job)

    async def call(self, call_id: str) -> CallRecord | None:
        """Return a call with its timeline; None: unknown."""
        return await self._read(partial(statements.find_call, call_id=call_id))

    async def recent_calls(self, limit: int, wanted: CallFilter = ALL_CALLS) -> Sequence[CallRecord]:
        """Return the calls that match, newest first, at most `limit`, without timelines."""
        return await self._list(partial(lists.find_calls, wanted=wanted, limit=limit))

    async def service_calls(self, wanted: ServiceCallFilter, limit: int) -> Sequence[ServiceCall]:
        """Return services' calls that match, newest first, at most `limit`."""
        return await self._list(partial(lists.find_service_calls, wanted=wanted, limit=limit))

    async def summary(self, wanted: ServiceCallFilter) -> Summary:
        """Return how many services' calls match, and how many of them led to a verified code."""
        return await self._list(partial(counts.find_summary, wanted=wanted))

    async def open_challenges(self) -> Sequence[Challenge]:
        """Return all challenges that are in an open state."""
        return await self._list(statements.find_open_challenges)

    async def live_calls(self) -> Sequence[CallRecord]:
        """Return all calls that have not ended, oldest first, with timelines."""
        return await self._read(statements.find_live_calls)

    async def factor(self, factor_id: str) -> FactorRecord | None:
        """Return a factor with its newest challenge, also a factor that was reset; None: unknown."""
        return await self._read(partial(statements.find_factor, factor_id=factor_id))

    async def factors(self, subscriber: str, client: str | None) -> Sequence[FactorRecord]:
        """Return a subscriber's factors that are not reset, oldest first; client None: of all clients."""
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

    async def messages(self, limit: int, wanted: MessageFilter) -> Sequence[StoredMessage]:
        """Return the messages that match, newest first, at most `limit`."""
        return await self._list(partial(outbox.find_messages, wanted=wanted, limit=limit))

    async def message_counts(self) -> Mapping[tuple[str, MessageState], int]:
        """Return how many messages of each webhook are in each state."""
        return await self._list(outbox.count_messages)

    async def next_message_at(self, webhook: str) -> datetime | None:
        """Return when a webhook's next message is due; None: none is pending."""
        return await self._read(partial(outbox.find_next_at, webhook=webhook))

    async def drains(self) -> Sequence[Drain]:
        """Return the trunks that are drained, by name."""
        return await self._read(statements.find_drains)

    async def audit(self, limit: int, wanted: AuditFilter = ALL_ENTRIES) -> Sequence[AuditEntry]:
        """Return the audit entries that match, newest first, at most `limit`."""
        return await self._list(partial(lists.find_audit, wanted=wanted, limit=limit))

    async def listed_numbers(
        self, digests: Sequence[bytes] | None, kind: NumberList | None
    ) -> Sequence[ListedNumber]:
        """Return what the lists say about a number, or about all; newest first, at most a thousand."""
        return await self._list(partial(number_rows.find, digests=digests, kind=kind))

    async def tallies(self, since: datetime) -> Sequence[Tally]:
        """Return how many codes were entered of each client's calls to each range and country after
        `since`."""
        return await self._list(partial(holds.find_tallies, since=since))

    async def spent_on(
        self, day: date, kinds: Collection[SpendKind] = tuple(SpendKind)
    ) -> Sequence[tuple[Account, Cost]]:
        """Return what calls cost in each account of these kinds on a day, the highest costs first, at most a
        thousand."""
        return await self._list(partial(spend.find_accounts, day=day, kinds=kinds))

    async def trunk_figures(self, since: datetime) -> Sequence[TrunkFigures]:
        """Return the sums of calls made at `since` or later, by trunk and country."""
        return await self._list(partial(figures.find_figures, since=since))

    async def sip_failures(self, since: datetime) -> Sequence[tuple[str, int, int]]:
        """Return trunk, SIP status and number of calls that ended with one before the answer."""
        return await self._list(partial(figures.find_sip_failures, since=since))

    async def prefix_holds(self) -> Sequence[PrefixHold]:
        """Return all holds, also those that are over."""
        return await self._list(holds.find_holds)

    async def expire(self, now: datetime) -> int:
        """Expire challenges whose time is over and erase their sealed codes; return how many expired."""
        expired = await self._write(partial(statements.expire, now=now))
        # SQLite's WAL still holds every sealed code that was erased since the last time. In a lister's
        # thread: emptying it may take half a second.
        await asyncio.get_running_loop().run_in_executor(self._listers, self._forget)
        return expired

    async def purge(self, kept: Kept, limit: int) -> int:
        """Delete one batch of rows that are older than `kept` says; return how many, 0 when none is left."""
        return sum((await self._write(partial(purge.purge, kept=kept, limit=limit))).values())

    async def probe(self, now: datetime) -> None:
        """Store one small row, to learn whether the database can be written.

        Raises:
            StoreError: it cannot, or the SQLite file was deleted, replaced or has no room.
        """
        await self._write(partial(self._probe, now=now), self._waits.probe)

    async def _write(self, work: Callable[[Connection], T], wait: timedelta | None = None) -> T:
        writer, wait = self._opened(), wait or self._waits.request
        try:
            writing = writer.submit(work, wait)
            return await answer_of(asyncio.wrap_future(writing), wait, lambda: writer.give_up(writing))
        except (SQLAlchemyError, StoreError) as error:
            raise self._explain(error) from error

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await self._run(self._readers, work)

    async def _list(self, work: Callable[[Connection], T]) -> T:
        # In threads of their own: a client that asks for long lists must not make a sign-in's reads wait.
        return await self._run(self._listers, work)

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[Connection], T]) -> T:
        self._opened()
        try:
            looking = asyncio.get_running_loop().run_in_executor(threads, self._look, work)
            return await answer_of(looking, self._waits.request)
        except (SQLAlchemyError, StoreError) as error:
            raise self._explain(error) from error

    def write_delay_s(self, ahead: int = 0) -> float:
        """Return how long a new write would wait now, in seconds, behind the queue or `ahead` writes.

        The longer of the two. Does not block.
        """
        return 0.0 if self._writer is None else self._writer.delay_s(ahead)

    def undone_writes(self) -> int:
        """Return how many writes are queued or being done. Does not block."""
        return 0 if self._writer is None else self._writer.undone()

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
        # A deleted SQLite file can still be written through the open descriptor: the write proves nothing.
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
            explained = self._explain(error)
            if engines.is_sqlite(self._url):
                raise explained from error
            # A server's own words ("Connection refused") do not tell an admin what to look at.
            raise StoreError(f"{engines.SETTING}: {explained}") from error

    def _migrate(self) -> None:
        done = upgrade(self._url, self._rules, controller=self.controller)
        if done.is_done:
            log.warning("database upgraded", before=done.before, after=done.after, copy=str(done.copy))
        if engines.is_sqlite(self._url):
            self._opened_file = engines.identify(Path(self._name))
        # Connected now, like the readers: later the file may have been replaced, or no descriptor be left.
        self._writing.connect().close()

    def _finish(self, writer: Writer | None) -> None:
        # The writer first: what it had accepted is committed before its connection goes.
        if writer is not None:
            writer.close()
        self._readers.shutdown()
        self._listers.shutdown()
        self._reading.dispose()
        self._writing.dispose()

    def _explain(self, error: Exception) -> StoreError:
        return engines.explain(self._url, error)
