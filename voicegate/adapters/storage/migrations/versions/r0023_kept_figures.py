"""What stays when calls are deleted, and how far numbers are hidden."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

_SUMS = ("placed", "answered", "verified", "failed", "keys_asked", "keys_pressed", "delays")


def upgrade() -> None:
    """Make the tables, and the index of what calls cost that is deleted."""
    op.create_table(
        "daily_figures",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("trunk", sa.String, primary_key=True),
        sa.Column("country", sa.String, primary_key=True),
        *(sa.Column(name, sa.Integer, nullable=False) for name in _SUMS),
        sa.Column("delay_ms", sa.BigInteger, nullable=False),
        sa.Column("talk_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "purge_marks",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )
    is_personal = sa.text("kind IN ('prefix', 'subscriber')")
    op.create_index(
        "ix_spend_personal", "spend", ["day"], sqlite_where=is_personal, postgresql_where=is_personal
    )
