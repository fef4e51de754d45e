"""Brings a database to the tables that this code knows, in one transaction, at every start.

Each change of `tables` is one file in `versions`; a database that a newer Voicegate made is refused.
"""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from voicegate.domain.errors import StoreError


def migrate(connection: Connection, revision: str = "head") -> None:
    """Upgrade the database to a revision, the newest at first, inside the connection's transaction.

    Raises:
        StoreError: the database is at a revision that this code does not know.
    """
    config = Config()
    config.set_main_option("script_location", __name__.replace(".migrations", ":migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    present = MigrationContext.configure(connection).get_current_heads()
    if unknown := set(present) - known:
        raise StoreError(
            f"made by a newer Voicegate (revision {', '.join(sorted(unknown))}): install that version,"
            " or restore the backup made before it"
        )
    command.upgrade(config, revision)
