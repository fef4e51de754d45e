"""Visits of people to the pages."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "page_sessions",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("subscriber", sa.String, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("url_digest", sa.LargeBinary, nullable=False),
        sa.Column("state_digest", sa.LargeBinary, nullable=False),
        sa.Column("cookie_digest", sa.LargeBinary),
        sa.Column("result_digest", sa.LargeBinary),
        sa.Column("return_url", sa.Text),
        sa.Column("alternative_url", sa.Text),
        sa.Column("language", sa.String),
        sa.Column("reference", sa.Text),
        sa.Column("factor_id", sa.String),
        sa.Column("challenge_id", sa.String),
        sa.Column("call_again_at", _MOMENT),
        sa.Column("consent_version", sa.String),
        sa.Column("consent_at", _MOMENT),
        sa.Column("result", sa.String),
        sa.Column("completed_at", _MOMENT),
    )
    op.create_index("ix_page_sessions_created_at", "page_sessions", ["created_at"])
    op.create_index("ix_page_sessions_result_digest", "page_sessions", ["result_digest"])
