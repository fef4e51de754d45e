"""The one thread that writes, with group commit: what queues up during a commit is committed together.

One fsync then serves all who wait, which at 20 clients does several times what a commit each does. A job
knows nothing of this: it runs in a savepoint of its own, and its answer is given after the commit.
What the jobs do is `transaction`'s and `statements`'s.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, NestedTransaction
from sqlalchemy.exc import SQLAlchemyError

from voicegate.domain.errors import StoreError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Job:
    """A piece of work that waits for its commit."""

    work: Callable[[Connection], Any]
    """What to do."""
    future: Future[Any]
    """Whom to tell, once it is durable."""


@dataclass(frozen=True, slots=True)
class _Done:
    """A job that ran."""

    answer: Any = None
    """What it returned."""
    error: Exception | None = None
    """What it raised; its savepoint was rolled back."""


class Writer:
    """Runs jobs one after the other in a thread of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._wake = threading.Condition()
        self._queue: list[_Job] = []
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="store writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queue `work`; the future is resolved once its changes are durable, or with its exception.

        A job once queued is done: cancelling the future has no effect.

        Raises:
            StoreError: closed.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        with self._wake:
            if self._is_closed:
                raise StoreError("the database is closed")
            self._queue.append(_Job(work, future))
            self._wake.notify()
        return future

    def close(self) -> None:
        """Refuse new jobs and wait until the queued ones are done; blocks. Doing it twice is fine."""
        with self._wake:
            self._is_closed = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._take():
            self._commit(batch)

    def _take(self) -> list[_Job]:
        """Wait for jobs and return all that are queued; none when closed and drained."""
        with self._wake:
            self._wake.wait_for(lambda: self._queue or self._is_closed)
            batch, self._queue = self._queue, []
            return batch

    def _commit(self, batch: list[_Job]) -> None:
        try:
            with self._engine.begin() as connection:
                done = [_attempt(connection, job) for job in batch]
        except Exception as error:  # noqa: BLE001 - a thread's root: settled in the futures
            for job in batch:
                job.future.set_exception(error)
            return
        for job, result in zip(batch, done, strict=True):
            if result.error is None:
                job.future.set_result(result.answer)
            else:
                job.future.set_exception(result.error)


def _attempt(connection: Connection, job: _Job) -> _Done:
    savepoint = connection.begin_nested()
    try:
        answer = job.work(connection)
    except Exception as error:  # noqa: BLE001 - settled in the job's future
        _roll_back(savepoint, error)
        return _Done(error=error)
    savepoint.commit()
    return _Done(answer)


def _roll_back(savepoint: NestedTransaction, reason: Exception) -> None:
    """Undo one job; raises when the whole transaction is lost, and so fails the batch.

    After some errors (disk full, I/O) SQLite has rolled back everything: none of the batch may be
    acknowledged then.
    """
    try:
        savepoint.rollback()
    except SQLAlchemyError:
        if isinstance(reason, SQLAlchemyError):
            raise reason from None
        raise
