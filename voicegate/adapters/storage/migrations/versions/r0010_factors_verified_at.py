"""When each factor was last used: when a right code was last entered, as far as the audit knows."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column, and fill it from the audit, whose entries of guesses name the factor."""
    op.add_column("factors", sa.Column("verified_at", sa.DateTime(timezone=True)))
    op.execute(
        "UPDATE factors SET verified_at = used.at FROM (SELECT subject, MAX(at) AS at FROM audit"
        " WHERE decision = 'verified' GROUP BY subject) AS used WHERE used.subject = factors.id"
    )
