"""The index of open challenges knows the states that there are: nothing ever was `issued`."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_IS_OPEN = sa.text("state IN ('delivered', 'delivering', 'undeliverable')")


def upgrade() -> None:
    """Make the index anew."""
    op.drop_index("ix_verifications_open", "verifications")
    op.create_index(
        "ix_verifications_open",
        "verifications",
        ["expires_at"],
        sqlite_where=_IS_OPEN,
        postgresql_where=_IS_OPEN,
    )
