"""Deletes what is older than the settings of `[retention]`: one small batch in each transaction.

Small, so that no other write waits for long. A batch is found by an index. Statistics stay: `counts`, the
days' sums of `figures`, and what calls cost by day, trunk, country and client.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, exists, func, or_, select, tuple_

from voicegate.adapters.storage.audit_tables import audit
from voicegate.adapters.storage.figures import keep_figures
from voicegate.adapters.storage.hiding import count_shown, hide_numbers
from voicegate.adapters.storage.holds import prefix_holds
from voicegate.adapters.storage.spend_tables import IS_PERSONAL, spend
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

# A challenge brings one or two calls along, and a call about ten steps.
_CHALLENGE_ROWS: Final = 20
HIDDEN_NUMBERS: Final = "numbers hidden"
"""What rows are counted as whose number was hidden."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """Rows of one table that are deleted, and which nothing refers to."""

    table: Table
    """The table."""
    old: ColumnElement[bool]
    """Which of its rows."""

    def delete(self, connection: Connection, limit: int) -> int:
        """Delete `limit` of them at most; return how many."""
        columns = list(self.table.primary_key.columns)
        key = columns[0] if len(columns) == 1 else tuple_(*columns)
        # By a subquery, for DELETE has a LIMIT in neither database (in SQLite only if compiled in).
        return _delete(connection, self.table, key.in_(select(*columns).where(self.old).limit(limit)))

    def count(self, connection: Connection) -> int:
        """Return how many there are."""
        return _count(connection, self.table, self.old)


def purge(connection: Connection, kept: Kept, *, limit: int) -> Mapping[str, int]:
    """Delete about `limit` rows of each table at most; return how many of each were deleted, and in how many
    a number was hidden."""
    deleted = _purge_challenges(connection, kept.calls, limit=limit)
    if kept.numbers is not None:
        deleted[HIDDEN_NUMBERS] = hide_numbers(connection, kept.numbers, limit=limit)
    for rule in _rules(kept):
        name = rule.table.name
        deleted[name] = deleted.get(name, 0) + rule.delete(connection, limit)
    return deleted


def count_old(connection: Connection, kept: Kept) -> Mapping[str, int]:
    """Return how many rows of each table `purge` would delete in all."""
    # A factor is deleted once no challenge names it: the ones whose challenges are about to go are not told.
    old = {rule.table.name: rule.count(connection) for rule in _rules(kept)}
    if kept.numbers is not None:
        old[HIDDEN_NUMBERS] = count_shown(connection, kept.numbers)
    own_calls = select(calls.c.id).where(calls.c.challenge_id.in_(old_challenges(kept.calls)))
    own_steps = or_(timeline.c.at < kept.timelines, timeline.c.call_id.in_(own_calls))
    return old | {
        "challenges": _count(connection, challenges, challenges.c.id.in_(old_challenges(kept.calls))),
        "calls": _count(connection, calls, calls.c.id.in_(own_calls)),
        "timeline": _count(connection, timeline, own_steps),
    }


def old_challenges(before: datetime) -> Select[tuple[str]]:
    """Return the query for challenges that expired before `before` and have no call in progress."""
    # A call can outlive its challenge, and its end must still find it.
    live = exists().where(calls.c.challenge_id == challenges.c.id, IS_LIVE)
    own = select(challenges.c.id).where(challenges.c.expires_at < before, ~IS_OPEN, ~live)
    return own.order_by(challenges.c.expires_at)


def _rules(kept: Kept) -> Sequence[_Rule]:
    # A factor is kept while a challenge names it, or the challenge's record would point nowhere.
    is_named = exists().where(challenges.c.factor_id == factors.c.id)
    return (
        _Rule(timeline, timeline.c.at < kept.timelines),
        _Rule(audit, audit.c.at < kept.audit),
        _Rule(page_sessions, page_sessions.c.created_at < kept.page_sessions),
        _Rule(wrong_guesses, wrong_guesses.c.at < kept.recent),
        _Rule(outbox, outbox.c.created_at < kept.webhooks),
        _Rule(call_volume, call_volume.c.slot < kept.recent),
        # One that is over still counts while calls before its end could be judged again.
        _Rule(prefix_holds, prefix_holds.c.until < kept.recent),
        _Rule(spend, IS_PERSONAL & (spend.c.day < kept.recent.date())),
        _Rule(idempotency_keys, idempotency_keys.c.created < kept.recent),
        _Rule(factors, ~IS_LIVING & (factors.c.updated_at < kept.calls) & ~is_named),
    )


def _purge_challenges(connection: Connection, before: datetime, *, limit: int) -> dict[str, int]:
    wanted = old_challenges(before).limit(max(1, limit // _CHALLENGE_ROWS))
    ids: Sequence[Any] = connection.execute(wanted).scalars().all()
    if not ids:
        return {}
    keep_figures(connection, ids)
    own_calls = select(calls.c.id).where(calls.c.challenge_id.in_(ids))
    # What refers to a row goes before it: foreign keys are checked at each statement.
    return {
        "timeline": _delete(connection, timeline, timeline.c.call_id.in_(own_calls)),
        "calls": _delete(connection, calls, calls.c.challenge_id.in_(ids)),
        "idempotency_keys": _delete(connection, idempotency_keys, idempotency_keys.c.challenge_id.in_(ids)),
        "challenges": _delete(connection, challenges, challenges.c.id.in_(ids)),
    }


def _delete(connection: Connection, table: Table, which: ColumnElement[bool]) -> int:
    return connection.execute(delete(table).where(which)).rowcount


def _count(connection: Connection, table: Table, which: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(table).where(which)).scalar_one()
