"""What calls cost, by account and day, and what is reserved for calls in progress."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "spend",
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("client", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("seconds", sa.Integer, nullable=False),
        sa.Column("micros", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_spend_day", "spend", ["day"])
    op.create_table(
        "spend_reservations",
        sa.Column("challenge_id", sa.String, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("country", sa.String, nullable=False),
        sa.Column("prefix", sa.String, nullable=False),
        sa.Column("subscriber", sa.String),
        sa.Column("trunk", sa.String, nullable=False),
        sa.Column("per_minute", sa.BigInteger, nullable=False),
        sa.Column("minimum_s", sa.Integer, nullable=False),
        sa.Column("increment_s", sa.Integer, nullable=False),
        sa.Column("longest_s", sa.Integer, nullable=False),
    )
