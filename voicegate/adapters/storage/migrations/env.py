"""Alembic's entry: runs the revisions on the connection that `migrate` hands over; never imported."""

from alembic import context

from voicegate.adapters.storage.tables import METADATA

# The transaction is `migrate`'s caller's; alembic neither begins nor commits one.
context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
