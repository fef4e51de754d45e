"""How well a call's audio travelled, and its SIP Call-ID."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the column."""
    op.add_column("calls", sa.Column("quality", sa.JSON(none_as_null=True)))
