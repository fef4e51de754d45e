"""What calls and guesses are counted by, and what a clock that is set back must not stretch."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_IS_LIVE = sa.text("state != 'ended'")


def upgrade() -> None:
    """Let challenges and guesses name their bucket: the number, for all that there are."""
    op.add_column("verifications", sa.Column("bucket", sa.String, nullable=False, server_default=""))
    op.execute("UPDATE verifications SET bucket = number")
    op.create_index("ix_verifications_bucket", "verifications", ["bucket", "client", "issued_at"])
    op.create_index(
        "ix_calls_live_number", "calls", ["number"], sqlite_where=_IS_LIVE, postgresql_where=_IS_LIVE
    )
    op.drop_index("ix_wrong_guesses_number", "wrong_guesses")
    # Not by alembic, which would copy the whole table in SQLite.
    op.execute("ALTER TABLE wrong_guesses RENAME COLUMN number TO bucket")
    op.create_index("ix_wrong_guesses_bucket", "wrong_guesses", ["bucket", "at"])
    op.add_column("calls", sa.Column("counted_at", sa.DateTime(timezone=True)))
    op.add_column("client_keys", sa.Column("retired_at", sa.DateTime(timezone=True)))
