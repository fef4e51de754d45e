"""The tables of what stays when calls are deleted, and of how far the purge came, as in `tables`."""

from typing import Final

from sqlalchemy import BigInteger, Column, Date, Integer, String, Table

from voicegate.adapters.storage.tables import METADATA
from voicegate.adapters.storage.utc_time import UtcDateTime

SUMS: Final = (
    "placed",
    "answered",
    "verified",
    "failed",
    "keys_asked",
    "keys_pressed",
    "delays",
    "delay_ms",
    "talk_ms",
)
"""The columns of `daily_figures` that are sums, in the order of `figures.sums`."""

daily_figures: Final = Table(
    "daily_figures",
    METADATA,
    Column("day", Date, primary_key=True),
    Column("trunk", String, primary_key=True),
    Column("country", String, primary_key=True),
    *(Column(name, BigInteger if name.endswith("_ms") else Integer, nullable=False) for name in SUMS),
)
"""One row for each day (UTC), trunk and country: how the calls went that were deleted. An unknown country is
empty."""

purge_marks: Final = Table(
    "purge_marks",
    METADATA,
    Column("name", String, primary_key=True),
    Column("until", UtcDateTime, nullable=False),
)
"""One row for each table whose numbers are hidden: rows of before this time are done."""
