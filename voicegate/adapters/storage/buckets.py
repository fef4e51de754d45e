"""What policy must know before a telephone rings: calls in progress, calls counted, extensions enrolled.

Each query runs in the transaction that stores the call, and one transaction writes at a time (`writer`,
`postgresql`): of many requests at the same moment, one gets through.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select
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
"""The longest life of a challenge (`passcode.lifetime_s`): older ones have no call in the window."""
_LONGEST_CALL: Final = timedelta(hours=1)
"""Longer than any call can take, waiting in the queue included."""


def find_extensions(connection: Connection, number: str) -> Sequence[str]:
    """Return the extensions of active factors at a number."""
    is_active = factors.c.state == str(FactorState.ACTIVE)
    # IS_LIVING follows from is_active. It stands here so that the partial index of living factors is used.
    enrolled = select(factors.c.extension).where(factors.c.number == number, IS_LIVING, is_active)
    return list(connection.execute(enrolled.where(factors.c.extension.is_not(None))).scalars())


def find_live(connection: Connection, number: str) -> Sequence[BucketCall]:
    """Return the calls to a number that have not ended."""
    return _find(connection, calls.c.number == number, IS_LIVE)


def find_unsafe(connection: Connection, number: str, since: datetime) -> Sequence[BucketCall]:
    """Return the calls to a number that ended after `since` and are not safe to repeat."""
    # `created_at` is in the index of numbers, `ended_at` is not: with it, few rows are looked up.
    is_young = calls.c.created_at > since - _LONGEST_CALL
    is_unsafe = calls.c.retry_safe.is_(False)
    return _find(connection, calls.c.number == number, is_young, is_unsafe, calls.c.ended_at > since)


def find_counted(
    connection: Connection, bucket: str, *, client: str, since: datetime
) -> Sequence[BucketCall]:
    """Return a client's calls in a bucket that were queued after `since`."""
    # `issued_at` only narrows the index down; what counts is when the call was queued.
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
    """Return a client's challenges that are in an open state; of one bucket or subscriber, if given."""
    pending = select(challenges).where(challenges.c.client == client, IS_OPEN)
    if bucket is not None:
        pending = pending.where(challenges.c.bucket == bucket)
    if subscriber is not None:
        pending = pending.join(factors, factors.c.id == challenges.c.factor_id)
        pending = pending.where(factors.c.subscriber == subscriber)
    return [challenge_of(row) for row in connection.execute(pending).mappings()]


def _find(connection: Connection, *which: ColumnElement[bool]) -> Sequence[BucketCall]:
    # Without timelines: this runs in every transaction that places a call, and policy needs none of them.
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
