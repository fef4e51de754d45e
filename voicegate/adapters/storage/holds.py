"""Ranges and countries that are held, and how many codes were entered of the calls to them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Select,
    String,
    Table,
    Text,
    and_,
    func,
    literal_column,
    not_,
    select,
    true,
    update,
)
from sqlalchemy.sql import ColumnElement

from voicegate.adapters.storage.prepared import Prepared, numbered, parameters
from voicegate.adapters.storage.tables import IS_OPEN, METADATA, calls, challenges
from voicegate.adapters.storage.utc_time import UtcDateTime
from voicegate.domain.call_outcome import Blame
from voicegate.domain.policy.conversion import PrefixHold, Tally

prefix_holds: Final = Table(
    "prefix_holds",
    METADATA,
    Column("key", String, primary_key=True),
    Column("client", String, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("held_by", String, nullable=False),
    Column("reason", Text, nullable=False),
)
"""One row for each range or country that is or was held; `client` empty: for all."""
Index("ix_prefix_holds_until", prefix_holds.c.until)

# Literals: PostgreSQL takes two parameters in SELECT and GROUP BY for different expressions.
_RANGE: Final = func.substr(
    calls.c.number, literal_column("1"), func.length(calls.c.number) - literal_column("4")
)
_REACHED: Final = not_(
    and_(calls.c.blame.in_([str(Blame.TRUNK), str(Blame.US)]), calls.c.answered.is_(False))
)


_ALL: Final = select(prefix_holds).order_by(prefix_holds.c.key, prefix_holds.c.client)
_EVERY: Final = Prepared(_ALL)


@cache
def _of_keys(keys: int) -> Prepared:
    return Prepared(_ALL.where(prefix_holds.c.key.in_(parameters("key", keys))))


def find_holds(connection: Connection, keys: Iterable[str] | None = None) -> Sequence[PrefixHold]:
    """Return the holds on some keys, all if not given, also those that are over."""
    if keys is None:
        rows = _EVERY.all(connection)
    else:
        values = numbered("key", keys)
        rows = _of_keys(len(values)).all(connection, values)
    return [PrefixHold(**row) for row in rows]


def save_hold(connection: Connection, hold: PrefixHold) -> None:
    """Store a hold, new or changed."""
    row, table = asdict(hold), prefix_holds
    own = (table.c.key == hold.key, table.c.client == hold.client)
    # Not an upsert: two admins who hold the same range at once are rare, and one of them is refused.
    if connection.execute(update(table).where(*own).values(**row)).rowcount == 0:
        connection.execute(table.insert().values(**row))


def find_tallies(connection: Connection, since: datetime) -> Sequence[Tally]:
    """Return how many codes were entered of each client's calls to each range and country after `since`.

    Calls count whose codes can no longer be entered, and that were made since the last hold there was over.
    """
    tallies = {(one.client, one.key): one for one in _tally(connection, since)}
    # Few: an hour of holds, or what an admin lifted in the window.
    for hold in (one for one in find_holds(connection) if one.until > since):
        again = {one.client: one for one in _tally(connection, hold.until, hold.key)}
        judged = [one for one in tallies if one[1] == hold.key and hold.client in ("", one[0])]
        # What was judged before would hold it again as soon as the hold is over.
        tallies |= {(client, key): again.get(client, Tally(client, key, 0, 0)) for client, key in judged}
    return list(tallies.values())


def _tally(connection: Connection, since: datetime, key: str | None = None) -> Iterable[Tally]:
    for column in (_RANGE, calls.c.country):
        only = () if key is None else (column == key,)
        for row in connection.execute(_counting(column, since).where(*only)):
            client, held, placed, verified = row
            yield Tally(client, held, placed, verified)


def _counting(column: ColumnElement[str], since: datetime) -> Select[str, str, int, int]:
    counting = select(
        calls.c.client, column, func.count(), func.count().filter(calls.c.is_converted == true())
    )
    return (
        counting.join(challenges, challenges.c.id == calls.c.challenge_id)
        .where(
            calls.c.created_at > since,
            calls.c.outcome.is_not(None),
            calls.c.is_test.is_(False),
            # Whoever made the code judges it, and does not tell.
            calls.c.has_own_code.is_(False),
            # Extensions of the PBX are of no country, and have no range.
            calls.c.country.is_not(None),
            _REACHED,
            # A code that can still be entered would count as one that was not.
            ~IS_OPEN,
        )
        .group_by(calls.c.client, column)
    )
