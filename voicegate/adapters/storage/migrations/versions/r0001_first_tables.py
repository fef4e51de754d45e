"""The first tables: verifications, calls, timeline, idempotency keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)
_IS_LIVE = sa.text("state != 'ended'")
_IS_OPEN = sa.text("state IN ('delivered', 'delivering', 'issued', 'undeliverable')")


def upgrade() -> None:
    """Create everything."""
    _create_verifications()
    _create_calls()
    _create_timeline()
    _create_idempotency_keys()


def _create_verifications() -> None:
    op.create_table(
        "verifications",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("number", sa.String, nullable=False),
        sa.Column("extension", sa.String),
        sa.Column("language", sa.String, nullable=False),
        sa.Column("human_check", sa.String, nullable=False),
        sa.Column("passcode_length", sa.Integer, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("issued_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("attempts_left", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reference", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_verifications"),
    )
    op.create_index(
        "ix_verifications_open",
        "verifications",
        ["expires_at"],
        sqlite_where=_IS_OPEN,
        postgresql_where=_IS_OPEN,
    )


def _create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("verification_id", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("number", sa.String, nullable=False),
        sa.Column("extension", sa.String),
        sa.Column("trunk", sa.String, nullable=False),
        sa.Column("caller_id", sa.String, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        *(
            sa.Column(fact, sa.Boolean, nullable=False)
            for fact in ("rang", "progressed", "answered", "media")
        ),
        *(sa.Column(fact, sa.Boolean, nullable=False) for fact in ("extension_sent", "human")),
        sa.Column("announced", sa.Integer, nullable=False),
        sa.Column("answered_at", _MOMENT),
        sa.Column("ended_at", _MOMENT),
        sa.Column("outcome", sa.String),
        sa.Column("blame", sa.String),
        sa.Column("retry_safe", sa.Boolean),
        sa.Column("cause", sa.Integer),
        sa.Column("sip_status", sa.Integer),
        sa.Column("is_unreachable", sa.Boolean),
        sa.Column("gave_up", sa.String),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
        sa.ForeignKeyConstraint(["verification_id"], ["verifications.id"], name="fk_calls_verification_id"),
        sa.UniqueConstraint("verification_id", "position", name="uq_calls_verification_id_position"),
    )
    op.create_index("ix_calls_created_at", "calls", ["created_at"])
    op.create_index(
        "ix_calls_live", "calls", ["created_at"], sqlite_where=_IS_LIVE, postgresql_where=_IS_LIVE
    )


def _create_timeline() -> None:
    op.create_table(
        "timeline",
        sa.Column("call_id", sa.String, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("event", sa.String, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("call_id", "seq", name="pk_timeline"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_timeline_call_id"),
    )


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("client", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("verification_id", sa.String, nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("client", "key", name="pk_idempotency_keys"),
        sa.ForeignKeyConstraint(
            ["verification_id"], ["verifications.id"], name="fk_idempotency_keys_verification_id"
        ),
    )
