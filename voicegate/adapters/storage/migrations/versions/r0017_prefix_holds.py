"""Ranges and countries that are held, and which calls spoke a code of their client's own."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make the table and the column."""
    op.create_table(
        "prefix_holds",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("client", sa.String, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_by", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.add_column("calls", sa.Column("has_own_code", sa.Boolean, nullable=False, server_default=sa.false()))
