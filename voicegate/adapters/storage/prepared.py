"""Statements that are compiled once and run by the database's own driver.

SQLAlchemy writes the SQL and knows the types; to run a short statement through it takes six times as long as
SQLite needs for it. So what every call and every guess runs is a `Prepared`; all else goes through
SQLAlchemy. Both share connection and transaction. Source: SQLAlchemy 2.0, "Compiled" and "TypeEngine"; PEP
249.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter, methodcaller
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import (
    BindParameter,
    Connection,
    Delete,
    Dialect,
    Insert,
    RowMapping,
    Select,
    Update,
    bindparam,
)
from sqlalchemy.engine.interfaces import DBAPICursor, DBAPIModule
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.types import TypeEngine

Row = dict[str, Any]
"""A row's values by the names of its columns."""
AnyRow = Row | RowMapping
"""The same, or SQLAlchemy's."""
Values = Mapping[str, object]
"""The values of a statement's parameters, by name."""
Statement = Select[Any] | Insert | Update | Delete

T = TypeVar("T")
_NOTHING: Final[Values] = {}
_FETCH_ALL: Final[Callable[[DBAPICursor], Sequence[Any]]] = methodcaller("fetchall")
_FETCH_ONE: Final[Callable[[DBAPICursor], Any]] = methodcaller("fetchone")
_COUNT: Final[Callable[[DBAPICursor], int]] = attrgetter("rowcount")


def numbered(name: str, values: Iterable[object]) -> dict[str, object]:
    """Return the parameters of an IN of so many values: name_0, name_1 and so on."""
    return {f"{name}_{number}": value for number, value in enumerate(values)}


def parameters(name: str, count: int) -> Sequence[BindParameter[Any]]:
    """Return what `numbered` gives the values of."""
    return [bindparam(f"{name}_{number}") for number in range(count)]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as one kind of database runs it."""

    text: str
    """The SQL."""
    given: Values
    """The values that the statement itself gives."""
    order: Callable[[Values], Sequence[object]] | None
    """Returns the parameters' values in the order of the SQL; None: it has them by name."""
    writers: Sequence[tuple[str, Callable[[Any], Any]]]
    """What turns a parameter's value into the driver's."""
    columns: Sequence[str]
    """The names of the result's columns."""
    readers: Sequence[tuple[str, Callable[[Any], Any]]]
    """What turns a column's value of the driver's into ours."""

    def bind(self, values: Values) -> Any:
        """Return the parameters for the driver.

        Raises:
            StatementError: a value that the column cannot hold.
        """
        bound = {**self.given, **values}
        try:
            for name, write in self.writers:
                bound[name] = write(bound[name])
        except (TypeError, ValueError) as error:
            raise StatementError(str(error), None, None, error, hide_parameters=True) from error
        return bound if self.order is None else self.order(bound)

    def row(self, values: Sequence[object]) -> Row:
        """Return one row of the result."""
        # Most columns are as the driver gives them: only the others are looked at.
        row = dict(zip(self.columns, values, strict=True))
        for name, read in self.readers:
            row[name] = read(row[name])
        return row


class Prepared:
    """One statement."""

    def __init__(self, statement: Statement | Mapping[str, Statement]) -> None:
        """`statement`: the same for both databases, or one for each by its name.

        An INSERT or UPDATE that does not say what it writes writes the columns whose values are given.
        """
        self._statement = statement
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    def all(self, connection: Connection, values: Values = _NOTHING) -> list[Row]:
        """Return all rows of the result."""
        compiled = self._for(connection.dialect, values)
        found = _execute(connection, compiled.text, compiled.bind(values), take=_FETCH_ALL)
        return [compiled.row(row) for row in found]

    def first(self, connection: Connection, values: Values = _NOTHING) -> Row | None:
        """Return the first row of the result; None: it has none."""
        compiled = self._for(connection.dialect, values)
        row = _execute(connection, compiled.text, compiled.bind(values), take=_FETCH_ONE)
        return None if row is None else compiled.row(row)

    def one(self, connection: Connection, values: Values = _NOTHING) -> Row:
        """Return the first row of a result that always has one."""
        row = self.first(connection, values)
        if row is None:
            raise LookupError("a statement without a result")
        return row

    def run(self, connection: Connection, values: Values = _NOTHING) -> int:
        """Run the statement; return how many rows it changed."""
        compiled = self._for(connection.dialect, values)
        return _execute(connection, compiled.text, compiled.bind(values), take=_COUNT)

    def run_each(self, connection: Connection, rows: Sequence[Values]) -> int:
        """Run the statement for each of some values, all of the same names; return how many rows it
        changed."""
        if not rows:
            return 0
        compiled = self._for(connection.dialect, rows[0])
        bound = [compiled.bind(values) for values in rows]
        return _execute(connection, compiled.text, bound, take=_COUNT, is_many=True)

    def _for(self, dialect: Dialect, values: Values) -> _Compiled:
        # By the names of the values, in order: an UPDATE may write these columns or those. Callers build them
        # always alike, so that there are few.
        key = (dialect.name, *values)
        compiled = self._compiled.get(key)
        if compiled is None:
            # Two threads may both compile it: either result will do.
            own = self._statement
            statement = own[dialect.name] if isinstance(own, Mapping) else own
            compiled = self._compiled[key] = _compile(statement, dialect, values)
        return compiled


def _compile(statement: Statement, dialect: Dialect, values: Values) -> _Compiled:
    # An IN whose list is known is written out, so that nothing of the text depends on the values.
    compiled: Any = statement.compile(
        dialect=dialect, column_keys=list(values), compile_kwargs={"render_postcompile": True}
    )
    bounds = {name: bound for bound, name in compiled.bind_names.items()}
    kinds = {name: bound.type for name, bound in bounds.items()}
    results = {str(column.key): column.type for column in _result_of(statement)}
    return _Compiled(
        text=str(compiled),
        # An IN of nothing has a parameter of which nothing is left.
        given={name: value for name, value in compiled.params.items() if not bounds[name].required},
        order=_in_order(compiled.positiontup) if compiled.positional else None,
        writers=_converters(kinds, lambda kind: kind.bind_processor(dialect), dialect),
        columns=tuple(results),
        # None for the driver's own type code: no type of ours has another reader by it (SQLAlchemy 2.0).
        readers=_converters(results, lambda kind: kind.result_processor(dialect, None), dialect),
    )


def _in_order(names: Sequence[str]) -> Callable[[Values], Sequence[object]]:
    # Of fewer than two names, an itemgetter returns no tuple.
    return itemgetter(*names) if len(names) > 1 else lambda values: tuple(values[name] for name in names)


def _result_of(statement: Statement) -> Sequence[Any]:
    return tuple(statement.selected_columns) if isinstance(statement, Select) else ()


def _converters(
    kinds: Mapping[str, TypeEngine[Any]], converter: Callable[[Any], Any], dialect: Dialect
) -> Sequence[tuple[str, Callable[[Any], Any]]]:
    found = ((name, converter(kind.dialect_impl(dialect))) for name, kind in kinds.items())
    return tuple((name, convert) for name, convert in found if convert is not None)


def json_text(value: object) -> str:
    """Return a value as JSON, as every engine writes it."""
    return msgspec.json.encode(value).decode()


def run_text(connection: Connection, text: str) -> None:
    """Run a statement that has neither parameters nor a result."""
    _execute(connection, text, (), take=_COUNT)


def _execute(
    connection: Connection, text: str, bound: Any, *, take: Callable[[DBAPICursor], T], is_many: bool = False
) -> T:
    """Run a statement; return what `take` takes from its cursor.

    Raises:
        DBAPIError: the driver's error, as SQLAlchemy tells it: who handles errors need not know which way a
            statement went.
    """
    driver = connection.connection.dbapi_connection
    if driver is None:
        raise LookupError("a connection without a driver's connection")
    # Not a context manager, which costs as much as the rest of this: a request runs two dozen statements.
    cursor = driver.cursor()
    try:
        # Whoever listens to SQLAlchemy's statements hears these too.
        if heard := connection.dispatch.before_cursor_execute:
            heard(connection, cursor, text, bound, None, is_many)
        (cursor.executemany if is_many else cursor.execute)(text, bound)
        return take(cursor)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(error, connection, cursor) from error
    finally:
        cursor.close()


def _as_sqlalchemy(error: DBAPIModule.Error, connection: Connection, cursor: DBAPICursor) -> Exception:
    dialect = connection.dialect
    # A server's end is seen here first: the pool must not give this connection out again.
    if is_lost := dialect.is_disconnect(error, connection.connection.dbapi_connection, cursor):
        connection.invalidate(error)
    return DBAPIError.instance(
        None,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=is_lost,
        dialect=dialect,
    )
