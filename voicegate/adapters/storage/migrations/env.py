"""Alembic runs this file: it applies the revisions on the connection that `migrate` gives; never imported."""

from alembic import context

from voicegate.adapters.storage.tables import METADATA

# `migrate`'s caller began the transaction and commits it; alembic does neither.
context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
