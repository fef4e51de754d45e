"""A backup of all that this controller made itself: database, key files, configuration and own recordings.

A folder or a tar file, for its owner alone. `docs/operate/backup.md` says how it is restored.
"""

import os
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from voicegate import __version__
from voicegate.adapters.speech.recordings import FOLDER as RECORDINGS
from voicegate.adapters.storage import engines
from voicegate.adapters.storage.copies import Report, copy_database, ignore, sync
from voicegate.adapters.storage.migrations import revision_of
from voicegate.adapters.system import SystemClock
from voicegate.bootstrap.database import sqlite_file
from voicegate.bootstrap.receipts import receipt_key_file
from voicegate.bootstrap.settings_checks import secret_files
from voicegate.config import Settings, secret_path
from voicegate.domain.errors import StoreError

DATABASE: Final = "voicegate.db"
KEYS: Final = "key"
RECEIPT_KEYS: Final = "key-receipts"
CONFIG: Final = "voicegate.toml"
CONTENTS: Final = "backup.json"
"""The file that says what is in a backup."""
TAR: Final = ".tar"
"""How the name of a backup ends that is one file."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds, and what it does not."""

    made_at: str
    """When it was begun, UTC."""
    version: str
    """The version of Voicegate that made it, which can read it."""
    revision: str | None
    """The database's revision; None: the database is not in it."""
    files: Mapping[str, str]
    """The files and folders in it, each with where it came from."""
    missing: Mapping[str, str]
    """What the settings name and is not in it, with where it is: other programs' secrets, another server's
    database."""


def back_up(settings: Settings, config: Path, target: Path, *, report: Report = ignore) -> Backup:
    """Write a backup to `target`, a new folder, or a new tar file if its name ends in `.tar`; blocks.

    The daemon may run. `report` is told how much of the database is copied.

    Raises:
        StoreError: there is something at `target`, or a file cannot be read or written.
    """
    if os.path.lexists(target):
        raise StoreError(f"{target}: is there already; a backup replaces nothing")
    part = target.with_name(f".{target.name}.part")
    try:
        part.mkdir(mode=0o700)
        backup = _fill(part, settings, config, report=report)
        if target.suffix == TAR:
            _pack(part, target)
        else:
            part.rename(target)
        sync(target.absolute().parent)
    except OSError as error:
        raise StoreError(f"{error.filename or target}: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return backup


def _fill(folder: Path, settings: Settings, config: Path, *, report: Report) -> Backup:
    storage = settings.storage
    made_at = SystemClock().now().isoformat(timespec="seconds")
    files: dict[str, str] = {}
    missing = {setting: str(secret_path(file)) for setting, file in secret_files(settings).items()}
    # The database first: a key that is added meanwhile is one more, and no code in the copy lacks its own.
    if (database := sqlite_file(storage.database)) is not None:
        copy_database(database, folder / DATABASE, report)
        files[DATABASE] = str(database)
    else:
        missing[engines.SETTING] = storage.database
    for name, file in ((KEYS, Path(storage.key_file)), (RECEIPT_KEYS, receipt_key_file(settings))):
        if name == KEYS or file.exists():
            _copy(file, folder / name)
            files[name] = str(file)
    if config.exists():
        _copy(config, folder / CONFIG)
        files[CONFIG] = str(config)
    own = Path(storage.state_folder) / RECORDINGS
    if own.is_dir():
        shutil.copytree(own, folder / RECORDINGS)
        files[RECORDINGS] = str(own)
    revision = _revision(folder / DATABASE) if DATABASE in files else None
    backup = Backup(made_at, __version__, revision, files, missing)
    _write(folder / CONTENTS, msgspec.json.format(msgspec.json.encode(backup)) + b"\n")
    return backup


def _revision(copy: Path) -> str | None:
    url = engines.locate(copy)
    engine = engines.connect_plain(url)
    try:
        with engine.connect() as connection:
            return revision_of(connection)
    except SQLAlchemyError as error:
        raise engines.explain(url, error) from error
    finally:
        engine.dispose()


def _copy(source: Path, target: Path) -> None:
    _write(target, source.read_bytes())


def _write(target: Path, content: bytes) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(descriptor)


def _pack(folder: Path, target: Path) -> None:
    """Pack a folder's files into a tar file that appears when it is complete."""
    part = target.with_name(f".{target.name}.tmp")
    part.unlink(missing_ok=True)
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w+b") as opened, tarfile.open(fileobj=opened, mode="w") as tar:
            for file in sorted(folder.iterdir()):
                tar.add(file, arcname=file.name)
            tar.close()
            opened.flush()
            os.fsync(descriptor)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
