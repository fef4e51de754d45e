"""What trunks' figures are summed up from."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add the columns; older calls have no delays, and asked for no key."""
    op.add_column("calls", sa.Column("originated_at", sa.DateTime(timezone=True)))
    op.add_column("calls", sa.Column("post_dial_delay_ms", sa.Integer))
    op.add_column("calls", sa.Column("talk_ms", sa.Integer))
    op.add_column("calls", sa.Column("key_asked", sa.Boolean, nullable=False, server_default=sa.false()))
