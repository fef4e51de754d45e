"""Deletes what is older than the settings of `[retention]`: one small batch in each transaction.

Small, so that no other write waits for long. A batch is found by an index. Statistics (`counts`) stay.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, exists, select, tuple_

from voicegate.adapters.storage.audit_tables import audit
from voicegate.adapters.storage.holds import prefix_holds
from voicegate.adapters.storage.spend import purge_spend
from voicegate.adapters.storage.tables import (
    IS_LIVE,
    IS_LIVING,
    IS_OPEN,
    call_volume,
    calls,
    challenges,
    factors,
    idempotency_keys,
    outbox,
    page_sessions,
    timeline,
    wrong_guesses,
)
from voicegate.application.retention import Kept


def purge(connection: Connection, kept: Kept, *, limit: int) -> int:
    """Delete about `limit` rows of each table at most; return how many were deleted in all."""
    return (
        _purge_challenges(connection, kept.calls, limit=limit)
        + _purge_timelines(connection, kept.timelines, limit=limit)
        + _delete(connection, audit.c.id, audit.c.at < kept.audit, limit=limit)
        + _delete(connection, page_sessions.c.id, page_sessions.c.created_at < kept.audit, limit=limit)
        + _delete(connection, wrong_guesses.c.id, wrong_guesses.c.at < kept.recent, limit=limit)
        + _delete(connection, outbox.c.id, outbox.c.created_at < kept.webhooks, limit=limit)
        + _purge_volume(connection, kept.recent, limit=limit)
        + _purge_holds(connection, kept.recent, limit=limit)
        + purge_spend(connection, kept.recent, limit=limit)
        + _purge_keys(connection, kept.recent, limit=limit)
        + _purge_factors(connection, kept.calls, limit=limit)
    )


def old_challenges(before: datetime) -> Select[tuple[str]]:
    """Return the query for challenges that expired before `before` and have no call in progress."""
    # A call can outlive its challenge, and its end must still find it.
    live = exists().where(calls.c.challenge_id == challenges.c.id, IS_LIVE)
    own = select(challenges.c.id).where(challenges.c.expires_at < before, ~IS_OPEN, ~live)
    return own.order_by(challenges.c.expires_at)


def _purge_challenges(connection: Connection, before: datetime, *, limit: int) -> int:
    # A twentieth: a challenge brings one or two calls along, and a call about ten steps.
    ids = connection.execute(old_challenges(before).limit(max(1, limit // 20))).scalars().all()
    if not ids:
        return 0
    own_calls = select(calls.c.id).where(calls.c.challenge_id.in_(ids))
    # What refers to a row goes before it: foreign keys are checked at each statement.
    return (
        _delete_where(connection, timeline, timeline.c.call_id.in_(own_calls))
        + _delete_where(connection, calls, calls.c.challenge_id.in_(ids))
        + _delete_where(connection, idempotency_keys, idempotency_keys.c.challenge_id.in_(ids))
        + _delete_where(connection, challenges, challenges.c.id.in_(ids))
    )


def _purge_timelines(connection: Connection, before: datetime, *, limit: int) -> int:
    step = tuple_(timeline.c.call_id, timeline.c.seq)
    old = select(timeline.c.call_id, timeline.c.seq).where(timeline.c.at < before).limit(limit)
    return _delete_where(connection, timeline, step.in_(old))


def _purge_volume(connection: Connection, before: datetime, *, limit: int) -> int:
    row = tuple_(*call_volume.primary_key.columns)
    old = select(*call_volume.primary_key.columns).where(call_volume.c.slot < before).limit(limit)
    return _delete_where(connection, call_volume, row.in_(old))


def _purge_holds(connection: Connection, before: datetime, *, limit: int) -> int:
    # One that is over still counts while calls before its end could be judged again.
    row = tuple_(*prefix_holds.primary_key.columns)
    old = select(*prefix_holds.primary_key.columns).where(prefix_holds.c.until < before).limit(limit)
    return _delete_where(connection, prefix_holds, row.in_(old))


def _purge_keys(connection: Connection, before: datetime, *, limit: int) -> int:
    own = tuple_(idempotency_keys.c.client, idempotency_keys.c.key)
    old = select(idempotency_keys.c.client, idempotency_keys.c.key)
    old = old.where(idempotency_keys.c.created < before).limit(limit)
    return _delete_where(connection, idempotency_keys, own.in_(old))


def _purge_factors(connection: Connection, before: datetime, *, limit: int) -> int:
    # A factor is kept while a challenge names it, or the challenge's record would point nowhere.
    used = exists().where(challenges.c.factor_id == factors.c.id)
    return _delete(connection, factors.c.id, ~IS_LIVING, factors.c.updated_at < before, ~used, limit=limit)


def _delete(
    connection: Connection, key: ColumnElement[object], *which: ColumnElement[bool], limit: int
) -> int:
    # By a subquery, for DELETE has a LIMIT in neither database (in SQLite only if compiled in).
    table: Table = key.table
    return _delete_where(connection, table, key.in_(select(key).where(*which).limit(limit)))


def _delete_where(connection: Connection, table: Table, which: ColumnElement[bool]) -> int:
    return connection.execute(delete(table).where(which)).rowcount
