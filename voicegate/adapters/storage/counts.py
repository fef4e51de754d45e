"""How many calls services asked for, and how many led to a verified code: counted with every call.

So a summary need not read all calls. A call is counted in the hour in which it was queued, and once more when
its code is entered. A summary adds up the whole hours, and reads the calls of the two hours that its bounds
cut in two.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, Insert, Select, bindparam, func, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from voicegate.adapters.storage.lists import between, of_services, reachable
from voicegate.adapters.storage.prepared import Prepared, Row
from voicegate.adapters.storage.tables import call_counts, calls
from voicegate.application.listing import ServiceCallFilter, Summary

_HOUR: Final = timedelta(hours=1)
_KEY: Final = ("client", "service", "hour", "country")
_CALLS_OF: Final = Prepared(
    select(calls).where(calls.c.challenge_id == bindparam("own_id")).order_by(calls.c.position.desc())
)
_CONVERT: Final = Prepared(update(calls).where(calls.c.id == bindparam("own_id")).values(is_converted=True))


def _adding(added: sqlite.Insert | postgresql.Insert) -> Insert:
    """Return the statement that adds to an hour: the same in both databases, which SQLAlchemy has twice."""
    # Added by the database, not here: two controllers on PostgreSQL may count the same hour at once.
    sums = {name: call_counts.c[name] + added.excluded[name] for name in ("calls", "converted")}
    return added.on_conflict_do_update(index_elements=_KEY, set_=sums)


_ADD: Final = Prepared(
    {"sqlite": _adding(sqlite.insert(call_counts)), "postgresql": _adding(postgresql.insert(call_counts))}
)


def count_call(connection: Connection, call: Row) -> None:
    """Count a new call, if a service asked for it."""
    _count(connection, call, calls=1)


def count_conversion(connection: Connection, challenge_id: str) -> None:
    """Mark the newest call of a verified challenge as converted and count it; may be called twice."""
    # The newest: earlier calls of the challenge spoke the same code, but the person was called again.
    rows = _CALLS_OF.all(connection, {"own_id": challenge_id})
    if not rows or any(row["is_converted"] for row in rows):
        return
    _CONVERT.run(connection, {"own_id": rows[0]["id"]})
    _count(connection, rows[0], converted=1)


def find_summary(connection: Connection, wanted: ServiceCallFilter) -> Summary:
    """Return how many calls match, and how many of them led to a verified code."""
    return _total(connection, *(summary_queries(wanted)))


def summary_queries(wanted: ServiceCallFilter) -> list[Select[int, int]]:
    """Return the queries whose results, added up, are the summary."""
    after = None if wanted.after is None else reachable(wanted.after)
    before = None if wanted.before is None else reachable(wanted.before)
    # The first whole hour begins at `after` or later: rounded up, by the resolution of a datetime.
    first = None if after is None else _hour_of(after + _HOUR - timedelta.resolution)
    last = None if before is None else _hour_of(before)
    # Hours are counted by country, not by number: for a prefix, the calls themselves are read.
    if wanted.prefix or (first is not None and last is not None and first >= last):
        return [_calls(wanted, after, before)]
    queries = [_whole_hours(wanted, first, last)]
    if after != first:
        queries.append(_calls(wanted, after, first))
    if before != last:
        queries.append(_calls(wanted, last, before))
    return queries


def _whole_hours(
    wanted: ServiceCallFilter, first: datetime | None, last: datetime | None
) -> Select[int, int]:
    exact = {"client": wanted.client, "service": wanted.service, "country": wanted.country}
    fitting: list[ColumnElement[bool]] = [
        call_counts.c[name] == value for name, value in exact.items() if value is not None
    ]
    if first is not None:
        fitting.append(call_counts.c.hour >= first)
    if last is not None:
        fitting.append(call_counts.c.hour < last)
    return select(func.sum(call_counts.c.calls), func.sum(call_counts.c.converted)).where(*fitting)


def _calls(wanted: ServiceCallFilter, after: datetime | None, before: datetime | None) -> Select[int, int]:
    converted = func.count().filter(calls.c.is_converted == true())
    return select(func.count(), converted).where(*of_services(wanted), *between(after, before))


def _total(connection: Connection, *queries: Select[int, int]) -> Summary:
    # SUM over no row is NULL, not 0.
    sums = [connection.execute(query).one() for query in queries]
    return Summary(sum(row[0] or 0 for row in sums), sum(row[1] or 0 for row in sums))


def _count(connection: Connection, call: Row, *, calls: int = 0, converted: int = 0) -> None:
    if call["service"] is None or call["is_test"]:
        return
    added = {
        "client": call["client"],
        "service": call["service"],
        "hour": _hour_of(call["created_at"]),
        "country": call["country"] or "",
        "calls": calls,
        "converted": converted,
    }
    _ADD.run(connection, added)


def _hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
