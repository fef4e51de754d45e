"""What policy must know before a telephone rings: calls in progress, calls counted, extensions enrolled.

Each query runs in the transaction that stores the call, and one transaction writes at a time (`writer`,
`postgresql`): of many requests at the same moment, one gets through.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Select, bindparam, select
from sqlalchemy.sql import ColumnElement

from voicegate.adapters.storage.prepared import Prepared
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
from voicegate.adapters.storage.utc_time import UtcDateTime
from voicegate.application.store_port import BucketCall
from voicegate.domain.challenge import Challenge, ChallengeState
from voicegate.domain.factor import FactorState

_LONGEST_LIFE: Final = timedelta(days=1)
"""The longest life of a challenge (`passcode.lifetime_s`): older ones have no call in the window."""
_LONGEST_CALL: Final = timedelta(hours=1)
"""Longer than any call can take, waiting in the queue included."""


def _calls(*which: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    """Return the query for calls with their buckets."""
    is_verified = (challenges.c.state == str(ChallengeState.VERIFIED)).label("is_verified")
    columns = (calls, counted_at.label("counted"), challenges.c.bucket, is_verified)
    # Without timelines: this runs in every transaction that places a call, and policy needs none of them.
    return select(*columns).join(challenges).where(*which)


_EXTENSIONS: Final = Prepared(
    select(factors.c.extension).where(
        factors.c.number == bindparam("of_number"),
        # It follows from the next. It stands here so that the partial index of living factors is used.
        IS_LIVING,
        factors.c.state == str(FactorState.ACTIVE),
        factors.c.extension.is_not(None),
    )
)
_LIVE: Final = Prepared(_calls(calls.c.number == bindparam("of_number"), IS_LIVE))
_UNSAFE: Final = Prepared(
    _calls(
        calls.c.number == bindparam("of_number"),
        # `created_at` is in the index of numbers, `ended_at` is not: with it, few rows are looked up.
        calls.c.created_at > bindparam("young"),
        calls.c.retry_safe.is_(False),
        calls.c.ended_at > bindparam("since"),
    )
)
_COUNTED: Final = Prepared(
    _calls(
        challenges.c.bucket == bindparam("of_bucket"),
        challenges.c.client == bindparam("of_client"),
        # It only narrows the index down; what counts is when the call was queued.
        challenges.c.issued_at > bindparam("young"),
        counted_at > bindparam("since", type_=UtcDateTime()),
    )
)
_PENDING: Final = select(challenges).where(challenges.c.client == bindparam("of_client"), IS_OPEN)
_PENDING_OF_CLIENT: Final = Prepared(_PENDING)
_PENDING_OF_BUCKET: Final = Prepared(_PENDING.where(challenges.c.bucket == bindparam("of_bucket")))
_PENDING_OF_SUBSCRIBER: Final = Prepared(
    _PENDING.join(factors, factors.c.id == challenges.c.factor_id).where(
        factors.c.subscriber == bindparam("of_subscriber")
    )
)
_FORWARDED: Final = Prepared(
    _calls(
        calls.c.number == bindparam("of_number"),
        calls.c.number != challenges.c.number,
        challenges.c.client == bindparam("of_client"),
        # As above.
        calls.c.created_at > bindparam("young"),
        counted_at > bindparam("since", type_=UtcDateTime()),
    )
)


def find_extensions(connection: Connection, number: str) -> Sequence[str]:
    """Return the extensions of active factors at a number."""
    return [row["extension"] for row in _EXTENSIONS.all(connection, {"of_number": number})]


def find_live(connection: Connection, number: str) -> Sequence[BucketCall]:
    """Return the calls to a number that have not ended."""
    return _find(connection, _LIVE, of_number=number)


def find_unsafe(connection: Connection, number: str, since: datetime) -> Sequence[BucketCall]:
    """Return the calls to a number that ended after `since` and are not safe to repeat."""
    return _find(connection, _UNSAFE, of_number=number, young=since - _LONGEST_CALL, since=since)


def find_counted(
    connection: Connection, bucket: str, *, client: str, since: datetime
) -> Sequence[BucketCall]:
    """Return a client's calls in a bucket that were queued after `since`."""
    return _find(
        connection, _COUNTED, of_bucket=bucket, of_client=client, young=since - _LONGEST_LIFE, since=since
    )


def find_forwarded(
    connection: Connection, number: str, *, client: str, since: datetime
) -> Sequence[BucketCall]:
    """Return a client's calls to a number, queued after `since`, to which calls to other numbers were
    forwarded."""
    young = since - _LONGEST_LIFE
    return _find(connection, _FORWARDED, of_number=number, of_client=client, young=young, since=since)


def find_pending(
    connection: Connection, client: str, *, bucket: str | None, subscriber: str | None
) -> Sequence[Challenge]:
    """Return a client's challenges that are in an open state; of one bucket or subscriber, if given."""
    if bucket is not None:
        rows = _PENDING_OF_BUCKET.all(connection, {"of_client": client, "of_bucket": bucket})
    elif subscriber is not None:
        rows = _PENDING_OF_SUBSCRIBER.all(connection, {"of_client": client, "of_subscriber": subscriber})
    else:
        rows = _PENDING_OF_CLIENT.all(connection, {"of_client": client})
    return [challenge_of(row) for row in rows]


def _find(connection: Connection, wanted: Prepared, **values: object) -> Sequence[BucketCall]:
    return [
        BucketCall(call_of(row), row["bucket"], row["counted"], is_verified=bool(row["is_verified"]))
        for row in wanted.all(connection, values)
    ]
