"""Holds of ranges that are over are found by their end, to delete them."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_prefix_holds_until", "prefix_holds", ["until"])
