"""Group commit: what waits together is made durable together, and fails alone."""

import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import OperationalError

from voicegate.adapters.storage import engines
from voicegate.adapters.storage import writer as writers
from voicegate.adapters.storage.pace import WritePace
from voicegate.adapters.storage.writer import Writer
from voicegate.domain.errors import StoreError
from voicegate.lab.deadlines import at_most

Job = Callable[[Connection], int]
WAIT = timedelta(seconds=30)
SHORT = timedelta(seconds=0.3)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = engines.connect_writer(engines.locate(tmp_path / "numbers.db"), busy_timeout_s=0.05)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"))
    yield engine
    engine.dispose()


@pytest.fixture
def commits(engine: Engine) -> list[Connection]:
    """Grows with every commit."""
    commits: list[Connection] = []
    event.listen(engine, "commit", commits.append)
    return commits


@pytest.fixture
def writer(engine: Engine) -> Iterator[Writer]:
    writer = Writer(engine)
    yield writer
    writer.close()


class Insert:
    """A job that stores a number, and may fail after it."""

    def __init__(self, n: int, error: Exception | None = None) -> None:
        self.n = n
        self.error = error

    def __call__(self, connection: Connection) -> int:
        connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": self.n})
        if self.error:
            raise self.error
        return self.n


class Hold:
    """A job that stores 0 and keeps the writer busy until it is let go."""

    def __init__(self, writer: Writer) -> None:
        self._began, self._gate = threading.Event(), threading.Event()
        self.future = writer.submit(self._wait, WAIT)
        assert self._began.wait(at_most(30))

    def let_go(self) -> None:
        self._gate.set()

    def _wait(self, connection: Connection) -> int:
        self._began.set()
        assert self._gate.wait(at_most(30))
        return Insert(0)(connection)


def stored(engine: Engine) -> list[int]:
    # By a connection of its own: the writer keeps the engine's only one.
    with closing(sqlite3.connect(str(engine.url.database))) as connection:
        return [n for (n,) in connection.execute("SELECT n FROM numbers ORDER BY n")]


def run_together(writer: Writer, jobs: Sequence[Job]) -> list[Future[int]]:
    """Run `jobs` as one batch, which gathers while another job holds the writer."""
    hold = Hold(writer)
    futures = [writer.submit(job, WAIT) for job in jobs]
    hold.let_go()
    wait(futures, timeout=at_most(30))
    assert hold.future.result(timeout=at_most(30)) == 0
    return futures


def test_writes_that_wait_together_share_a_commit(
    writer: Writer, engine: Engine, commits: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "_BATCH_S", math.inf)
    futures = run_together(writer, [Insert(n) for n in range(1, 100)])
    assert [future.result() for future in futures] == list(range(1, 100))
    assert len(commits) == 2
    assert stored(engine) == list(range(100))


def test_nothing_is_acknowledged_before_its_commit(writer: Writer, engine: Engine) -> None:
    is_done_at_commit: list[bool] = []
    hold = Hold(writer)
    event.listen(engine, "commit", lambda connection: is_done_at_commit.append(hold.future.done()))
    hold.let_go()
    hold.future.result(timeout=at_most(30))
    assert is_done_at_commit == [False]


def test_a_job_that_fails_fails_alone(writer: Writer, engine: Engine) -> None:
    futures = run_together(writer, [Insert(1), Insert(2, LookupError("no")), Insert(3)])
    assert isinstance(futures[1].exception(), LookupError)
    assert stored(engine) == [0, 1, 3]


def test_when_the_database_drops_the_transaction_nobody_is_told_that_it_was_stored(
    writer: Writer, engine: Engine
) -> None:
    def lose(connection: Connection) -> int:
        # As SQLite itself does on a full disk or an I/O error.
        connection.exec_driver_sql("ROLLBACK")
        raise OSError("disk full")

    futures = run_together(writer, [Insert(1), lose, Insert(2)])
    assert all(future.exception() for future in futures)
    assert stored(engine) == [0]
    assert writer.submit(Insert(3), WAIT).result(timeout=at_most(30)) == 3


def test_the_reason_is_told_when_the_whole_transaction_is_lost(writer: Writer) -> None:
    def lose(connection: Connection) -> int:
        connection.exec_driver_sql("ROLLBACK")
        raise OperationalError("INSERT", {}, OSError("disk full"))

    futures = run_together(writer, [Insert(1), lose])
    assert ["disk full" in str(future.exception()) for future in futures] == [True, True]


def test_a_commit_that_fails_fails_every_job_of_it(writer: Writer, engine: Engine) -> None:
    def refuse(connection: Connection) -> None:
        raise OSError("disk full")

    event.listen(engine, "commit", refuse)
    with pytest.raises(OSError, match="disk full"):
        writer.submit(Insert(1), WAIT).result(timeout=at_most(30))
    event.remove(engine, "commit", refuse)
    assert writer.submit(Insert(2), WAIT).result(timeout=at_most(30)) == 2
    assert stored(engine) == [2]


def test_a_queued_job_cannot_be_taken_back(writer: Writer, engine: Engine) -> None:
    hold = Hold(writer)
    future = writer.submit(Insert(1), WAIT)
    assert not future.cancel()
    hold.let_go()
    assert future.result(timeout=at_most(30)) == 1
    assert stored(engine) == [0, 1]


def test_closing_does_what_is_queued_and_takes_no_more(writer: Writer, engine: Engine) -> None:
    hold = Hold(writer)
    futures = [hold.future, *(writer.submit(Insert(n), WAIT) for n in range(1, 50))]
    closing = threading.Thread(target=writer.close)
    closing.start()
    hold.let_go()
    closing.join(timeout=at_most(30))
    assert all(future.done() for future in futures)
    assert stored(engine) == list(range(50))
    with pytest.raises(StoreError):
        writer.submit(Insert(50), WAIT)


def test_closing_twice_does_nothing(writer: Writer) -> None:
    writer.close()
    writer.close()


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Within, another program has the database locked."""
    with closing(sqlite3.connect(str(engine.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_locked_database_is_waited_for_by_each_as_long_as_it_may(writer: Writer, engine: Engine) -> None:
    with locked(engine):
        call = writer.submit(Insert(1), WAIT)
        request = writer.submit(Insert(2), SHORT)
        error = request.exception(timeout=at_most(20))
        assert "locked" in str(error)
        assert not call.done()
        later = writer.submit(Insert(3), WAIT)
    assert [call.result(at_most(20)), later.result(at_most(20))] == [1, 3]
    assert stored(engine) == [1, 3]


def test_closing_waits_for_a_locked_database_no_longer_than_a_stop_may_take(
    writer: Writer, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "_CLOSING_WITHIN_S", 0.3)
    with locked(engine):
        future = writer.submit(Insert(1), timedelta(hours=1))
        closing_writer = threading.Thread(target=writer.close)
        closing_writer.start()
        closing_writer.join(at_most(20))
        assert not closing_writer.is_alive()
        assert "locked" in str(future.exception())


def test_how_long_a_write_would_wait_is_known_to_whoever_asks(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WritePace, "each_s", lambda *_: 0.5)
    assert writer.delay_s() == 0
    assert writer.delay_s(ahead=3) == 1.5
    hold = Hold(writer)
    waiting = [writer.submit(Insert(n), WAIT) for n in (1, 2)]
    assert writer.delay_s() == 1.5
    assert writer.delay_s(ahead=2) == 1.5
    assert writer.delay_s(ahead=4) == 2
    hold.let_go()
    assert [future.result(timeout=at_most(30)) for future in waiting] == [1, 2]
    assert writer.delay_s() == 0


def test_the_first_of_many_does_not_wait_for_the_last(
    writer: Writer, engine: Engine, commits: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "_BATCH_S", 0.0)
    futures = run_together(writer, [Insert(n) for n in range(1, 10)])
    assert [future.result() for future in futures] == list(range(1, 10))
    assert len(commits) == 10
    assert stored(engine) == list(range(10))


def test_how_long_a_write_takes_is_measured(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[tuple[int, float]] = []
    monkeypatch.setattr(WritePace, "note", lambda _, jobs, seconds, __: noted.append((jobs, seconds)))
    began = time.monotonic()
    run_together(writer, [Insert(n) for n in range(1, 4)])
    took = time.monotonic() - began
    assert [jobs for jobs, _ in noted] == [1, 3]
    assert all(0 < seconds < took for _, seconds in noted)
