"""Factors and their challenges, wrong guesses, clients with their keys, the audit."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_MOMENT = sa.DateTime(timezone=True)
_IS_LIVING = sa.text("state != 'reset'")


def upgrade() -> None:
    """Create the new tables and tie challenges to factors."""
    _create_factors()
    _extend_verifications()
    _create_wrong_guesses()
    _create_clients()
    _create_audit()


def _create_factors() -> None:
    op.create_table(
        "factors",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("subscriber", sa.String, nullable=False),
        sa.Column("number", sa.String, nullable=False),
        sa.Column("extension", sa.String),
        sa.Column("language", sa.String),
        sa.Column("activation_lifetime_s", sa.Integer, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_factors"),
    )
    op.create_index(
        "uq_factors_living",
        "factors",
        ["client", "subscriber"],
        unique=True,
        sqlite_where=_IS_LIVING,
        postgresql_where=_IS_LIVING,
    )
    op.create_index("ix_factors_subscriber", "factors", ["subscriber"])
    op.create_index(
        "ix_factors_number", "factors", ["number"], sqlite_where=_IS_LIVING, postgresql_where=_IS_LIVING
    )


def _extend_verifications() -> None:
    # SQLite adds a column with its reference in one statement only, and cannot add a constraint later.
    factor_id = sa.Column(
        "factor_id", sa.String, sa.ForeignKey("factors.id", name="fk_verifications_factor_id")
    )
    op.add_column("verifications", factor_id, inline_references=True)
    op.add_column("verifications", sa.Column("purpose", sa.String, nullable=False, server_default="plain"))
    op.create_index("ix_verifications_number", "verifications", ["number", "issued_at"])
    op.create_index("ix_verifications_factor_id", "verifications", ["factor_id", "issued_at"])


def _create_wrong_guesses() -> None:
    op.create_table(
        "wrong_guesses",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("subscriber", sa.String),
        sa.Column("number", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_wrong_guesses"),
    )
    op.create_index("ix_wrong_guesses_number", "wrong_guesses", ["number", "at"])
    op.create_index("ix_wrong_guesses_client", "wrong_guesses", ["client", "at"])
    op.create_index("ix_wrong_guesses_at", "wrong_guesses", ["at"])


def _create_clients() -> None:
    op.create_table(
        "clients",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("revoked_at", _MOMENT),
        sa.PrimaryKeyConstraint("name", name="pk_clients"),
    )
    op.create_table(
        "client_keys",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_client_keys"),
        sa.ForeignKeyConstraint(["client"], ["clients.name"], name="fk_client_keys_client"),
    )
    op.create_index("ix_client_keys_client", "client_keys", ["client"])


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("decision", sa.String, nullable=False),
        sa.Column("subject", sa.String),
        sa.Column("number", sa.String),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
