"""Checks the database without changing it: is it there, whole, writable, and of this version?"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from voicegate.adapters.storage import engines
from voicegate.adapters.storage.controllers import find_present
from voicegate.adapters.storage.engines import SETTING
from voicegate.adapters.storage.migrations import is_current
from voicegate.adapters.storage.statements import find_open_challenges
from voicegate.application.diagnostics import Finding, doubtful, failed, passed
from voicegate.domain.challenge import Challenge
from voicegate.domain.errors import StoreError


class StoreCheck:
    """The port `Check` for the database at `location`, which is a path or URL as for `SqlStore`.

    `has_key` tells whether the key file has the key of an open challenge; None: the key file cannot be read.
    """

    subject = "database"

    def __init__(self, location: str, has_key: Callable[[Challenge], bool] | None = None) -> None:
        self._location = location
        self._has_key = has_key

    async def run(self) -> AsyncIterator[Finding]:
        """Yield what was found."""
        yield await asyncio.to_thread(self._look)

    def _look(self) -> Finding:
        try:
            url = engines.locate(self._location)
            name = engines.name_of(url)
            if engines.is_sqlite(url) and (finding := _look_at_file(Path(name))):
                return finding
            # A reader's engine cannot write (query_only), whatever a later change of this check does.
            engine = engines.connect_readers(url)
        except StoreError as error:
            return failed(self.subject, str(error), SETTING)
        try:
            with engine.begin() as connection:
                return self._judge(connection, name, is_sqlite=engines.is_sqlite(url))
        except (SQLAlchemyError, StoreError) as error:
            rest = "restore it from its backup if it is damaged"
            if not engines.is_sqlite(url):
                rest = "its server must run, let this user in with this password, and have this database"
            return failed(self.subject, str(engines.explain(url, error)), f"{SETTING}; {rest}")
        finally:
            engine.dispose()

    def _judge(self, connection: Connection, name: str, *, is_sqlite: bool) -> Finding:
        if is_sqlite:
            # Not integrity_check, which also compares every index with its table and takes long.
            answer = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            if answer != "ok":
                return failed(self.subject, f"{name} is damaged: {answer}", "restore it from its backup")
        if not is_current(connection):
            fix = "brought up to date at the daemon's next start; back it up before"
            return doubtful(self.subject, f"{name} is an older version's", fix)
        # Of a database file, the key file's own check knows.
        if not is_sqlite and self._has_key is None and find_open_challenges(connection):
            text = f"{name} has open codes, and the key file that made them cannot be read"
            return failed(self.subject, text, "storage.key_file: restore it from its backup")
        if self._has_key is not None and not all(map(self._has_key, find_open_challenges(connection))):
            fix = (
                "storage.key_file: restore the one that belongs to this database; else the next start "
                "ends those codes, as it is meant to after `voicegate key rotate --drop-old`"
            )
            return failed(self.subject, f"{name} has open codes of a key that the key file lacks", fix)
        present = () if is_sqlite else find_present(connection)
        used = (
            f"; controllers that run: {', '.join(one.controller.name for one in present)}" if present else ""
        )
        return passed(self.subject, f"{name}: whole, and of this version{used}")


def _look_at_file(file: Path) -> Finding | None:
    """Return what is wrong with an SQLite file before it is opened; None: nothing is."""
    # Before: opening a missing file would create it, as the user who runs doctor.
    if not os.access(file.parent, os.W_OK | os.X_OK):
        fix = f"{SETTING}: the folder must exist and belong to the daemon's user; look as that user"
        return failed("database", f"the folder {file.parent} cannot be written", fix)
    if not file.exists():
        return doubtful("database", f"{file} does not exist", "made on the first start")
    if not os.access(file, os.R_OK | os.W_OK):
        fix = f"{SETTING}: the file must belong to the daemon's user; look as that user"
        return failed("database", f"{file} cannot be read and written", fix)
    return None
