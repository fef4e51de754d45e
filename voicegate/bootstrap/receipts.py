"""Receipts as the settings say, and the chain of a database that no daemon need serve."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from voicegate.adapters.keyfile.receipt_keys import LOST, ReceiptKeys
from voicegate.adapters.storage import engines, receipts
from voicegate.application.diagnostics import Finding, doubtful, failed, passed
from voicegate.config import Settings
from voicegate.domain.errors import KeyFileError, StoreError
from voicegate.domain.receipt import Sealed


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain as the database has it."""

    checkpoint: Sealed | None
    """Where it was cut; None: it was not."""
    receipts: Iterator[Sealed]
    """Its receipts, the oldest first; read while they are used."""


def receipt_key_file(settings: Settings) -> Path:
    """Return where receipts' keys lie: beside the key file."""
    file = Path(settings.storage.key_file)
    return file.with_name(f"{file.name}-receipts")


def receipt_keys(settings: Settings) -> ReceiptKeys | None:
    """Return receipts' keys, made on the first use; None: receipts are switched off. Blocks on the disk.

    Raises:
        KeyFileError: missing though there are receipts, or not to be used.
        StoreError: the database cannot be read.
    """
    if not settings.receipts.enabled:
        return None
    engine = engines.connect_readers(engines.locate(settings.storage.database))
    try:
        with engine.connect() as connection:
            # A new chain beside an old one would prove the old one no more.
            is_first = not receipts.has_any(connection)
    finally:
        engine.dispose()
    return ReceiptKeys.open(receipt_key_file(settings), may_create=is_first)


def find_receipt_keys(settings: Settings) -> ReceiptKeys:
    """Return receipts' keys, whether they are switched on or not. Blocks on the disk.

    Raises:
        KeyFileError: missing, or not to be used.
    """
    return ReceiptKeys.open(receipt_key_file(settings), may_create=False)


@contextmanager
def stored_chain(settings: Settings, chain: str) -> Iterator[Chain]:
    """Give a chain of the configured database, which may be in use. Blocks on the disk.

    Raises:
        StoreError: it cannot be read.
    """
    url = engines.locate(settings.storage.database)
    engine = engines.connect_readers(url)
    try:
        # One transaction: what the daemon adds or cuts off meanwhile is not seen.
        with engine.connect() as connection, connection.begin():
            checkpoint = receipts.find_checkpoint(connection, chain)
            yield Chain(checkpoint, receipts.iterate_receipts(connection, chain))
    except SQLAlchemyError as error:
        raise engines.explain(url, error) from error
    finally:
        engine.dispose()


class ReceiptKeysCheck:
    """Fills the port `Check` for the keys of receipts: there, private, and of the chain that is stored."""

    subject = "receipts' keys"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def run(self) -> AsyncIterator[Finding]:
        """Yield the finding; it shows nothing of the keys."""
        yield await asyncio.to_thread(self._look)

    def _look(self) -> Finding:
        file, stored = receipt_key_file(self._settings), self._newest()
        try:
            keys = ReceiptKeys.read(file)
        except FileNotFoundError:
            if stored is None:
                return doubtful(self.subject, f"{file} does not exist", "made on the first start")
            return failed(self.subject, f"{file} does not exist, and there are receipts", LOST)
        except KeyFileError as error:
            return failed(self.subject, str(error), f"chmod 600 {file}, or {LOST}")
        except OSError as error:
            fix = "look as the daemon's user, whose file it must be"
            return failed(self.subject, f"{file} cannot be read: {error.strerror}", fix)
        if stored is not None and stored.chain != keys.chain:
            text = f"{file} is of the chain {keys.chain}; the newest receipt is of {stored.chain}"
            return failed(self.subject, text, LOST)
        if stored is not None and not any(keys.proves(key_id, stored.sealed) for key_id in keys.publics):
            return failed(self.subject, f"{file} has not the key that signed the newest receipt", LOST)
        return passed(self.subject, f"{file}: of the chain {keys.chain}; see that its backup is kept apart")

    def _newest(self) -> receipts.Newest | None:
        database = self._settings.storage.database
        # Its own check reports a database that is missing or cannot be read.
        with suppress(SQLAlchemyError, StoreError):
            engine = engines.connect_readers(engines.locate(database))
            try:
                with engine.connect() as connection:
                    return receipts.find_newest(connection)
            finally:
                engine.dispose()
        return None
