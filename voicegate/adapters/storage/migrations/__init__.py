"""Upgrades a database to the tables of this version, in one transaction.

Each change of `tables` is one file in `versions`. A database of a newer Voicegate is refused.
"""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from voicegate.domain.errors import StoreError


def migrate(connection: Connection, revision: str = "head") -> None:
    """Upgrade the database to a revision, by default the newest, in the connection's transaction.

    Raises:
        StoreError: the database is at a revision that this code does not know.
    """
    # In one transaction, which both databases can do with DDL: a start that is killed leaves the old tables.
    config = _config()
    config.attributes["connection"] = connection
    if not is_current(connection):
        command.upgrade(config, revision)


def is_current(connection: Connection) -> bool:
    """Return whether the database is at the newest revision.

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


def revision_of(connection: Connection) -> str | None:
    """Return the revision that the database is at; None: it has no tables yet."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """Return the revision of this version's tables."""
    return ScriptDirectory.from_config(_config()).get_heads()[0]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", __name__.replace(".migrations", ":migrations"))
    config.set_main_option("path_separator", "os")
    return config
