"""Calls and the audit are found by subscriber and reference, the audit by subject and trunk too."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the columns, fill them where it is known, and index them."""
    for table, names in (
        ("calls", ("subscriber", "reference")),
        ("audit", ("subscriber", "reference", "trunk")),
    ):
        for name in names:
            kind = sa.Text if name == "reference" else sa.String
            op.add_column(table, sa.Column(name, kind))
    op.execute(
        "UPDATE calls SET reference = (SELECT reference FROM challenges WHERE id = challenge_id),"
        " subscriber = (SELECT factors.subscriber FROM challenges JOIN factors ON factors.id = factor_id"
        " WHERE challenges.id = challenge_id)"
    )
    op.execute("UPDATE audit SET trunk = subject WHERE action IN ('trunk.drain', 'trunk.resume')")
    for table, columns in (
        ("calls", ("subscriber", "reference")),
        ("audit", ("subject", "subscriber", "reference", "trunk")),
    ):
        order = ["created_at", "id"] if table == "calls" else ["id"]
        for name in columns:
            is_given = sa.text(f"{name} IS NOT NULL")
            op.create_index(
                f"ix_{table}_{name}",
                table,
                [name, *order],
                sqlite_where=is_given,
                postgresql_where=is_given,
            )
