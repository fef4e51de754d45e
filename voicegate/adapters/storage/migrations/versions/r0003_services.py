"""Challenges that a service asks for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Let a challenge name its service."""
    op.add_column("verifications", sa.Column("service", sa.String))
