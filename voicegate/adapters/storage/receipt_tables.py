"""The tables of receipts, which refer to no other: a receipt stays when its call is purged."""

from typing import Final

from sqlalchemy import Column, Integer, LargeBinary, String, Table, UniqueConstraint

from voicegate.adapters.storage.tables import METADATA
from voicegate.adapters.storage.utc_time import UtcDateTime

receipts: Final = Table(
    "receipts",
    METADATA,
    Column("chain", String, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("call_id", String, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    UniqueConstraint("call_id"),
)
"""One row for each signed record of a call's end. Its call may be purged."""

receipt_checkpoints: Final = Table(
    "receipt_checkpoints",
    METADATA,
    Column("chain", String, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("digest", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
"""One row for each chain of receipts that was cut: up to which one."""
