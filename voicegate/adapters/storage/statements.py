"""What the store reads, and the two changes that are no use case's: a call's steps, and what time ends.

Each on a connection whose transaction is another's. The use cases' changes are `transaction`'s.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, RowMapping, Select, bindparam, delete, func, insert, select, update
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.expression import BindParameter

from voicegate.adapters.storage.rows import (
    audit_of,
    call_of,
    call_row,
    challenge_of,
    client_of,
    entry_of,
    entry_row,
    factor_of,
    key_of,
    verification_row,
)
from voicegate.adapters.storage.tables import (
    IS_LIVE,
    IS_LIVING,
    IS_OPEN,
    audit,
    calls,
    client_keys,
    clients,
    factors,
    idempotency_keys,
    timeline,
    verifications,
    wrong_guesses,
)
from voicegate.application.ports import CallRecord, ChallengeRecord, TimelineEntry
from voicegate.application.storing import AuditEntry, ClientRecord, FactorRecord
from voicegate.domain.call import TEST_TRUNK, Call
from voicegate.domain.challenge import Challenge, ChallengeState, Purpose
from voicegate.domain.client import Client, ClientKey
from voicegate.domain.errors import StoreError

KEPT: Final = timedelta(days=1)
"""How long idempotency keys and wrong guesses are kept: longer than any window."""

# Every step of every call runs these: building a statement costs SQLAlchemy more than SQLite's running it.
_OWN_ID: Final[BindParameter[str]] = bindparam("own_id")
_CHALLENGE: Final = select(verifications).where(verifications.c.id == _OWN_ID).with_for_update()
_TOUCH_CHALLENGE: Final = (
    update(verifications).where(verifications.c.id == _OWN_ID).values(revision=verifications.c.revision + 1)
)
_SAVE_CALL: Final = update(calls).where(calls.c.id == _OWN_ID)
_NEWEST_STEP: Final = select(func.coalesce(func.max(timeline.c.seq), 0)).where(timeline.c.call_id == _OWN_ID)
_ADD_STEP: Final = insert(timeline)


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
    is_known = _change_challenge(connection, call.challenge_id, change)
    updated = connection.execute(_SAVE_CALL, {"own_id": call.id, **call_row(record)})
    if not is_known or updated.rowcount != 1:
        raise StoreError(f"call {call.id} is not stored")
    newest = connection.execute(_NEWEST_STEP, {"own_id": call.id}).scalar_one()
    entries = [entry_row(call.id, entry) for entry in record.timeline if entry.seq > newest]
    if entries:
        connection.execute(_ADD_STEP, entries)
    if following is not None:
        add_call(connection, following)


def _change_challenge(
    connection: Connection, challenge_id: str, change: Callable[[Challenge], Challenge] | None
) -> bool:
    """Change a challenge; without a change only its revision grows. Is it known?"""
    if change is None:
        return connection.execute(_TOUCH_CHALLENGE, {"own_id": challenge_id}).rowcount == 1
    row = connection.execute(_CHALLENGE, {"own_id": challenge_id}).mappings().one_or_none()
    if row is not None:
        save_challenge(connection, change(challenge_of(row)))
    return row is not None


def add_call(connection: Connection, call: Call) -> None:
    """Store a new call, the newest of its challenge."""
    own = select(func.count()).where(calls.c.verification_id == call.challenge_id)
    position = connection.execute(own).scalar_one() + 1
    connection.execute(insert(calls).values(**call_row(CallRecord(call)), position=position))


def save_challenge(connection: Connection, challenge: Challenge) -> None:
    """Store a challenge that changed, or whose calls did; its revision grows."""
    connection.execute(_TOUCH_CHALLENGE, {"own_id": challenge.id, **verification_row(challenge)})


def expire(connection: Connection, now: datetime) -> int:
    """Expire open challenges whose time is over, as `domain.challenge.expire` does; return how many.

    Idempotency keys that no honest client repeats any more go with them, and guesses that no window holds.
    """
    yesterday = now - KEPT
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created < yesterday))
    connection.execute(delete(wrong_guesses).where(wrong_guesses.c.at < yesterday))
    over = update(verifications).where(IS_OPEN, verifications.c.expires_at <= now)
    expired = connection.execute(
        over.values(state=str(ChallengeState.EXPIRED), sealed=None, revision=verifications.c.revision + 1)
    )
    return expired.rowcount


def find_challenge(connection: Connection, challenge_id: str) -> ChallengeRecord | None:
    """Return a challenge with its calls and timelines; None: unknown."""
    return _one_challenge(connection, select(verifications).where(verifications.c.id == challenge_id))


def find_newest_plain(
    connection: Connection, number: str, *, client: str, service: str | None
) -> ChallengeRecord | None:
    """Return a client's newest plain challenge for a number that a service (None: none) asked for."""
    return _one_challenge(connection, newest_plain(number, client=client, service=service))


def find_call(connection: Connection, call_id: str) -> CallRecord | None:
    """Return a call with its timeline; None: unknown."""
    found = _with_timelines(connection, select(calls).where(calls.c.id == call_id))
    return found[0] if found else None


def find_recent_calls(
    connection: Connection, limit: int, *, before: datetime | None, client: str | None, with_tests: bool
) -> Sequence[CallRecord]:
    """Return the newest calls first, without timelines."""
    newest = select(calls).order_by(calls.c.created_at.desc(), calls.c.position.desc(), calls.c.id.desc())
    if before is not None:
        newest = newest.where(calls.c.created_at < before)
    if not with_tests:
        newest = newest.where(calls.c.trunk != TEST_TRUNK)
    if client is not None:
        newest = newest.join(verifications).where(verifications.c.client == client)
    return [call_of(row) for row in connection.execute(newest.limit(limit)).mappings()]


def find_live_calls(connection: Connection) -> Sequence[CallRecord]:
    """Return all calls that have not ended, oldest first, with timelines."""
    return _with_timelines(connection, select(calls).where(IS_LIVE).order_by(calls.c.created_at, calls.c.id))


def find_factor(connection: Connection, factor_id: str) -> FactorRecord | None:
    """Return a factor with its newest challenge, a dead one too; None: unknown."""
    row = connection.execute(select(factors).where(factors.c.id == factor_id)).mappings().one_or_none()
    return None if row is None else _factor_record(connection, row)


def find_factors(connection: Connection, subscriber: str, *, client: str | None) -> Sequence[FactorRecord]:
    """Return a subscriber's living factors, of one client or (None) of all, oldest first."""
    own = select(factors).where(*living(subscriber, client)).order_by(factors.c.created_at, factors.c.id)
    return [_factor_record(connection, row) for row in connection.execute(own).mappings().all()]


def find_client_of(connection: Connection, key_id: str) -> tuple[Client, ClientKey] | None:
    """Return a key with its client; None: unknown."""
    row = connection.execute(select(client_keys).where(client_keys.c.id == key_id)).mappings().one_or_none()
    if row is None:
        return None
    owner = select(clients).where(clients.c.name == row["client"])
    return client_of(connection.execute(owner).mappings().one()), key_of(row)


def find_clients(connection: Connection) -> Sequence[ClientRecord]:
    """Return all clients with their keys, by name."""
    keys: dict[str, list[ClientKey]] = {}
    for row in connection.execute(select(client_keys).order_by(client_keys.c.created_at)).mappings():
        keys.setdefault(row["client"], []).append(key_of(row))
    rows = connection.execute(select(clients).order_by(clients.c.name)).mappings()
    return [ClientRecord(client_of(row), keys.get(row["name"], [])) for row in rows]


def find_audit(connection: Connection, limit: int, *, before: int | None) -> Sequence[AuditEntry]:
    """Return the newest audit entries first, those with an id below `before` if given."""
    newest = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        newest = newest.where(audit.c.id < before)
    return [audit_of(row) for row in connection.execute(newest).mappings()]


def living(subscriber: str, client: str | None) -> Sequence[ColumnElement[bool]]:
    """Return what holds for a subscriber's living factors, of one client or (None) of all."""
    own = (factors.c.subscriber == subscriber, IS_LIVING)
    return own if client is None else (*own, factors.c.client == client)


def count_sharing(connection: Connection, number: str) -> int:
    """Return how many living factors are bound to a number."""
    bound = select(func.count()).select_from(factors).where(factors.c.number == number, IS_LIVING)
    return connection.execute(bound).scalar_one()


def newest_of(factor_id: str, purpose: Purpose | None = None) -> Select[tuple[object, ...]]:
    """Return the query for a factor's newest challenge, of one purpose if given."""
    own = _newest().where(verifications.c.factor_id == factor_id)
    return own if purpose is None else own.where(verifications.c.purpose == str(purpose))


def newest_plain(number: str, *, client: str, service: str | None) -> Select[tuple[object, ...]]:
    """Return the query for a client's newest plain challenge for a number that a service (None: none) asked
    for."""
    return _newest().where(
        verifications.c.client == client,
        verifications.c.number == number,
        verifications.c.factor_id.is_(None),
        verifications.c.service.is_not_distinct_from(service),
    )


def assemble(connection: Connection, row: RowMapping) -> ChallengeRecord:
    """Return the challenge of a row with its calls and their timelines."""
    own = select(calls).where(calls.c.verification_id == row["id"]).order_by(calls.c.position)
    return ChallengeRecord(challenge_of(row), _with_timelines(connection, own), row["revision"])


def _newest() -> Select[tuple[object, ...]]:
    return select(verifications).order_by(verifications.c.issued_at.desc(), verifications.c.id).limit(1)


def _one_challenge(connection: Connection, wanted: Select[tuple[object, ...]]) -> ChallengeRecord | None:
    row = connection.execute(wanted).mappings().one_or_none()
    return None if row is None else assemble(connection, row)


def _factor_record(connection: Connection, row: RowMapping) -> FactorRecord:
    return FactorRecord(
        factor_of(row),
        _one_challenge(connection, newest_of(row["id"])),
        count_sharing(connection, row["number"]),
    )


def _with_timelines(connection: Connection, wanted: Select[tuple[object, ...]]) -> Sequence[CallRecord]:
    rows = connection.execute(wanted).mappings().all()
    steps: dict[str, list[TimelineEntry]] = {row["id"]: [] for row in rows}
    if steps:
        own = select(timeline).where(timeline.c.call_id.in_(steps)).order_by(timeline.c.seq)
        for row in connection.execute(own).mappings():
            steps[row["call_id"]].append(entry_of(row))
    return [call_of(row, tuple(steps[row["id"]])) for row in rows]
