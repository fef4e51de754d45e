"""The store's queries, and two changes that no use case makes: a call's steps, and what expires.

Each runs on a connection whose transaction the caller began. The changes of the use cases are in
`transaction`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, Select, bindparam, func, insert, select, update
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.expression import BindParameter

from voicegate.adapters.storage import counts, spend, stamps
from voicegate.adapters.storage.rows import (
    call_of,
    call_row,
    challenge_of,
    challenge_row,
    client_of,
    entry_of,
    entry_row,
    factor_of,
    key_of,
)
from voicegate.adapters.storage.tables import (
    IS_LIVE,
    IS_LIVING,
    IS_OPEN,
    calls,
    challenges,
    client_keys,
    clients,
    factors,
    probes,
    timeline,
    trunk_drains,
)
from voicegate.application.ports import CallRecord, ChallengeRecord, TimelineEntry
from voicegate.application.store_port import ClientRecord, FactorRecord
from voicegate.application.trunk_drains import Drain
from voicegate.domain.call import Call
from voicegate.domain.challenge import Challenge, ChallengeState, Purpose
from voicegate.domain.client import Client, ClientKey
from voicegate.domain.errors import StoreError

# Built once: every step of every call runs these, and to build a statement takes SQLAlchemy longer than it
# takes SQLite to run it.
_OWN_ID: Final[BindParameter[str]] = bindparam("own_id")
_CHALLENGE: Final = select(challenges).where(challenges.c.id == _OWN_ID).with_for_update()
_TOUCH_CHALLENGE: Final = (
    update(challenges).where(challenges.c.id == _OWN_ID).values(revision=challenges.c.revision + 1)
)
# These columns never change. They are not written again: SQLite would write every index that has them.
_CHALLENGE_KEEPS: Final = frozenset(("id", "client", "number", "issued_at", "expires_at", "factor_id"))
_CALL_KEEPS: Final = frozenset(
    ("id", "challenge_id", "number", "extension", "trunk", "caller_id", "created_at")
)
_SAVE_CALL: Final = update(calls).where(calls.c.id == _OWN_ID)
_NEWEST_STEP: Final = select(func.coalesce(func.max(timeline.c.seq), 0)).where(timeline.c.call_id == _OWN_ID)
_ADD_STEP: Final = insert(timeline)
_CHALLENGE_AS_IT_IS: Final = select(challenges).where(challenges.c.id == _OWN_ID)
_CALL: Final = select(calls).where(calls.c.id == _OWN_ID)
# By position: two calls can have the same time, or times in the wrong order after the clock was set back.
_CALLS_OF: Final = select(calls).where(calls.c.challenge_id == _OWN_ID).order_by(calls.c.position)
_NO_VALUES: Final[Mapping[str, str]] = {}
_CALL_IDS: Final[BindParameter[Sequence[str]]] = bindparam("call_ids", expanding=True)
_STEPS_OF: Final = select(timeline).where(timeline.c.call_id.in_(_CALL_IDS)).order_by(timeline.c.seq)


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
    # The challenge first, as in every transaction: in another order two could wait for each other.
    is_known = _change_challenge(connection, call.challenge_id, change)
    changed = {name: value for name, value in call_row(record).items() if name not in _CALL_KEEPS}
    updated = connection.execute(_SAVE_CALL, {"own_id": call.id, **changed})
    if not is_known or updated.rowcount != 1:
        raise StoreError(f"call {call.id} is not stored")
    # The record has the whole timeline; what an earlier record stored is not stored twice.
    newest = connection.execute(_NEWEST_STEP, {"own_id": call.id}).scalar_one()
    entries = [entry_row(call.id, entry) for entry in record.timeline if entry.seq > newest]
    if entries:
        connection.execute(_ADD_STEP, entries)
    if following is not None:
        # One that policy decided on is stored with the decision.
        if connection.execute(_CALL, {"own_id": following.id}).first() is None:
            add_call(connection, following)
    elif not call.is_live:
        spend.settle(connection, record)


def _change_challenge(
    connection: Connection, challenge_id: str, change: Callable[[Challenge], Challenge] | None
) -> bool:
    """Change a challenge; without a change only its revision grows by 1. Returns whether it is stored."""
    # The revision always grows: by it, who waits for a change (long poll) sees that there was one.
    if change is None:
        return connection.execute(_TOUCH_CHALLENGE, {"own_id": challenge_id}).rowcount == 1
    row = connection.execute(_CHALLENGE, {"own_id": challenge_id}).mappings().one_or_none()
    if row is not None:
        save_challenge(connection, change(challenge_of(row)))
    return row is not None


def add_call(connection: Connection, call: Call) -> None:
    """Store a new call, the newest of its challenge.

    Raises:
        StoreError: its challenge was never stored.
    """
    has_own_code = challenges.c.sealed.is_not(None).label("has_own_code")
    own_columns = (challenges.c.client, challenges.c.service, challenges.c.reference)
    asked = select(*own_columns, has_own_code, factors.c.subscriber).outerjoin(factors)
    owner = connection.execute(asked.where(challenges.c.id == call.challenge_id)).mappings().one_or_none()
    if owner is None:
        raise StoreError(f"challenge {call.challenge_id} is not stored")
    # A number, not the time: the clock may have been set back between two calls.
    own = select(func.count()).where(calls.c.challenge_id == call.challenge_id)
    position = connection.execute(own).scalar_one() + 1
    row = call_row(CallRecord(call)) | dict(owner)
    connection.execute(
        insert(calls).values(**row, position=position, country=call.destination.country, is_converted=False)
    )
    counts.count_call(connection, call.id)


def save_challenge(connection: Connection, challenge: Challenge) -> None:
    """Store a challenge that changed, or whose calls changed; its revision grows by 1."""
    row = challenge_row(challenge)
    changed = {name: value for name, value in row.items() if name not in _CHALLENGE_KEEPS}
    connection.execute(_TOUCH_CHALLENGE, {"own_id": challenge.id, **changed})
    if challenge.state is ChallengeState.VERIFIED:
        counts.count_conversion(connection, challenge.id)


def expire(connection: Connection, now: datetime) -> int:
    """Expire open challenges whose time is over, as `domain.challenge.expire` does; return how many."""
    # Before: a challenge from the future would live on by as much as the clock was set back.
    stamps.end_keys(connection, now)
    stamps.set_back_challenges(connection, now)
    over = update(challenges).where(IS_OPEN, challenges.c.expires_at <= now)
    expired = connection.execute(
        over.values(state=str(ChallengeState.EXPIRED), sealed=None, revision=challenges.c.revision + 1)
    )
    return expired.rowcount


def probe(connection: Connection, now: datetime) -> None:
    """Write the one row that exists to be written, as proof that the database can store."""
    if connection.execute(update(probes).values(at=now)).rowcount == 0:
        connection.execute(insert(probes).values(id=1, at=now))


def find_drains(connection: Connection) -> Sequence[Drain]:
    """Return the trunks that are drained, by name."""
    rows = connection.execute(select(trunk_drains).order_by(trunk_drains.c.trunk)).mappings()
    return [Drain(**row) for row in rows]


def find_challenge(connection: Connection, challenge_id: str) -> ChallengeRecord | None:
    """Return a challenge with its calls and timelines; None: unknown."""
    return _one_challenge(connection, _CHALLENGE_AS_IT_IS, {"own_id": challenge_id})


def find_open_challenges(connection: Connection) -> Sequence[Challenge]:
    """Return all challenges that are in an open state."""
    own = select(challenges).where(IS_OPEN)
    return [challenge_of(row) for row in connection.execute(own).mappings()]


def find_newest_plain(
    connection: Connection, number: str, *, client: str, service: str | None
) -> ChallengeRecord | None:
    """Return a client's newest challenge without a factor for a number; None: there is none.

    `service` is the service that asked for it; None: one that no service asked for.
    """
    return _one_challenge(connection, newest_plain(number, client=client, service=service))


def find_call(connection: Connection, call_id: str) -> CallRecord | None:
    """Return a call with its timeline; None: unknown."""
    found = _with_timelines(connection, _CALL, {"own_id": call_id})
    return found[0] if found else None


def find_live_calls(connection: Connection) -> Sequence[CallRecord]:
    """Return all calls that have not ended, oldest first, with timelines."""
    return _with_timelines(connection, select(calls).where(IS_LIVE).order_by(calls.c.created_at, calls.c.id))


def find_factor(connection: Connection, factor_id: str) -> FactorRecord | None:
    """Return a factor with its newest challenge, also a factor that was reset; None: unknown."""
    row = connection.execute(select(factors).where(factors.c.id == factor_id)).mappings().one_or_none()
    return None if row is None else factor_record(connection, row)


def find_factors(connection: Connection, subscriber: str, *, client: str | None) -> Sequence[FactorRecord]:
    """Return a subscriber's factors that are not reset, oldest first; client None: of all clients."""
    own = select(factors).where(*living(subscriber, client)).order_by(factors.c.created_at, factors.c.id)
    return [factor_record(connection, row) for row in connection.execute(own).mappings().all()]


def find_client_of(connection: Connection, key_id: str) -> tuple[Client, ClientKey] | None:
    """Return a key with its client; None: unknown."""
    row = connection.execute(select(client_keys).where(client_keys.c.id == key_id)).mappings().one_or_none()
    if row is None:
        return None
    owner = select(clients).where(clients.c.name == row["client"])
    return client_of(connection.execute(owner).mappings().one()), key_of(row)


def find_clients(connection: Connection) -> Sequence[ClientRecord]:
    """Return all clients with their keys, by name."""
    # Two queries, not one for each client.
    keys: dict[str, list[ClientKey]] = {}
    for row in connection.execute(select(client_keys).order_by(client_keys.c.created_at)).mappings():
        keys.setdefault(row["client"], []).append(key_of(row))
    rows = connection.execute(select(clients).order_by(clients.c.name)).mappings()
    return [ClientRecord(client_of(row), keys.get(row["name"], [])) for row in rows]


def living(subscriber: str, client: str | None) -> Sequence[ColumnElement[bool]]:
    """Return the conditions for a subscriber's factors that are not reset; client None: of all clients."""
    own = (factors.c.subscriber == subscriber, IS_LIVING)
    return own if client is None else (*own, factors.c.client == client)


def count_sharing(connection: Connection, number: str) -> int:
    """Return how many factors that are not reset have this number."""
    bound = select(func.count()).select_from(factors).where(factors.c.number == number, IS_LIVING)
    return connection.execute(bound).scalar_one()


def newest_of(factor_id: str, purpose: Purpose | None = None) -> Select[tuple[object, ...]]:
    """Return the query for a factor's newest challenge, of one purpose if given."""
    own = _newest().where(challenges.c.factor_id == factor_id)
    return own if purpose is None else own.where(challenges.c.purpose == str(purpose))


def newest_plain(number: str, *, client: str, service: str | None) -> Select[tuple[object, ...]]:
    """Return the query for a client's newest challenge without a factor for a number.

    `service` is the service that asked for it; None: one that no service asked for.
    """
    return _newest().where(
        challenges.c.client == client,
        challenges.c.number == number,
        challenges.c.factor_id.is_(None),
        challenges.c.service.is_not_distinct_from(service),
    )


def assemble(connection: Connection, row: RowMapping) -> ChallengeRecord:
    """Return the challenge of a row with its calls and their timelines."""
    own = _with_timelines(connection, _CALLS_OF, {"own_id": row["id"]})
    return ChallengeRecord(challenge_of(row), own, row["revision"])


def factor_record(connection: Connection, row: RowMapping) -> FactorRecord:
    """Return the factor of a row with its newest challenge."""
    return FactorRecord(
        factor_of(row),
        _one_challenge(connection, newest_of(row["id"])),
        count_sharing(connection, row["number"]),
    )


def _newest() -> Select[tuple[object, ...]]:
    return select(challenges).order_by(challenges.c.issued_at.desc(), challenges.c.id).limit(1)


def _one_challenge(
    connection: Connection, wanted: Select[tuple[object, ...]], values: Mapping[str, str] = _NO_VALUES
) -> ChallengeRecord | None:
    row = connection.execute(wanted, values).mappings().one_or_none()
    return None if row is None else assemble(connection, row)


def _with_timelines(
    connection: Connection, wanted: Select[tuple[object, ...]], values: Mapping[str, str] = _NO_VALUES
) -> Sequence[CallRecord]:
    rows = connection.execute(wanted, values).mappings().all()
    # One query for all timelines: a challenge can have twenty calls.
    steps: dict[str, list[TimelineEntry]] = {row["id"]: [] for row in rows}
    if steps:
        for row in connection.execute(_STEPS_OF, {"call_ids": list(steps)}).mappings():
            steps[row["call_id"]].append(entry_of(row))
    return [call_of(row, tuple(steps[row["id"]])) for row in rows]
