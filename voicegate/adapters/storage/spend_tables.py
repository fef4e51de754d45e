"""The tables of what calls cost, as in `tables`. Money is in millionths of the rates' currency."""

from typing import Final

from sqlalchemy import BigInteger, Column, Date, Index, Integer, String, Table, literal_column

from voicegate.adapters.storage.tables import METADATA
from voicegate.domain.policy.spend import SpendKind

spend: Final = Table(
    "spend",
    METADATA,
    Column("kind", String, primary_key=True),
    Column("client", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("seconds", Integer, nullable=False),
    Column("micros", BigInteger, nullable=False),
)
"""One row for each account and day: what its calls cost, those in progress at their worst case."""

spend_reservations: Final = Table(
    "spend_reservations",
    METADATA,
    Column("challenge_id", String, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("day", Date, nullable=False),
    Column("client", String, nullable=False),
    Column("country", String, nullable=False),
    Column("prefix", String, nullable=False),
    Column("subscriber", String),
    Column("trunk", String, nullable=False),
    Column("per_minute", BigInteger, nullable=False),
    Column("minimum_s", Integer, nullable=False),
    Column("increment_s", Integer, nullable=False),
    Column("longest_s", Integer, nullable=False),
)
"""One row for each trunk that a call in progress may use, in the route's order; deleted at the call's end."""

# Literals, as in `tables`.
IS_PERSONAL: Final = spend.c.kind.in_(
    [literal_column(f"'{kind}'") for kind in (SpendKind.PREFIX, SpendKind.SUBSCRIBER)]
)
"""Does an account tell of few people? Such ones are deleted after their day; the others are statistics."""

Index("ix_spend_day", spend.c.day)
Index("ix_spend_personal", spend.c.day, sqlite_where=IS_PERSONAL, postgresql_where=IS_PERSONAL)
