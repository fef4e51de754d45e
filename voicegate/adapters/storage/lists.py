"""The lists: calls, services' calls with their challenges and audit entries, newest first; factors by name.

Every list is read in the order of an index of `tables`, from where the page before ended (keyset paging). So
every page costs the same, and nothing is sorted. A test reads the query plans.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, Select, func, select, true, tuple_

from voicegate.adapters.storage.audit_tables import audit
from voicegate.adapters.storage.rows import audit_of, call_of, challenge_of
from voicegate.adapters.storage.statements import factor_record
from voicegate.adapters.storage.tables import IS_LIVING, IS_SERVICE, calls, challenges, factors
from voicegate.application.audit_entry import AuditEntry
from voicegate.application.listing import (
    AuditFilter,
    CallFilter,
    FactorFilter,
    Position,
    ServiceCall,
    ServiceCallFilter,
)
from voicegate.application.ports import CallRecord
from voicegate.application.store_port import FactorRecord

# Near the first and last day that `datetime` knows, a time of another zone cannot be converted to UTC.
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)


def find_calls(connection: Connection, wanted: CallFilter, *, limit: int) -> Sequence[CallRecord]:
    """Return the calls that match, newest first, at most `limit`, without timelines."""
    rows = connection.execute(calls_query(wanted).limit(limit)).mappings()
    return [call_of(row) for row in rows]


def find_service_calls(
    connection: Connection, wanted: ServiceCallFilter, *, limit: int
) -> Sequence[ServiceCall]:
    """Return services' calls that match, newest first, at most `limit`, each with its challenge."""
    rows = connection.execute(service_calls_query(wanted).limit(limit)).mappings().all()
    # A second query, not a join: a join could make the database leave the order of the calls' index.
    own = select(challenges).where(challenges.c.id.in_({row["challenge_id"] for row in rows}))
    by_id = {row["id"]: challenge_of(row) for row in connection.execute(own).mappings()}
    return [ServiceCall(call_of(row), by_id[row["challenge_id"]], row["is_converted"]) for row in rows]


def find_audit(connection: Connection, wanted: AuditFilter, *, limit: int) -> Sequence[AuditEntry]:
    """Return the audit entries that match, newest first, at most `limit`."""
    return [audit_of(row) for row in connection.execute(audit_query(wanted).limit(limit)).mappings()]


def find_factors(connection: Connection, wanted: FactorFilter, *, limit: int) -> Sequence[FactorRecord]:
    """Return the first factors by client and subscriber, each with its newest challenge."""
    rows = connection.execute(factors_query(wanted).limit(limit)).mappings().all()
    return [factor_record(connection, row) for row in rows]


def calls_query(wanted: CallFilter) -> Select[tuple[object, ...]]:
    """Return the query for calls that match, newest first."""
    is_narrow = any((wanted.number, wanted.subscriber, wanted.reference))
    # Not the column itself: SQLite, which keeps no statistics, would else take the client's index, and read
    # all of the client's calls to find those to one number.
    client = calls.c.client.concat("") if is_narrow else calls.c.client
    exact = (
        (client, wanted.client),
        (calls.c.number, wanted.number),
        (calls.c.trunk, wanted.trunk),
        (calls.c.outcome, wanted.outcome),
        (calls.c.subscriber, wanted.subscriber),
        (calls.c.reference, wanted.reference),
    )
    fitting = _exactly(*exact)
    if not wanted.with_tests:
        fitting.append(calls.c.is_test != true())
    return _newest(wanted.behind).where(*fitting, *between(wanted.after, wanted.before))


def service_calls_query(wanted: ServiceCallFilter) -> Select[tuple[object, ...]]:
    """Return the query for services' calls that match, newest first."""
    fitting = of_services(wanted)
    fitting += _exactly(
        (calls.c.challenge_id, wanted.challenge_id),
        (calls.c.id, wanted.call_id),
        (calls.c.number, wanted.number),
    )
    if wanted.is_converted is not None:
        fitting.append(calls.c.is_converted == wanted.is_converted)
    return _newest(wanted.behind).where(*fitting, *between(wanted.after, wanted.before))


def of_services(wanted: ServiceCallFilter) -> list[ColumnElement[bool]]:
    """Return the conditions for services' calls of a client, service, country and prefix, at any time."""
    fitting: list[ColumnElement[bool]] = [IS_SERVICE]
    fitting += _exactly(
        (calls.c.client, wanted.client),
        (calls.c.service, wanted.service),
        (calls.c.country, wanted.country),
    )
    if wanted.prefix:
        fitting.append(calls.c.number.startswith(wanted.prefix, autoescape=True))
    if not wanted.with_tests:
        fitting.append(calls.c.is_test != true())
    return fitting


def between(after: datetime | None, before: datetime | None) -> list[ColumnElement[bool]]:
    """Return the conditions for calls that were queued at or after `after` and before `before`."""
    bounds: list[ColumnElement[bool]] = []
    if after is not None:
        bounds.append(calls.c.created_at >= reachable(after))
    if before is not None:
        bounds.append(calls.c.created_at < reachable(before))
    return bounds


def reachable(moment: datetime) -> datetime:
    """Return a filter's time in UTC; one before or after all calls as a time that UTC can express."""
    if moment.year <= _EARLIEST.year:
        return _EARLIEST
    return _LATEST if moment.year >= _LATEST.year else moment.astimezone(UTC)


def audit_query(wanted: AuditFilter) -> Select[tuple[object, ...]]:
    """Return the query for audit entries that match, newest first."""
    names = ("client", "action", "decision", "subject", "subscriber", "reference", "trunk")
    fitting = _exactly(*((audit.c[name], getattr(wanted, name)) for name in names))
    if wanted.number_digests is not None:
        fitting.append(audit.c.number_digest.in_(wanted.number_digests))
    if wanted.behind is not None:
        fitting.append(audit.c.id < wanted.behind)
    # In the order of the ids: the times are out of order after a clock was set back. So a time in the filter
    # becomes a range of ids.
    if wanted.after is not None:
        first = select(func.min(audit.c.id)).where(audit.c.at >= reachable(wanted.after))
        fitting.append(audit.c.id >= first.scalar_subquery())
    if wanted.before is not None:
        last = select(func.max(audit.c.id)).where(audit.c.at < reachable(wanted.before))
        fitting.append(audit.c.id <= last.scalar_subquery())
    return select(audit).where(*fitting).order_by(audit.c.id.desc())


def factors_query(wanted: FactorFilter) -> Select[tuple[object, ...]]:
    """Return the query for living factors, by client and subscriber."""
    fitting = _exactly((factors.c.client, wanted.client), (factors.c.subscriber, wanted.subscriber))
    if wanted.behind is not None and wanted.behind[0] == wanted.client:
        fitting.append(factors.c.subscriber > wanted.behind[1])
    elif wanted.behind is not None:
        fitting.append(tuple_(factors.c.client, factors.c.subscriber) > wanted.behind)
    return select(factors).where(IS_LIVING, *fitting).order_by(factors.c.client, factors.c.subscriber)


def _newest(behind: Position | None) -> Select[tuple[object, ...]]:
    newest = select(calls).order_by(calls.c.created_at.desc(), calls.c.id.desc())
    if behind is None:
        return newest
    # One comparison of a pair, which both databases answer by an index; with OR, SQLite would scan.
    return newest.where(tuple_(calls.c.created_at, calls.c.id) < (behind.created_at, behind.id))


def _exactly(*wanted: tuple[ColumnElement[str], str | None]) -> list[ColumnElement[bool]]:
    return [column == value for column, value in wanted if value is not None]
