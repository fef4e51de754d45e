"""Calls to test numbers are marked as such; guesses and calls are called what they are."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_IS_SERVICE = sa.text("service IS NOT NULL")


def upgrade() -> None:
    """Add the mark, which was the trunk's name before, and rename the columns."""
    op.add_column("calls", sa.Column("is_test", sa.Boolean, nullable=False, server_default=sa.false()))
    # No configured trunk could have this name.
    op.execute(sa.text("UPDATE calls SET is_test = :yes WHERE trunk = 'test numbers'").bindparams(yes=True))
    # Not by alembic, which would copy the whole table in SQLite.
    op.execute("ALTER TABLE challenges RENAME COLUMN attempts_left TO guesses_left")
    op.execute("ALTER TABLE call_counts RENAME COLUMN attempts TO calls")
    for name in ("ix_calls_created_at", "ix_calls_client", "ix_calls_service"):
        op.drop_index(name, "calls")
    op.create_index("ix_calls_created_at", "calls", ["created_at", "id", "trunk", "outcome", "is_test"])
    op.create_index("ix_calls_client", "calls", ["client", "created_at", "id", "trunk", "outcome", "is_test"])
    op.create_index(
        "ix_calls_service",
        "calls",
        ["client", "created_at", "id", "service", "is_test", "country", "number", "is_converted"],
        sqlite_where=_IS_SERVICE,
        postgresql_where=_IS_SERVICE,
    )
