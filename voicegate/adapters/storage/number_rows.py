"""The numbers on lists, found by their keyed digests: no whole number is stored here."""

from collections.abc import Sequence
from functools import cache
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
)

from voicegate.adapters.storage.prepared import Prepared, numbered, parameters
from voicegate.adapters.storage.tables import METADATA
from voicegate.adapters.storage.utc_time import UtcDateTime
from voicegate.domain.policy import ListedNumber, NumberList

_MOST: Final = 1000

listed_numbers: Final = Table(
    "listed_numbers",
    METADATA,
    Column("list", String, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("client", String, primary_key=True),
    Column("number", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("listed_by", String, nullable=False),
    Column("listed_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
)
"""One row for each number on a list: masked, and found by its keyed digest. `client` is empty where it counts
for all."""
Index("ix_listed_numbers_digest", listed_numbers.c.digest)


_NEWEST: Final = (
    select(listed_numbers).order_by(listed_numbers.c.listed_at.desc(), listed_numbers.c.digest).limit(_MOST)
)


@cache
def _listed(digests: int | None, kind: str | None) -> Prepared:
    wanted = _NEWEST
    if digests is not None:
        wanted = wanted.where(listed_numbers.c.digest.in_(parameters("digest", digests)))
    if kind is not None:
        wanted = wanted.where(listed_numbers.c.list == kind)
    return Prepared(wanted)


def add(connection: Connection, entry: ListedNumber) -> None:
    """Store a number on a list."""
    connection.execute(
        insert(listed_numbers).values(
            list=str(entry.list),
            digest=entry.digest,
            client=entry.client,
            number=entry.number,
            reason=entry.reason,
            listed_by=entry.listed_by,
            listed_at=entry.listed_at,
            expires_at=entry.expires_at,
        )
    )


def remove(connection: Connection, kind: NumberList, digests: Sequence[bytes], *, client: str) -> bool:
    """Delete a number from a list; return whether it was there."""
    own = (
        listed_numbers.c.list == str(kind),
        listed_numbers.c.digest.in_(digests),
        listed_numbers.c.client == client,
    )
    return connection.execute(delete(listed_numbers).where(*own)).rowcount > 0


def find(
    connection: Connection, digests: Sequence[bytes] | None = None, kind: NumberList | None = None
) -> Sequence[ListedNumber]:
    """Return the entries about a number, or all; of one list, if given; the newest first, at most a
    thousand."""
    wanted = _listed(None if digests is None else len(digests), None if kind is None else str(kind))
    rows = wanted.all(connection, numbered("digest", digests or ()))
    return [ListedNumber(**(dict(row) | {"list": NumberList(row["list"])})) for row in rows]
