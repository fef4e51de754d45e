"""Alembic's entry: runs the revisions on the connection that `migrate` hands over; never imported."""

from alembic import context

from voicegate.adapters.storage.tables import METADATA

# SQLite can roll back DDL; alembic assumes that it cannot.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
