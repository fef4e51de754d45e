"""The store's queries, and two changes that no use case makes: a call's steps, and what expires.

Each runs on a connection whose transaction the caller began. The changes of the use cases are in
`transaction`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.expression import BindParameter

from voicegate.adapters.storage import counts, spend, stamps
from voicegate.adapters.storage.prepared import AnyRow, Prepared, Row, Values
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
from voicegate.domain.challenge import Challenge, ChallengeState
from voicegate.domain.client import Client, ClientKey
from voicegate.domain.errors import CallTaken, StoreError

_OWN_ID: Final[BindParameter[str]] = bindparam("own_id")
# These columns never change. They are not written again: SQLite would write every index that has them.
_CHALLENGE_KEEPS: Final = frozenset(("id", "client", "number", "issued_at", "expires_at", "factor_id"))
_CALL_KEEPS: Final = frozenset(
    ("id", "challenge_id", "number", "extension", "trunk", "caller_id", "created_at")
)
_TOUCH_CHALLENGE: Final = Prepared(
    update(challenges).where(challenges.c.id == _OWN_ID).values(revision=challenges.c.revision + 1)
)
_SAVE_CALL: Final = Prepared(update(calls).where(calls.c.id == _OWN_ID))
_SAVE_OWN_CALL: Final = Prepared(
    update(calls).where(calls.c.id == _OWN_ID, calls.c.controller == bindparam("own_controller"))
)
_NEWEST_STEP: Final = Prepared(
    select(func.coalesce(func.max(timeline.c.seq), 0).label("seq")).where(timeline.c.call_id == _OWN_ID)
)
_ADD_STEP: Final = Prepared(insert(timeline))
_ADD_CALL: Final = Prepared(insert(calls))
_OWNER: Final = Prepared(
    select(
        challenges.c.client,
        challenges.c.service,
        challenges.c.reference,
        challenges.c.sealed.is_not(None).label("has_own_code"),
        factors.c.subscriber,
        # A number, not the time: the clock may have been set back between two calls.
        select(func.count())
        .where(calls.c.challenge_id == challenges.c.id)
        .scalar_subquery()
        .label("calls_before"),
    )
    .outerjoin(factors)
    .where(challenges.c.id == _OWN_ID)
)
_CHALLENGE: Final = Prepared(select(challenges).where(challenges.c.id == _OWN_ID))
_OPEN_UNTIL: Final = Prepared(select(challenges.c.expires_at).where(challenges.c.id == _OWN_ID, IS_OPEN))
_CHALLENGE_FOR_UPDATE: Final = Prepared(
    select(challenges).where(challenges.c.id == _OWN_ID).with_for_update()
)
_CALL: Final = Prepared(select(calls).where(calls.c.id == _OWN_ID))
# By position: two calls can have the same time, or times in the wrong order after the clock was set back.
_CALLS_OF: Final = Prepared(select(calls).where(calls.c.challenge_id == _OWN_ID).order_by(calls.c.position))
_LIVE_CALLS: Final = Prepared(select(calls).where(IS_LIVE).order_by(calls.c.created_at, calls.c.id))
_STEPS: Final = select(timeline).order_by(timeline.c.seq)
_STEPS_OF_CALL: Final = Prepared(_STEPS.where(timeline.c.call_id == _OWN_ID))
_STEPS_OF_CALLS: Final = Prepared(_STEPS.join(calls).where(calls.c.challenge_id == _OWN_ID))
_STEPS_OF_LIVE_CALLS: Final = Prepared(_STEPS.join(calls).where(IS_LIVE))
_NEWEST: Final = select(challenges).order_by(challenges.c.issued_at.desc(), challenges.c.id).limit(1)
_NEWEST_PLAIN: Final = _NEWEST.where(
    challenges.c.client == bindparam("of_client"),
    challenges.c.number == bindparam("of_number"),
    challenges.c.factor_id.is_(None),
    # `=` would never be true of what is missing: in SQL, NULL = NULL is unknown.
    challenges.c.service.is_not_distinct_from(bindparam("of_service")),
)
_NEWEST_PLAIN_OF_NUMBER: Final = Prepared(_NEWEST_PLAIN)
NEWEST_PLAIN_OF_TELEPHONE: Final = Prepared(
    _NEWEST_PLAIN.where(
        challenges.c.extension.is_not_distinct_from(bindparam("of_extension"))
    ).with_for_update()
)
"""A client's newest challenge without a factor for a telephone."""
NEWEST_OF_FACTOR: Final = _NEWEST.where(challenges.c.factor_id == _OWN_ID)
"""A factor's newest challenge."""
_NEWEST_OF_FACTOR: Final = Prepared(NEWEST_OF_FACTOR)
_FACTOR: Final = Prepared(select(factors).where(factors.c.id == _OWN_ID))
_SHARING: Final = Prepared(
    select(func.count().label("count"))
    .select_from(factors)
    .where(factors.c.number == bindparam("of_number"), IS_LIVING)
)
_KEY: Final = Prepared(select(client_keys).where(client_keys.c.id == _OWN_ID))
_CLIENT: Final = Prepared(select(clients).where(clients.c.name == _OWN_ID))


def own_controller(connection: Connection) -> str | None:
    """Return the id of the controller that a connection belongs to; None: controllers are not told apart."""
    found: str | None = connection.get_execution_options().get("controller")
    return found


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
        CallTaken: another controller has taken it over.
    """
    call = record.call
    # The challenge first, as in every transaction: in another order two could wait for each other.
    is_known = _change_challenge(connection, call.challenge_id, change)
    changed = {name: value for name, value in call_row(record).items() if name not in _CALL_KEEPS}
    if (own := own_controller(connection)) is None:
        updated = _SAVE_CALL.run(connection, {"own_id": call.id, **changed})
    else:
        updated = _SAVE_OWN_CALL.run(connection, {"own_id": call.id, "own_controller": own, **changed})
    if not is_known or updated != 1:
        if own is not None and _CALL.first(connection, {"own_id": call.id}) is not None:
            raise CallTaken
        raise StoreError(f"call {call.id} is not stored")
    # The record has the whole timeline; what an earlier record stored is not stored twice.
    newest = _NEWEST_STEP.one(connection, {"own_id": call.id})["seq"]
    entries = [entry_row(call.id, entry) for entry in record.timeline if entry.seq > newest]
    _ADD_STEP.run_each(connection, entries)
    if following is not None:
        # One that policy decided on is stored with the decision.
        if _CALL.first(connection, {"own_id": following.id}) is None:
            add_call(connection, following)
    elif not call.is_live:
        spend.settle(connection, record)


def _change_challenge(
    connection: Connection, challenge_id: str, change: Callable[[Challenge], Challenge] | None
) -> bool:
    """Change a challenge; without a change only its revision grows by 1. Returns whether it is stored."""
    # The revision always grows: by it, who waits for a change (long poll) sees that there was one.
    if change is None:
        return _TOUCH_CHALLENGE.run(connection, {"own_id": challenge_id}) == 1
    row = _CHALLENGE_FOR_UPDATE.first(connection, {"own_id": challenge_id})
    if row is not None:
        save_challenge(connection, change(challenge_of(row)))
    return row is not None


def add_call(connection: Connection, call: Call, place_until: datetime | None = None) -> None:
    """Store a new call, the newest of its challenge; as `Transaction.add_call` does.

    Raises:
        StoreError: its challenge was never stored.
    """
    found = _OWNER.first(connection, {"own_id": call.challenge_id})
    if found is None:
        raise StoreError(f"challenge {call.challenge_id} is not stored")
    position = found.pop("calls_before") + 1
    row = {
        **call_row(CallRecord(call)),
        **found,
        "position": position,
        "country": call.destination.country,
        "is_converted": False,
    }
    if (own := own_controller(connection)) is not None:
        row |= {"controller": own, "place_until": place_until}
    _ADD_CALL.run(connection, row)
    counts.count_call(connection, row)


def save_challenge(connection: Connection, challenge: Challenge) -> None:
    """Store a challenge that changed, or whose calls changed; its revision grows by 1."""
    row = challenge_row(challenge)
    changed = {name: value for name, value in row.items() if name not in _CHALLENGE_KEEPS}
    _TOUCH_CHALLENGE.run(connection, {"own_id": challenge.id, **changed})
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
    return find_one(connection, _CHALLENGE, {"own_id": challenge_id})


def find_open_until(connection: Connection, challenge_id: str) -> datetime | None:
    """Return when an open challenge's time is over; None: it is not open, or unknown."""
    row = _OPEN_UNTIL.first(connection, {"own_id": challenge_id})
    return None if row is None else row["expires_at"]


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
    values = {"of_client": client, "of_number": number, "of_service": service}
    return find_one(connection, _NEWEST_PLAIN_OF_NUMBER, values)


def find_call(connection: Connection, call_id: str) -> CallRecord | None:
    """Return a call with its timeline; None: unknown."""
    own = {"own_id": call_id}
    found = _with_timelines(_CALL.all(connection, own), _STEPS_OF_CALL.all(connection, own))
    return found[0] if found else None


def find_live_calls(connection: Connection) -> Sequence[CallRecord]:
    """Return all calls that have not ended, oldest first, with timelines."""
    return _with_timelines(_LIVE_CALLS.all(connection), _STEPS_OF_LIVE_CALLS.all(connection))


def find_factor(connection: Connection, factor_id: str) -> FactorRecord | None:
    """Return a factor with its newest challenge, also a factor that was reset; None: unknown."""
    row = _FACTOR.first(connection, {"own_id": factor_id})
    return None if row is None else factor_record(connection, row)


def find_factors(connection: Connection, subscriber: str, *, client: str | None) -> Sequence[FactorRecord]:
    """Return a subscriber's factors that are not reset, oldest first; client None: of all clients."""
    own = select(factors).where(*living(subscriber, client)).order_by(factors.c.created_at, factors.c.id)
    return [factor_record(connection, row) for row in connection.execute(own).mappings().all()]


def find_client_of(connection: Connection, key_id: str) -> tuple[Client, ClientKey] | None:
    """Return a key with its client; None: unknown."""
    row = _KEY.first(connection, {"own_id": key_id})
    if row is None:
        return None
    return client_of(_CLIENT.one(connection, {"own_id": row["client"]})), key_of(row)


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
    count: int = _SHARING.one(connection, {"of_number": number})["count"]
    return count


def find_one(
    connection: Connection, wanted: Prepared, values: Values, *, timelines: bool = True
) -> ChallengeRecord | None:
    """Return the challenge that a statement finds, with its calls and, if wanted, their timelines; None:
    none."""
    row = wanted.first(connection, values)
    if row is None:
        return None
    own = {"own_id": row["id"]}
    steps = _STEPS_OF_CALLS.all(connection, own) if timelines else ()
    own_calls = _with_timelines(_CALLS_OF.all(connection, own), steps)
    return ChallengeRecord(challenge_of(row), own_calls, row["revision"])


def factor_record(connection: Connection, row: AnyRow) -> FactorRecord:
    """Return the factor of a row with its newest challenge."""
    return FactorRecord(
        factor_of(row),
        find_one(connection, _NEWEST_OF_FACTOR, {"own_id": row["id"]}),
        count_sharing(connection, row["number"]),
    )


def _with_timelines(found: Sequence[Row], steps: Sequence[Row]) -> Sequence[CallRecord]:
    timelines: dict[str, list[TimelineEntry]] = {row["id"]: [] for row in found}
    for step in steps:
        timelines[step["call_id"]].append(entry_of(step))
    return [call_of(row, tuple(timelines[row["id"]])) for row in found]
