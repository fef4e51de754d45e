"""Prepared statements: SQLAlchemy's SQL and types, and its errors, without its way of running them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    bindparam,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, StatementError

from voicegate.adapters.storage import engines
from voicegate.adapters.storage.prepared import Prepared, numbered, parameters
from voicegate.adapters.storage.utc_time import UtcDateTime

NOTES = Table(
    "notes",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("is_read", Boolean),
    Column("detail", JSON),
)
NOW = datetime(2026, 5, 4, 3, 2, 1, 5, tzinfo=UTC)
ADD = Prepared(insert(NOTES))
OWN = NOTES.c.id == bindparam("own_id")


def note(number: int) -> dict[str, object]:
    return {"id": number, "at": NOW, "is_read": number % 2 == 0, "detail": {"n": [number]}}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = engines.connect_writer(engines.locate(tmp_path / "notes.db"))
    with engine.begin() as connection:
        NOTES.metadata.create_all(connection)
        yield connection
    engine.dispose()


def test_what_is_stored_comes_back_as_sqlalchemy_would_give_it(connection: Connection) -> None:
    assert ADD.run_each(connection, [note(1), note(2)]) == 2
    ordered = select(NOTES).order_by(NOTES.c.id)
    assert Prepared(ordered).all(connection) == [note(1), note(2)]
    assert [dict(row) for row in connection.execute(ordered).mappings()] == [note(1), note(2)]


def test_a_statement_writes_the_columns_whose_values_it_is_given(connection: Connection) -> None:
    ADD.run_each(connection, [note(1), note(2)])
    change = Prepared(update(NOTES).where(OWN))
    assert change.run(connection, {"own_id": 1, "detail": {"n": []}}) == 1
    assert change.run(connection, {"own_id": 1, "is_read": None}) == 1
    assert change.run(connection, {"own_id": 3, "is_read": None}) == 0
    find = Prepared(select(NOTES).where(OWN))
    assert find.one(connection, {"own_id": 1}) == note(1) | {"detail": {"n": []}, "is_read": None}
    assert find.one(connection, {"own_id": 2}) == note(2)
    assert find.first(connection, {"own_id": 3}) is None


def test_a_list_of_any_length_is_asked_for(connection: Connection) -> None:
    ADD.run_each(connection, [note(number) for number in range(1, 5)])
    for wanted in ([], [2], [4, 1]):
        find = Prepared(select(NOTES.c.id).where(NOTES.c.id.in_(parameters("one", len(wanted)))))
        found = find.all(connection, numbered("one", wanted))
        assert sorted(row["id"] for row in found) == sorted(wanted)


@pytest.mark.parametrize(
    "moment",
    [NOW, NOW.replace(microsecond=0), datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)],
)
def test_a_time_comes_back_in_utc_as_it_was(connection: Connection, moment: datetime) -> None:
    ADD.run(connection, note(1) | {"at": moment})
    stored = connection.exec_driver_sql("SELECT at FROM notes").scalar_one()
    assert stored == moment.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")
    found = Prepared(select(NOTES.c.at)).one(connection)["at"]
    assert (found, found.tzinfo) == (moment, UTC)
    assert connection.execute(select(NOTES.c.at)).scalar_one() == moment


def test_errors_are_sqlalchemys_and_show_no_value(connection: Connection) -> None:
    ADD.run(connection, note(1))
    with pytest.raises(IntegrityError) as twice:
        ADD.run(connection, note(1))
    assert "2026" not in str(twice.value)
    with pytest.raises(StatementError, match="time zone"):
        ADD.run(connection, note(2) | {"at": NOW.replace(tzinfo=None)})


def test_whoever_listens_to_statements_hears_prepared_ones(connection: Connection) -> None:
    heard: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda *given: heard.append(given[2]))
    ADD.run(connection, note(1))
    assert [text.split()[:3] for text in heard] == [["INSERT", "INTO", "notes"]]
