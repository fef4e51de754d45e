"""Trunks that are drained, and why an admin did something."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the table and the column."""
    op.create_table(
        "trunk_drains",
        sa.Column("trunk", sa.String, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.add_column("audit", sa.Column("reason", sa.Text))
