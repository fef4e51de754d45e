"""Messages to webhooks."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_MOMENT = sa.DateTime(timezone=True)
_IS_PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "outbox",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("webhook", sa.String, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("give_up_at", _MOMENT, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_at", _MOMENT, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text),
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["webhook", "next_at"],
        sqlite_where=_IS_PENDING,
        postgresql_where=_IS_PENDING,
    )
    op.create_index("ix_outbox_created_at", "outbox", ["created_at", "id"])
