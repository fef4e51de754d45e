"""The database beside its daemon: who may use it, how it is upgraded, and what is deleted from it when."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path

from sqlalchemy import URL, Engine
from sqlalchemy.exc import SQLAlchemyError

from voicegate.adapters.lockfile import held
from voicegate.adapters.storage import engines, receipts
from voicegate.adapters.storage.migrations import is_current, newest_revision, revision_of
from voicegate.adapters.storage.purge import count_old, purge
from voicegate.adapters.storage.upgrading import Upgrade, UpgradeRules, upgrade
from voicegate.adapters.system import SystemClock
from voicegate.application.housekeeping import BATCH, PAUSE
from voicegate.application.receipts import Receipts
from voicegate.application.retention import Retention
from voicegate.bootstrap.receipts import find_receipt_keys, receipt_key_file
from voicegate.config import Settings
from voicegate.domain.errors import StoreError


def retention(settings: Settings) -> Retention:
    """Return how long finished records are kept, as configured."""
    kept = settings.retention
    return Retention(
        calls=timedelta(days=kept.calls_days),
        timelines=timedelta(days=kept.timelines_days),
        audit=timedelta(days=kept.audit_days),
        webhooks=timedelta(days=kept.webhooks_days),
        receipts=timedelta(days=kept.receipts_days),
        page_sessions=timedelta(days=kept.page_sessions_days),
        numbers=timedelta(days=kept.numbers_days) if kept.numbers_days else None,
    )


def upgrade_rules(settings: Settings) -> UpgradeRules:
    """Return what the daemon's start does about a database of an older version, as configured."""
    storage = settings.storage
    return UpgradeRules(copies_kept=storage.copies_kept, is_allowed=storage.upgrade_at_start)


def sole_user(location: str) -> AbstractContextManager[None]:
    """Lock an SQLite file against a second daemon; PostgreSQL has locks of its own."""
    if (database := sqlite_file(location)) is None:
        return nullcontext()
    lock = database.with_name(f"{database.name}.lock")
    return held(lock, guarded=database, setting=engines.SETTING)


def sqlite_file(location: str) -> Path | None:
    """Return the file of an SQLite database; None: it is another kind of database.

    Raises:
        StoreError: the setting is wrong.
    """
    url = engines.locate(location)
    return Path(engines.name_of(url)) if engines.is_sqlite(url) else None


def upgrade_database(settings: Settings) -> Upgrade:
    """Upgrade the configured database, whatever `storage.upgrade_at_start` says; blocks.

    Raises:
        StoreError: there is none, or it cannot be upgraded.
    """
    url = _locate_present(settings)
    try:
        return upgrade(url, UpgradeRules(copies_kept=settings.storage.copies_kept))
    except (SQLAlchemyError, StoreError) as error:
        raise engines.explain(url, error) from error


def prune(
    settings: Settings, *, is_dry: bool = False, report: Callable[[int], None] = lambda _rows: None
) -> Mapping[str, int]:
    """Delete what is older than `[retention]` says, in small batches beside a daemon that runs; blocks.

    Returns how many rows of each table; with `is_dry` they are only counted. `report` is told how many are
    deleted so far.

    Raises:
        StoreError: there is no database, it is of another version, or it cannot be used.
        KeyFileError: there are receipts, and their keys cannot be used.
    """
    url = _locate_present(settings)
    engine = engines.connect_readers(url) if is_dry else engines.connect_writer(url)
    try:
        with engine.connect() as connection, connection.begin():
            if not is_current(connection):
                raise StoreError(
                    f"is at revision {revision_of(connection)}, this version needs {newest_revision()}:"
                    " `voicegate db upgrade`"
                )
        return _count(engine, settings) if is_dry else _prune(engine, settings, report)
    except (SQLAlchemyError, StoreError) as error:
        raise engines.explain(url, error) from error
    finally:
        engine.dispose()


def _locate_present(settings: Settings) -> URL:
    """Return where the database is.

    Raises:
        StoreError: it is an SQLite file that does not exist.
    """
    location = settings.storage.database
    file = sqlite_file(location)
    if file is not None and not file.exists():
        raise StoreError(f"{file}: there is no database yet; the daemon makes it at its first start")
    return engines.locate(location)


def _count(engine: Engine, settings: Settings) -> Mapping[str, int]:
    kept, now = retention(settings), SystemClock().now()
    with engine.connect() as connection, connection.begin():
        old = dict(count_old(connection, kept.kept(now)))
        if receipt_key_file(settings).exists():
            chain = find_receipt_keys(settings).chain
            old["receipts"] = receipts.count_old(connection, chain, now - kept.receipts)
    return old


def _prune(engine: Engine, settings: Settings, report: Callable[[int], None]) -> Mapping[str, int]:
    kept, deleted = retention(settings), Counter[str]()
    keys = receipt_key_file(settings)
    chain = Receipts(find_receipt_keys(settings)) if keys.exists() else None
    while True:
        now = SystemClock().now()
        with engine.begin() as connection:
            batch = Counter(purge(connection, kept.kept(now), limit=BATCH))
            if chain is not None:
                cut = chain.cut(now - kept.receipts, now, BATCH)
                batch["receipts"] = receipts.cut_receipts(connection, cut)
        deleted.update(batch)
        if not batch.total():
            return deleted
        report(deleted.total())
        # Between two batches the daemon writes.
        time.sleep(PAUSE.total_seconds())
