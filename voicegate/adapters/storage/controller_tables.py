"""The tables of controllers that share a PostgreSQL database; with SQLite they stay empty.

A live call belongs to the controller that `calls.controller` names. `calls.place_until` is the time until
which another controller may place it, if its own died before that; NULL: none may.
"""

from typing import Final

from sqlalchemy import JSON, Column, String, Table

from voicegate.adapters.storage.tables import METADATA
from voicegate.adapters.storage.utc_time import UtcDateTime

controllers: Final = Table(
    "controllers",
    METADATA,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("version", String, nullable=False),
    Column("key_ids", JSON, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("present_since", UtcDateTime, nullable=False),
)
"""One row for each start of a controller, until it is stopped or its calls were taken over. All times are the
server's. `seen_at`: when it last said that it lives; `present_since`: since when it has done so without a
gap."""

trunk_starts: Final = Table(
    "trunk_starts",
    METADATA,
    Column("trunk", String, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
"""One row for each trunk that has a pace (`max_calls_per_second`): when its newest call was started, by the
server's clock."""
