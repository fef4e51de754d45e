"""What the store's methods do to the database, each on a connection whose transaction is another's.

Rows that are about to change are read FOR UPDATE, which PostgreSQL needs and SQLite, having one writer,
leaves out.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select, update

from voicegate.adapters.storage.rows import (
    call_of,
    call_row,
    challenge_of,
    entry_of,
    entry_row,
    verification_row,
)
from voicegate.adapters.storage.tables import (
    IS_LIVE,
    IS_OPEN,
    calls,
    idempotency_keys,
    timeline,
    verifications,
)
from voicegate.application.ports import (
    CallRecord,
    ChallengeRecord,
    IdempotencyKey,
    Replay,
    TimelineEntry,
)
from voicegate.domain.call import Call
from voicegate.domain.challenge import Challenge, ChallengeState
from voicegate.domain.errors import StoreError

T = TypeVar("T")
IDEMPOTENCY_KEPT: Final = timedelta(days=1)


def open_challenge(
    connection: Connection, challenge: Challenge, *, call: Call, idempotency: IdempotencyKey | None
) -> Replay | None:
    """Store a challenge with its first call, or return what the idempotency key says."""
    if idempotency is not None and (replay := _find_replay(connection, idempotency)):
        return replay
    connection.execute(insert(verifications).values(**verification_row(challenge), revision=0))
    _insert_call(connection, call, position=1)
    if idempotency is not None:
        connection.execute(
            insert(idempotency_keys).values(
                client=idempotency.client,
                key=idempotency.key,
                fingerprint=idempotency.fingerprint,
                verification_id=challenge.id,
                created=challenge.issued_at,
            )
        )
    return None


def add_call(
    connection: Connection,
    challenge_id: str,
    *,
    admit: Callable[[ChallengeRecord], tuple[Challenge, Call | None, T]],
) -> T | None:
    """Store what `admit` makes of a challenge and its calls; None: no such challenge."""
    row = _lock(connection, challenge_id)
    if row is None:
        return None
    record = _assemble(connection, row)
    challenge, call, answer = admit(record)
    if call is not None:
        _insert_call(connection, call, position=len(record.calls) + 1)
    if call is not None or challenge != record.challenge:
        _save(connection, challenge)
    return answer


def update_challenge(
    connection: Connection, challenge_id: str, *, change: Callable[[Challenge], tuple[Challenge, T]]
) -> T | None:
    """Store what `change` makes of a challenge; None: no such challenge."""
    row = _lock(connection, challenge_id)
    if row is None:
        return None
    before = challenge_of(row)
    after, answer = change(before)
    if after != before:
        _save(connection, after)
    return answer


def record_call(
    connection: Connection,
    record: CallRecord,
    *,
    change: Callable[[Challenge], Challenge] | None,
    following: Call | None,
) -> None:
    """Store a call's state and its new timeline entries, change its challenge, add its next call.

    Raises:
        StoreError: the call was never stored.
    """
    call = record.call
    row = _lock(connection, call.challenge_id)
    updated = connection.execute(update(calls).where(calls.c.id == call.id).values(**call_row(record)))
    if row is None or updated.rowcount != 1:
        raise StoreError(f"call {call.id} is not stored")
    known = select(func.coalesce(func.max(timeline.c.seq), 0)).where(timeline.c.call_id == call.id)
    newest = connection.execute(known).scalar_one()
    entries = [entry_row(call.id, entry) for entry in record.timeline if entry.seq > newest]
    if entries:
        connection.execute(insert(timeline), entries)
    if following is not None:
        own = select(func.count()).where(calls.c.verification_id == call.challenge_id)
        _insert_call(connection, following, position=connection.execute(own).scalar_one() + 1)
    challenge = challenge_of(row)
    _save(connection, challenge if change is None else change(challenge))


def expire(connection: Connection, now: datetime) -> int:
    """Expire open challenges whose time is over, as `domain.challenge.expire` does; return how many.

    Idempotency keys that no honest client repeats any more go with them.
    """
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created < now - IDEMPOTENCY_KEPT))
    over = update(verifications).where(IS_OPEN, verifications.c.expires_at <= now)
    expired = connection.execute(
        over.values(state=str(ChallengeState.EXPIRED), sealed=None, revision=verifications.c.revision + 1)
    )
    return expired.rowcount


def find_challenge(connection: Connection, challenge_id: str) -> ChallengeRecord | None:
    """Return a challenge with its calls and timelines; None: unknown."""
    row = connection.execute(_by_id(challenge_id)).mappings().one_or_none()
    return None if row is None else _assemble(connection, row)


def find_call(connection: Connection, call_id: str) -> CallRecord | None:
    """Return a call with its timeline; None: unknown."""
    found = _with_timelines(connection, select(calls).where(calls.c.id == call_id))
    return found[0] if found else None


def find_recent_calls(connection: Connection, limit: int, *, before: datetime | None) -> Sequence[CallRecord]:
    """Return the newest calls first, without timelines."""
    newest = select(calls).order_by(calls.c.created_at.desc(), calls.c.position.desc(), calls.c.id.desc())
    if before is not None:
        newest = newest.where(calls.c.created_at < before)
    return [call_of(row) for row in connection.execute(newest.limit(limit)).mappings()]


def find_live_calls(connection: Connection) -> Sequence[CallRecord]:
    """Return all calls that have not ended, oldest first, with timelines."""
    return _with_timelines(connection, select(calls).where(IS_LIVE).order_by(calls.c.created_at, calls.c.id))


def _find_replay(connection: Connection, idempotency: IdempotencyKey) -> Replay | None:
    known = connection.execute(
        select(idempotency_keys).where(
            idempotency_keys.c.client == idempotency.client, idempotency_keys.c.key == idempotency.key
        )
    ).one_or_none()
    if known is None:
        return None
    return Replay(known.verification_id, is_same_request=known.fingerprint == idempotency.fingerprint)


def _by_id(challenge_id: str) -> Select[tuple[object, ...]]:
    return select(verifications).where(verifications.c.id == challenge_id)


def _lock(connection: Connection, challenge_id: str) -> RowMapping | None:
    return connection.execute(_by_id(challenge_id).with_for_update()).mappings().one_or_none()


def _save(connection: Connection, challenge: Challenge) -> None:
    changed = update(verifications).where(verifications.c.id == challenge.id)
    connection.execute(changed.values(**verification_row(challenge), revision=verifications.c.revision + 1))


def _insert_call(connection: Connection, call: Call, *, position: int) -> None:
    connection.execute(insert(calls).values(**call_row(CallRecord(call)), position=position))


def _assemble(connection: Connection, row: RowMapping) -> ChallengeRecord:
    own = select(calls).where(calls.c.verification_id == row["id"]).order_by(calls.c.position)
    return ChallengeRecord(challenge_of(row), _with_timelines(connection, own), row["revision"])


def _with_timelines(connection: Connection, wanted: Select[tuple[object, ...]]) -> Sequence[CallRecord]:
    rows = connection.execute(wanted).mappings().all()
    steps: dict[str, list[TimelineEntry]] = {row["id"]: [] for row in rows}
    if steps:
        own = select(timeline).where(timeline.c.call_id.in_(steps)).order_by(timeline.c.seq)
        for row in connection.execute(own).mappings():
            steps[row["call_id"]].append(entry_of(row))
    return [call_of(row, tuple(steps[row["id"]])) for row in rows]
