"""Numbers on lists."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "listed_numbers",
        sa.Column("list", sa.String, primary_key=True),
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("client", sa.String, primary_key=True),
        sa.Column("number", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("listed_by", sa.String, nullable=False),
        sa.Column("listed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_listed_numbers_digest", "listed_numbers", ["digest"])
