"""The one thread that writes, with group commit: jobs that arrive during a commit share the next one.

One fsync then serves all jobs of a batch; with 20 clients this does several times as many writes a second as
one commit for each job. A batch is committed after a tenth of a second, even if more jobs are queued. A job
does not notice any of this: it runs in its own savepoint, and its answer is given after the commit. While
another process has locked the database, each job waits for its own time, and none waits longer because of
another. Who has waited for too long gives a job up: one that has not begun is never done. What the jobs do is
in `transaction` and `statements`.
"""

import math
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from voicegate.adapters.storage import engines, postgresql
from voicegate.adapters.storage.pace import WritePace
from voicegate.adapters.storage.prepared import run_text
from voicegate.domain.errors import StoreError, StoreUnsure

T = TypeVar("T")
OnCommit = Callable[[int, float], None]
"""Is told how many jobs a commit had, and how many seconds they took with it. Does not raise."""

# A daemon that stops has its own deadline, systemd's: no job waits for a lock longer than this after `close`.
_CLOSING_WITHIN_S: Final = 10.0
_BATCH_S: Final = 0.1
"""A batch that has run for so long is committed, and the rest of it is the next one."""


@dataclass(slots=True, eq=False)
class _Job:
    """A piece of work that waits for its commit."""

    work: Callable[[Connection], Any]
    """What to do, in the writer's thread."""
    future: Future[Any]
    """Gets the answer once the commit is on disk, or the exception."""
    deadline: float
    """How long it waits for a locked database, as a time of the monotonic clock, in seconds."""
    is_running: bool = False
    """Does it run, or has it run?"""
    is_given_up: bool = False
    """Does nobody wait for it any more, so that it must not begin?"""


@dataclass(frozen=True, slots=True)
class _Done:
    """A job that ran."""

    answer: Any = None
    """What it returned."""
    error: Exception | None = None
    """What it raised; its savepoint was rolled back."""


def _tell_nobody(_jobs: int, _seconds: float) -> None:
    """Do nothing."""


class Writer:
    """Runs jobs one after the other in a thread of its own.

    `on_commit` is called in that thread with the jobs of each commit, and with the seconds that they took.
    """

    def __init__(self, engine: Engine, on_commit: OnCommit = _tell_nobody) -> None:
        self._engine = engine
        self._on_commit = on_commit
        self._wake = threading.Condition()
        self._queue: list[_Job] = []
        self._batch: list[_Job] = []
        self._is_closed = False
        self._closed_at = math.inf
        self._connection: Connection | None = None
        self._pace = WritePace(time.monotonic())
        self._thread = threading.Thread(target=self._run, name="store writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T], wait: timedelta) -> Future[T]:
        """Queue `work`; the future gets its answer once its changes are on disk, or its exception.

        A queued job is always done: cancelling the future has no effect. The exceptions: while the database
        is locked, or its server is away, the job fails after `wait`; and `give_up`.

        Raises:
            StoreError: the writer is closed.
        """
        future: Future[T] = Future()
        # From here on it cannot be cancelled: else a caller could believe that nothing was stored.
        future.set_running_or_notify_cancel()
        with self._wake:
            if self._is_closed:
                raise StoreError("the database is closed")
            self._queue.append(_Job(work, future, time.monotonic() + wait.total_seconds()))
            self._wake.notify()
        return future

    def give_up(self, future: Future[Any]) -> bool:
        """Have a job not be done any more; return whether that is certain: else it has begun already."""
        with self._wake:
            job = next((job for job in (*self._batch, *self._queue) if job.future is future), None)
            if job is None or job.is_running:
                return False
            job.is_given_up = True
            return True

    def delay_s(self, ahead: int = 0) -> float:
        """Return how long a new job would wait now, in seconds, behind the queue or at least `ahead` jobs.

        An estimate from how long the last jobs took.
        """
        return max(self.undone(), ahead) * self._pace.each_s(time.monotonic())

    def undone(self) -> int:
        """Return how many jobs are queued or being done."""
        with self._wake:
            return len(self._batch) + len(self._queue)

    def close(self) -> None:
        """Refuse new jobs and wait until the queued ones are done, or have waited long enough for a locked
        database; blocks. Doing it twice is fine."""
        with self._wake:
            self._is_closed = True
            self._closed_at = min(self._closed_at, time.monotonic())
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._take():
            self._commit(batch)
        self._disconnect()

    def _connected(self) -> Connection:
        """Return the one connection, which is kept: to take it from the pool for each commit costs as much as
        many a job."""
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _disconnect(self) -> None:
        """Give the connection back to the pool, which looks whether it is still of use."""
        if self._connection is not None:
            with suppress(SQLAlchemyError):
                self._connection.close()
            self._connection = None

    def _take(self) -> list[_Job]:
        """Wait for jobs and return all that are queued; none when closed and drained."""
        with self._wake:
            self._batch = []
            self._wake.wait_for(lambda: self._queue or self._is_closed)
            self._batch, self._queue = self._queue, []
            return self._batch

    def _commit(self, batch: list[_Job]) -> None:
        done: list[_Done] | None = None
        began = time.monotonic()
        try:
            connection = self._connected()
            with connection.begin():
                done = []
                self._try_some(connection, batch, done)
        except Exception as error:  # noqa: BLE001 - a thread's root: settled in the futures
            self._disconnect()
            # Before the first job has run, nothing is lost by waiting. After that, the commit may be on disk
            # or not: no job is run again, for it could take effect twice.
            if done is not None:
                self._fail(batch, _unsure(error))
                return
            if not can_wait(error):
                self._fail(batch, error)
                return
            self._fail(self._late(batch), error)
            if not is_locked(error):
                # A server that refuses connections does so at once, and would be asked without a pause.
                time.sleep(postgresql.RETRY_S)
            return
        self._put_back(batch[len(done) :])
        took = time.monotonic() - began
        self._pace.note(len(done), took, time.monotonic())
        self._on_commit(len(done), took)
        for job, result in zip(batch, done, strict=False):
            if result.error is None:
                job.future.set_result(result.answer)
            else:
                job.future.set_exception(result.error)

    def _try_some(self, connection: Connection, batch: list[_Job], done: list[_Done]) -> None:
        """Run jobs for `_BATCH_S`, at least one, and add the result of each to `done`."""
        until = time.monotonic() + _BATCH_S
        for job in batch:
            with self._wake:
                job.is_running = not job.is_given_up
            done.append(_try(connection, job) if job.is_running else _Done(error=StoreError("given up")))
            if time.monotonic() > until:
                break

    def _put_back(self, rest: list[_Job]) -> None:
        """Queue the jobs that a batch did not reach again, before all others."""
        with self._wake:
            # In the front: in the order of their arrival, or the first could wait for ever under load.
            self._batch = []
            self._queue[:0] = rest

    def _late(self, batch: list[_Job]) -> list[_Job]:
        """Queue the jobs that can still wait again, before all others; return the rest, which must fail."""
        now = time.monotonic()
        with self._wake:
            latest = self._closed_at + _CLOSING_WITHIN_S
            waiting = [job for job in batch if now < min(job.deadline, latest)]
            self._queue[:0] = waiting
        return [job for job in batch if job not in waiting]

    def _fail(self, jobs: list[_Job], error: Exception) -> None:
        for job in jobs:
            job.future.set_exception(error)


def can_wait(error: Exception) -> bool:
    """Has another connection locked the database, or is its server away, so that a later try may succeed?"""
    return is_locked(error) or postgresql.is_unavailable(error)


def is_locked(error: Exception) -> bool:
    """Has another connection locked the SQLite file?"""
    reason = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(reason, "sqlite_errorcode", None)
    # The low byte: the others tell the kind of lock (SQLITE_BUSY_SNAPSHOT is 517; sqlite.org/rescode.html).
    return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _unsure(error: Exception) -> Exception:
    """Return what jobs are told whose commit failed: was anything stored?"""
    if not postgresql.is_unavailable(error):
        return error  # SQLite's own word: nothing was
    return StoreUnsure(engines.reason_of(error))


def _try(connection: Connection, job: _Job) -> _Done:
    # A savepoint each: one job's error must not undo the others of the batch.
    # By the driver: SQLAlchemy compiles its own anew each time, which takes longer than many a job.
    run_text(connection, "SAVEPOINT job")
    try:
        answer = job.work(connection)
    except Exception as error:  # noqa: BLE001 - settled in the job's future
        _roll_back(connection, error)
        return _Done(error=error)
    run_text(connection, "RELEASE SAVEPOINT job")
    return _Done(answer)


def _roll_back(connection: Connection, reason: Exception) -> None:
    """Undo one job; raises when the whole transaction is lost, so that the whole batch fails."""
    try:
        run_text(connection, "ROLLBACK TO SAVEPOINT job")
        run_text(connection, "RELEASE SAVEPOINT job")
    except SQLAlchemyError:
        # After some errors (disk full, I/O) SQLite rolls back everything by itself, and the savepoint is gone
        # (sqlite.org/lang_transaction.html, 2.1): then no job of the batch may be acknowledged.
        if isinstance(reason, SQLAlchemyError):
            raise reason from None
        raise
