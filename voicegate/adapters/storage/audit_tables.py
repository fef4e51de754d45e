"""The table of the audit, which refers to no other: an entry stays when what it is about is purged."""

from typing import Final

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from voicegate.adapters.storage.tables import METADATA
from voicegate.adapters.storage.utc_time import UtcDateTime

audit: Final = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("client", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("action", String, nullable=False),
    Column("decision", String, nullable=False),
    Column("subject", String),
    Column("number", String),
    Column("number_digest", LargeBinary),
    Column("rule", String),
    Column("reason", Text),
    Column("subscriber", String),
    Column("reference", Text),
    Column("trunk", String),
)
"""One row for each request that would change something. The number is masked; `number_digest`, made with a
key, lets an admin find it."""

Index("ix_audit_at", audit.c.at)
Index("ix_audit_client", audit.c.client, audit.c.id)
Index("ix_audit_number_digest", audit.c.number_digest, audit.c.id)
for _name in ("subject", "subscriber", "reference", "trunk"):
    _is_given = audit.c[_name].is_not(None)
    Index(
        f"ix_audit_{_name}",
        audit.c[_name],
        audit.c.id,
        sqlite_where=_is_given,
        postgresql_where=_is_given,
    )
