"""Receipts as the settings say, and the chain of a database that no daemon need serve."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from voicegate.adapters.keyfile.receipt_keys import ReceiptKeys
from voicegate.adapters.storage import engines, receipts
from voicegate.config import Settings
from voicegate.domain.errors import StoreError
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
    engine = engines.connect_readers(engines.locate(settings.storage.database))
    try:
        # One transaction: what the daemon adds or cuts off meanwhile is not seen.
        with engine.connect() as connection, connection.begin():
            checkpoint = receipts.find_checkpoint(connection, chain)
            yield Chain(checkpoint, receipts.iterate_receipts(connection, chain))
    except SQLAlchemyError as error:
        raise StoreError(f"{settings.storage.database}: {str(error).splitlines()[0]}") from error
    finally:
        engine.dispose()
