"""What policy must know before a telephone rings: calls in progress, calls counted, extensions enrolled.

Each runs inside the transaction that stores the call, so that of any number of requests at once one is let
through. SQLite has one writer, which is enough; PostgreSQL needs `hold`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.sql import ColumnElement

from voicegate.adapters.storage.rows import call_of, challenge_of
from voicegate.adapters.storage.tables import (
    IS_LIVE,
    IS_LIVING,
    IS_OPEN,
    calls,
    challenges,
    counted_at,
    factors,
)
from voicegate.application.store_port import BucketCall
from voicegate.domain.challenge import Challenge, ChallengeState
from voicegate.domain.factor import FactorState

_LONGEST_LIFE: Final = timedelta(days=1)
"""Of a challenge: a call of one that was issued earlier cannot be younger."""
_LONGEST_CALL: Final = timedelta(hours=1)
"""Longer than any, its waiting for a line included."""


def hold(connection: Connection, number: str) -> None:
    """Wait until nobody else holds a number, and hold it until the transaction is over."""
    if connection.dialect.name == "postgresql":
        connection.execute(held(number))


def held(number: str) -> Select[tuple[object]]:
    """Return PostgreSQL's statement for that: rows can be locked only where there are some."""
    return select(func.pg_advisory_xact_lock(func.hashtextextended(number, 0)))


def find_extensions(connection: Connection, number: str) -> Sequence[str]:
    """Return the extensions of active factors at a number."""
    is_active = factors.c.state == str(FactorState.ACTIVE)
    # That it lives follows from that, and lets the index of living ones be used.
    enrolled = select(factors.c.extension).where(factors.c.number == number, IS_LIVING, is_active)
    return list(connection.execute(enrolled.where(factors.c.extension.is_not(None))).scalars())


def find_live(connection: Connection, number: str) -> Sequence[BucketCall]:
    """Return the calls to a number that have not ended."""
    return _find(connection, calls.c.number == number, IS_LIVE)


def find_unsafe(connection: Connection, number: str, since: datetime) -> Sequence[BucketCall]:
    """Return the calls to a number that ended after `since` and are not safe to repeat."""
    is_young = calls.c.created_at > since - _LONGEST_CALL
    is_unsafe = calls.c.retry_safe.is_(False)
    return _find(connection, calls.c.number == number, is_young, is_unsafe, calls.c.ended_at > since)


def find_counted(
    connection: Connection, bucket: str, *, client: str, since: datetime
) -> Sequence[BucketCall]:
    """Return a client's calls in a bucket that were queued after `since`."""
    return _find(
        connection,
        challenges.c.bucket == bucket,
        challenges.c.client == client,
        challenges.c.issued_at > since - _LONGEST_LIFE,
        counted_at > since,
    )


def find_pending(
    connection: Connection, client: str, *, bucket: str | None, subscriber: str | None
) -> Sequence[Challenge]:
    """Return a client's challenges that are in an open state."""
    pending = select(challenges).where(challenges.c.client == client, IS_OPEN)
    if bucket is not None:
        pending = pending.where(challenges.c.bucket == bucket)
    if subscriber is not None:
        pending = pending.join(factors, factors.c.id == challenges.c.factor_id)
        pending = pending.where(factors.c.subscriber == subscriber)
    return [challenge_of(row) for row in connection.execute(pending).mappings()]


def _find(connection: Connection, *which: ColumnElement[bool]) -> Sequence[BucketCall]:
    is_verified = (challenges.c.state == str(ChallengeState.VERIFIED)).label("is_verified")
    wanted = (
        select(calls, counted_at.label("counted"), challenges.c.bucket, is_verified)
        .join(challenges)
        .where(*which)
    )
    rows = connection.execute(wanted).mappings()
    return [
        BucketCall(call_of(row), row["bucket"], row["counted"], is_verified=bool(row["is_verified"]))
        for row in rows
    ]
