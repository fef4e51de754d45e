"""What calls cost, by account and day: held when a call is admitted, settled when it ends.

One transaction writes at a time, as in `volume`: no account passes its cap.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from typing import Final

from sqlalchemy import Connection, and_, bindparam, delete, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from voicegate.adapters.storage.prepared import Prepared, Row, numbered, parameters
from voicegate.adapters.storage.spend_tables import spend, spend_reservations
from voicegate.application.ports import CallRecord
from voicegate.domain.call_outcome import GaveUp
from voicegate.domain.policy.spend import Account, Cost, Quote, Rate, Reservation, SpendKind

_OWN: Final = spend_reservations.c.challenge_id == bindparam("own_id")
_FIND_RESERVED: Final = Prepared(
    select(spend_reservations).where(_OWN).order_by(spend_reservations.c.position).with_for_update()
)
_FORGET: Final = Prepared(delete(spend_reservations).where(_OWN))
_RESERVE: Final = Prepared(insert(spend_reservations))
_MOST: Final = 1000
"""Accounts of a list."""
_UNSEEN_ENDS: Final = frozenset({GaveUp.PBX_LOST, GaveUp.INTERRUPTED, GaveUp.INTERNAL_ERROR})
"""How calls end whose real end may be later than the record's."""


@cache
def _spent_in(accounts: int) -> Prepared:
    # One question for all: each leads by the primary key to its row.
    names = zip(*(parameters(name, accounts) for name in ("kind", "client", "key")), strict=True)
    one_of = or_(
        *(
            and_(spend.c.kind == kind, spend.c.client == client, spend.c.key == key)
            for kind, client, key in names
        )
    )
    return Prepared(select(spend).where(spend.c.day == bindparam("of_day"), one_of))


def _adding(added: sqlite.Insert | postgresql.Insert) -> sqlite.Insert | postgresql.Insert:
    """Return the statement that adds to an account: the same in both databases, which SQLAlchemy has
    twice."""
    row = added.values(
        kind=bindparam("of_kind"),
        client=bindparam("of_client"),
        key=bindparam("of_key"),
        day=bindparam("of_day"),
        seconds=bindparam("more_seconds"),
        micros=bindparam("more_micros"),
    )
    sums = {name: spend.c[name] + row.excluded[name] for name in ("seconds", "micros")}
    return row.on_conflict_do_update(index_elements=[column.name for column in spend.primary_key], set_=sums)


_ADD: Final = Prepared(
    {"sqlite": _adding(sqlite.insert(spend)), "postgresql": _adding(postgresql.insert(spend))}
)


def find_spent(connection: Connection, accounts: Iterable[Account], day: date) -> Mapping[Account, Cost]:
    """Return what calls cost in each of some accounts on that day."""
    asked = {_key_of(account): account for account in accounts}
    if not asked:
        return {}
    values: dict[str, object] = {"of_day": day}
    for name, column in zip(("kind", "client", "key"), zip(*asked, strict=True), strict=True):
        values |= numbered(name, column)
    found = dict.fromkeys(asked.values(), Cost())
    for row in _spent_in(len(asked)).all(connection, values):
        found[asked[row["kind"], row["client"], row["key"]]] = Cost(row["seconds"], row["micros"])
    return found


def find_accounts(
    connection: Connection, day: date, kinds: Collection[SpendKind]
) -> Sequence[tuple[Account, Cost]]:
    """Return the accounts of these kinds of a day with their costs, the highest first, at most a thousand."""
    wanted = (spend.c.day == day, spend.c.kind.in_([str(kind) for kind in kinds]))
    highest = (spend.c.micros.desc(), spend.c.seconds.desc(), spend.c.kind, spend.c.client, spend.c.key)
    rows = connection.execute(select(spend).where(*wanted).order_by(*highest).limit(_MOST))
    return [
        (Account(SpendKind(row.kind), row.client, row.key), Cost(row.seconds, row.micros)) for row in rows
    ]


def add_reservation(connection: Connection, challenge_id: str, reservation: Reservation) -> None:
    """Hold what a challenge's call may cost, until `settle`."""
    _add(connection, reservation.held(), reservation.day)
    owners = {account.kind: account for account in reservation.accounts}
    common = {
        "challenge_id": challenge_id,
        "day": reservation.day,
        "client": owners[SpendKind.CLIENT].client,
        "country": owners[SpendKind.COUNTRY].key,
        "prefix": owners[SpendKind.PREFIX].key,
        "subscriber": owners[SpendKind.SUBSCRIBER].key if SpendKind.SUBSCRIBER in owners else None,
    }
    rows = [
        common
        | {
            "position": position,
            "trunk": quote.trunk,
            "per_minute": quote.rate.per_minute,
            "minimum_s": quote.rate.minimum_s,
            "increment_s": quote.rate.increment_s,
            "longest_s": round(quote.longest.total_seconds()),
        }
        for position, quote in enumerate(reservation.quotes, 1)
    ]
    _RESERVE.run_each(connection, rows)


def settle(connection: Connection, record: CallRecord) -> None:
    """Put the real cost of a call that ended, and that no other follows, in the place of what is held for its
    challenge; nothing may be held."""
    own = {"own_id": record.call.challenge_id}
    rows = _FIND_RESERVED.all(connection, own)
    if not rows:
        return
    reservation = _reservation(rows)
    held, real = reservation.held(), reservation.settled(record.call.trunk, billed_length(record))
    _add(connection, {account: real[account] - held[account] for account in held}, reservation.day)
    _FORGET.run(connection, own)


def billed_length(record: CallRecord) -> timedelta | None:
    """Return for how long a call was answered; None: it is not known, for nobody saw its end."""
    call, hangup = record.call, record.hangup
    is_unseen = hangup is not None and hangup.gave_up in _UNSEEN_ENDS
    if is_unseen and any(entry.event == "originated" for entry in record.timeline):
        return None
    if call.answered_at is None or call.ended_at is None:
        return timedelta()
    if call.ended_at < call.answered_at:
        return None  # the clock was set back meanwhile
    # However short, an answered call costs something.
    return max(call.ended_at - call.answered_at, timedelta.resolution)


def _add(connection: Connection, costs: Mapping[Account, Cost], day: date) -> None:
    rows = [
        _columns(account, day)
        | {"more_seconds": costs[account].seconds, "more_micros": costs[account].micros}
        for account in costs
    ]
    _ADD.run_each(connection, rows)


def _columns(account: Account, day: date) -> dict[str, object]:
    kind, client, key = _key_of(account)
    return {"of_kind": kind, "of_client": client, "of_key": key, "of_day": day}


def _key_of(account: Account) -> tuple[str, str, str]:
    return str(account.kind), account.client, account.key


def _reservation(rows: Sequence[Row]) -> Reservation:
    first = rows[0]
    client = first["client"]
    accounts = [
        Account(SpendKind.COUNTRY, client, first["country"]),
        Account(SpendKind.PREFIX, client, first["prefix"]),
        Account(SpendKind.CLIENT, client),
    ]
    if first["subscriber"] is not None:
        accounts.append(Account(SpendKind.SUBSCRIBER, client, first["subscriber"]))
    quotes = tuple(
        Quote(
            row["trunk"],
            Rate(row["per_minute"], row["minimum_s"], row["increment_s"]),
            timedelta(seconds=row["longest_s"]),
        )
        for row in rows
    )
    return Reservation(first["day"], tuple(accounts), quotes)
