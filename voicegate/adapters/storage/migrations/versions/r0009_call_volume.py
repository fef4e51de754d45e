"""How many calls were placed lately, and the rule by which each request was refused."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table and the column."""
    op.create_table(
        "call_volume",
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("client", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("slot", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("calls", sa.Integer, nullable=False),
    )
    op.create_index("ix_call_volume_slot", "call_volume", ["slot"])
    op.add_column("audit", sa.Column("rule", sa.String))
