"""A challenge can have two digits that a screen shows and its calls speak before the code."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the column; challenges from before have none."""
    op.add_column("challenges", sa.Column("matching_digits", sa.String))
