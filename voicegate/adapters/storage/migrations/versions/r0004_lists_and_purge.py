"""Calls know their client, service and country, services' calls are counted, and lists have their indexes."""

import phonenumbers
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_MOMENT = sa.DateTime(timezone=True)
_IS_SERVICE = sa.text("service IS NOT NULL")
_IS_RESET = sa.text("state = 'reset'")
_TEST_TRUNK = "test numbers"
_BATCH = 1000
_COUNT = """
    INSERT INTO call_counts (client, service, hour, country, attempts, converted)
    SELECT client, service, HOUR, coalesce(country, ''), count(*),
    sum(CASE WHEN is_converted THEN 1 ELSE 0 END)
    FROM calls WHERE service IS NOT NULL AND trunk != :test GROUP BY 1, 2, 3, 4
"""


def upgrade() -> None:
    """Add the columns, fill them from what is there, count what is there, make the indexes."""
    op.add_column("calls", sa.Column("client", sa.String, nullable=False, server_default=""))
    op.add_column("calls", sa.Column("service", sa.String))
    op.add_column("calls", sa.Column("country", sa.String))
    op.add_column("calls", sa.Column("is_converted", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("audit", sa.Column("number_digest", sa.LargeBinary))
    _fill_calls()
    _fill_countries()
    _create_call_counts()
    _create_probes()
    _create_indexes()


def _fill_calls() -> None:
    op.execute(
        "UPDATE calls SET"
        " client = (SELECT client FROM verifications WHERE id = calls.verification_id),"
        " service = (SELECT service FROM verifications WHERE id = calls.verification_id)"
    )
    op.execute(
        sa.text(
            "UPDATE calls SET is_converted = :yes WHERE"
            " (SELECT state FROM verifications WHERE id = calls.verification_id) = 'verified' AND"
            " position = (SELECT max(position) FROM calls AS others"
            " WHERE others.verification_id = calls.verification_id)"
        ).bindparams(yes=True)
    )


def _fill_countries() -> None:
    connection = op.get_bind()
    numbers = connection.execute(sa.text("SELECT DISTINCT number FROM calls WHERE number LIKE '+%'"))
    known = [{"number": number, "country": _country_of(number)} for number in numbers.scalars()]
    # By number, each of which would else be looked for in all calls.
    op.create_index("ix_filling", "calls", ["number"])
    for start in range(0, len(known), _BATCH):
        connection.execute(
            sa.text("UPDATE calls SET country = :country WHERE number = :number"),
            known[start : start + _BATCH],
        )
    op.drop_index("ix_filling", "calls")


def _country_of(number: str) -> str | None:
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None


def _create_call_counts() -> None:
    op.create_table(
        "call_counts",
        sa.Column("client", sa.String, nullable=False),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("hour", _MOMENT, nullable=False),
        sa.Column("country", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("converted", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("client", "service", "hour", "country", name="pk_call_counts"),
    )
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    # As SQLAlchemy writes a moment into SQLite.
    hour = (
        "date_trunc('hour', created_at)"
        if is_postgresql
        else "strftime('%Y-%m-%d %H:00:00.000000', created_at)"
    )
    op.execute(sa.text(_COUNT.replace("HOUR", hour)).bindparams(test=_TEST_TRUNK))


def _create_probes() -> None:
    op.create_table(
        "probes",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_probes"),
    )


def _create_indexes() -> None:
    op.drop_index("ix_calls_created_at", "calls")
    op.create_index("ix_calls_created_at", "calls", ["created_at", "id", "trunk", "outcome"])
    op.create_index("ix_calls_client", "calls", ["client", "created_at", "id", "trunk", "outcome"])
    op.create_index("ix_calls_number", "calls", ["number", "created_at", "id"])
    op.create_index(
        "ix_calls_service",
        "calls",
        ["client", "created_at", "id", "service", "trunk", "country", "number", "is_converted"],
        sqlite_where=_IS_SERVICE,
        postgresql_where=_IS_SERVICE,
    )
    op.create_index("ix_verifications_expires_at", "verifications", ["expires_at"])
    op.create_index(
        "ix_factors_reset",
        "factors",
        ["updated_at"],
        sqlite_where=_IS_RESET,
        postgresql_where=_IS_RESET,
    )
    op.create_index("ix_timeline_at", "timeline", ["at"])
    op.create_index("ix_idempotency_keys_created", "idempotency_keys", ["created"])
    op.create_index("ix_idempotency_keys_verification_id", "idempotency_keys", ["verification_id"])
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_client", "audit", ["client", "id"])
    op.create_index("ix_audit_number_digest", "audit", ["number_digest", "id"])
