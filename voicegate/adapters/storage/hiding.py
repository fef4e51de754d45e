"""Hides the numbers of what is over: of each stay the first two and the last two characters.

In batches, as in `purge`. How far it came is stored (`purge_marks`), so that no round reads what is done.
"""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, bindparam, func, insert, select, update

from voicegate.adapters.storage.kept_tables import purge_marks
from voicegate.adapters.storage.tables import IS_LIVE, IS_LIVING, IS_OPEN, calls, challenges, factors
from voicegate.domain.phone_number import HIDDEN, mask

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS: Final[tuple[tuple[Table, Column[Any], ColumnElement[bool], tuple[str, ...]], ...]] = (
    (calls, calls.c.created_at, ~IS_LIVE, ("number",)),
    (challenges, challenges.c.expires_at, ~IS_OPEN, ("number", "bucket")),
    (factors, factors.c.updated_at, ~IS_LIVING, ("number",)),
)
"""Each table with the time by which its rows grow old, which are over, and its columns with numbers."""


def hide_numbers(connection: Connection, before: datetime, *, limit: int) -> int:
    """Hide the numbers of about `limit` rows of each table that are older than `before`; return how many."""
    return sum(_hide(connection, kind, before, limit=limit) for kind in range(len(_KINDS)))


def count_shown(connection: Connection, before: datetime) -> int:
    """Return how many rows older than `before` have a number that is not hidden."""
    found = 0
    for table, at, is_over, _ in _KINDS:
        which = _shown(at, _mark(connection, table.name), before), is_over
        found += connection.execute(select(func.count()).select_from(table).where(*which)).scalar_one()
    return found


def _hide(connection: Connection, kind: int, before: datetime, *, limit: int) -> int:
    table, at, is_over, names = _KINDS[kind]
    mark = _mark(connection, table.name)
    if mark >= before:
        return 0
    columns = (table.c.id, at, *(table.c[name] for name in names))
    old = select(*columns).where(_shown(at, mark, before), is_over).order_by(at).limit(limit)
    rows = connection.execute(old).mappings().all()
    if rows:
        hidden: dict[str, object] = {name: bindparam(f"hidden_{name}") for name in names}
        change = update(table).where(table.c.id == bindparam("own_id")).values(**hidden)
        values = [
            {"own_id": row["id"]} | {f"hidden_{name}": mask(row[name]) for name in names} for row in rows
        ]
        connection.execute(change, values)
    # From the last one's time on, not after it: others may have the same.
    _set_mark(connection, table.name, before if len(rows) < limit else rows[-1][at])
    return len(rows)


def _shown(at: Column[Any], mark: datetime, before: datetime) -> ColumnElement[bool]:
    """Return the condition for rows that are old enough, and whose number is not hidden yet."""
    return and_(at >= mark, at < before, ~at.table.c.number.contains(HIDDEN))


def _mark(connection: Connection, name: str) -> datetime:
    found = connection.execute(select(purge_marks.c.until).where(purge_marks.c.name == name)).scalar()
    return _BEGINNING if found is None else found


def _set_mark(connection: Connection, name: str, until: datetime) -> None:
    changed = connection.execute(update(purge_marks).where(purge_marks.c.name == name).values(until=until))
    if changed.rowcount == 0:
        connection.execute(insert(purge_marks).values(name=name, until=until))
