"""Brings a database to the tables of this version, and copies it first; `migrations` has the steps."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection

from voicegate.adapters.storage import engines
from voicegate.adapters.storage.copies import copy_before_upgrade
from voicegate.adapters.storage.migrations import is_current, migrate, newest_revision, revision_of
from voicegate.domain.errors import StoreError


@dataclass(frozen=True, slots=True)
class UpgradeRules:
    """What is done about a database that an older version made."""

    copies_kept: int = 3
    """How many copies made before upgrades stay; 0: none is made. Of an SQLite file alone."""
    is_allowed: bool = True
    """Whether it may be upgraded; else it is refused."""


DEFAULT_RULES: Final = UpgradeRules()


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade did."""

    before: str | None
    """The revision that the database had; None: it was new."""
    after: str
    """The revision that it has now."""
    copy: Path | None
    """The copy of the old database; None: there is none."""

    @property
    def is_done(self) -> bool:
        """Was there a database of an older version?"""
        return self.before not in (None, self.after)


def upgrade(url: URL, rules: UpgradeRules = DEFAULT_RULES, *, controller: str | None = None) -> Upgrade:
    """Upgrade a database to the newest revision; blocks. `controller`: as in `engines.connect_writer`.

    Raises:
        StoreError: it is of a newer version, cannot be copied, or may not be upgraded.
        SQLAlchemyError: it cannot be read or written.
    """
    # An engine that waits longer for the lock: another daemon may be starting, and migrating.
    engine = engines.connect_writer(url, controller=controller)
    try:
        with engine.begin() as connection:
            return _upgrade(connection, url, rules)
    finally:
        engine.dispose()


def _upgrade(connection: Connection, url: URL, rules: UpgradeRules) -> Upgrade:
    before = revision_of(connection)
    if is_current(connection):
        return Upgrade(before, newest_revision(), None)
    copy = None
    # A new database has nothing to lose.
    if before is not None:
        if not rules.is_allowed:
            raise StoreError(
                f"the database is at revision {before}, this version needs {newest_revision()}: back it up,"
                " then run `voicegate db upgrade` (storage.upgrade_at_start)"
            )
        if engines.is_sqlite(url) and rules.copies_kept:
            # In this transaction nobody else writes: the copy is what is upgraded.
            copy = copy_before_upgrade(Path(engines.name_of(url)), before, keep=rules.copies_kept)
    migrate(connection)
    return Upgrade(before, newest_revision(), copy)
