"""Several controllers share a PostgreSQL database: who lives, and whose a call is."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Make the tables and the columns; calls from before belong to no controller."""
    op.create_table(
        "controllers",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("key_ids", sa.JSON, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("present_since", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "trunk_starts",
        sa.Column("trunk", sa.String, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column("calls", sa.Column("controller", sa.String))
    op.add_column("calls", sa.Column("place_until", sa.DateTime(timezone=True)))
