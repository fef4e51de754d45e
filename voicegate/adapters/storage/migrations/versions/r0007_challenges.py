"""A challenge's table is called `challenges`, and what refers to one says `challenge_id`."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_IS_OPEN = sa.text("state IN ('delivered', 'delivering', 'undeliverable')")
_CONSTRAINTS = {
    "pk_verifications": ("challenges", "pk_challenges"),
    # Revision 0002 named it, but alembic drops the name of an inline reference: PostgreSQL made this one up.
    "verifications_factor_id_fkey": ("challenges", "fk_challenges_factor_id"),
    "fk_calls_verification_id": ("calls", "fk_calls_challenge_id"),
    "uq_calls_verification_id_position": ("calls", "uq_calls_challenge_id_position"),
    "fk_idempotency_keys_verification_id": ("idempotency_keys", "fk_idempotency_keys_challenge_id"),
}
"""Old name -> its table as it is called now, new name."""
_INDEXES = {
    "bucket": ["bucket", "client", "issued_at"],
    "expires_at": ["expires_at"],
    "number": ["number", "issued_at"],
    "factor_id": ["factor_id", "issued_at"],
}


def upgrade() -> None:
    """Rename the table, the columns that refer to it, indexes and constraints; no row is copied."""
    # By hand: alembic's batch mode, its only way to rename a column in SQLite, copies the table.
    op.execute("ALTER TABLE verifications RENAME TO challenges")
    op.execute("ALTER TABLE calls RENAME COLUMN verification_id TO challenge_id")
    op.execute("ALTER TABLE idempotency_keys RENAME COLUMN verification_id TO challenge_id")
    _rename_indexes()
    if op.get_context().dialect.name == "sqlite":
        _rename_sqlite_constraints()
    else:
        for old, (table, new) in _CONSTRAINTS.items():
            op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}")


def _rename_indexes() -> None:
    # SQLite cannot rename an index. Anew, its definition has no quotes around the renamed column either.
    for name, columns in _INDEXES.items():
        op.drop_index(f"ix_verifications_{name}", "challenges")
        op.create_index(f"ix_challenges_{name}", "challenges", columns)
    op.drop_index("ix_verifications_open", "challenges")
    op.create_index(
        "ix_challenges_open",
        "challenges",
        ["expires_at"],
        sqlite_where=_IS_OPEN,
        postgresql_where=_IS_OPEN,
    )
    op.drop_index("ix_idempotency_keys_verification_id", "idempotency_keys")
    op.create_index("ix_idempotency_keys_challenge_id", "idempotency_keys", ["challenge_id"])


def _rename_sqlite_constraints() -> None:
    # SQLite cannot rename a constraint. Its name stands only in the text of the table's definition, which may
    # be edited where nothing of what is stored changes (sqlite.org/lang_altertable.html, section 7).
    op.execute("PRAGMA writable_schema = ON")
    try:
        rename = sa.text("UPDATE sqlite_master SET sql = replace(sql, :old, :new) WHERE type = 'table'")
        for old, (_, new) in _CONSTRAINTS.items():
            op.execute(rename.bindparams(old=f"CONSTRAINT {old} ", new=f"CONSTRAINT {new} "))
    finally:
        op.execute("PRAGMA writable_schema = OFF")
