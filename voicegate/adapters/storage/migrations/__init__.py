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
    config = _config()
    config.attributes["connection"] = connection
    is_current(connection)
    command.upgrade(config, revision)


def is_current(connection: Connection) -> bool:
    """Is the database at the newest revision?

    Raises:
        StoreError: it is at a revision that this code does not know.
    """
    scripts = ScriptDirectory.from_config(_config())
    known = {script.revision for script in scripts.walk_revisions()}
    present = set(MigrationContext.configure(connection).get_current_heads())
    if unknown := present - known:
        raise StoreError(
            f"made by a newer Voicegate (revision {', '.join(sorted(unknown))}): install that version,"
            " or restore the backup made before it"
        )
    return present == set(scripts.get_heads())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", __name__.replace(".migrations", ":migrations"))
    config.set_main_option("path_separator", "os")
    return config
