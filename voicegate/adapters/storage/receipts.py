"""The receipts' rows: appended to a chain, and cut off where a checkpoint says so."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from sqlalchemy import Connection, delete, func, insert, select

from voicegate.adapters.storage.receipt_tables import receipt_checkpoints, receipts
from voicegate.application.receipts import Cut, NewReceipt
from voicegate.domain.receipt import Head, Sealed


def add_receipt(connection: Connection, new: NewReceipt) -> None:
    """Store the next receipt of a chain; a call that has one gets no second one."""
    # A call's end is recorded again when the answer to its first commit was lost.
    known = select(receipts.c.seq).where(receipts.c.call_id == new.call_id)
    if connection.execute(known).first() is not None:
        return
    head = find_head(connection, new.chain)
    made = new.make(head)
    row = {"chain": new.chain, "seq": head.seq + 1, "call_id": new.call_id, "at": new.at}
    connection.execute(insert(receipts).values(**row, body=made.body, signature=made.signature))


def cut_receipts(connection: Connection, cut: Cut) -> int:
    """Delete the oldest receipts, and store the checkpoint that says so; return how many."""
    oldest = select(receipts).where(receipts.c.chain == cut.chain).order_by(receipts.c.seq).limit(cut.limit)
    rows = connection.execute(oldest).mappings().all()
    # Up to the first that is kept: after a clock was set back, a later one can have an earlier time.
    old = list(takewhile(lambda row: row["at"] < cut.before, rows))
    if not old:
        return 0
    last = Head(old[-1]["seq"], Sealed(old[-1]["body"], old[-1]["signature"]).digest)
    made = cut.make(last)
    own = (receipts.c.chain == cut.chain, receipts.c.seq <= last.seq)
    connection.execute(delete(receipts).where(*own))
    connection.execute(delete(receipt_checkpoints).where(receipt_checkpoints.c.chain == cut.chain))
    row = {"chain": cut.chain, "seq": last.seq, "digest": last.digest}
    connection.execute(insert(receipt_checkpoints).values(**row, body=made.body, signature=made.signature))
    return len(old)


def count_old(connection: Connection, chain: str, before: datetime) -> int:
    """Return how many receipts of a chain were made before a time."""
    old = select(func.count()).where(receipts.c.chain == chain, receipts.c.at < before)
    return connection.execute(old).scalar_one()


def has_any(connection: Connection) -> bool:
    """Return whether there is any chain."""
    tables = (receipts, receipt_checkpoints)
    return any(connection.execute(select(table.c.chain).limit(1)).first() is not None for table in tables)


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest receipt of all chains, or else the newest checkpoint."""

    chain: str
    """Its chain."""
    sealed: Sealed
    """What was signed."""


def find_newest(connection: Connection) -> Newest | None:
    """Return the newest receipt of all chains; None: there was never one."""
    newest = select(receipts).order_by(receipts.c.at.desc(), receipts.c.seq.desc()).limit(1)
    cut = select(receipt_checkpoints).order_by(receipt_checkpoints.c.seq.desc()).limit(1)
    for wanted in (newest, cut):
        row = connection.execute(wanted).mappings().one_or_none()
        if row is not None:
            return Newest(row["chain"], Sealed(row["body"], row["signature"]))
    return None


def find_head(connection: Connection, chain: str) -> Head:
    """Return the end of a chain: its newest receipt, or else where it was cut."""
    newest = select(receipts).where(receipts.c.chain == chain).order_by(receipts.c.seq.desc()).limit(1)
    row = connection.execute(newest).mappings().one_or_none()
    if row is not None:
        return Head(row["seq"], Sealed(row["body"], row["signature"]).digest)
    cut = select(receipt_checkpoints).where(receipt_checkpoints.c.chain == chain)
    row = connection.execute(cut).mappings().one_or_none()
    return Head() if row is None else Head(row["seq"], row["digest"])


def find_checkpoint(connection: Connection, chain: str) -> Sealed | None:
    """Return the checkpoint of a chain that was cut; None: it was not."""
    cut = select(receipt_checkpoints).where(receipt_checkpoints.c.chain == chain)
    row = connection.execute(cut).mappings().one_or_none()
    return None if row is None else Sealed(row["body"], row["signature"])


def iterate_receipts(connection: Connection, chain: str) -> Iterator[Sealed]:
    """Yield the receipts of a chain, the oldest first; not all in memory at once."""
    own = select(receipts).where(receipts.c.chain == chain).order_by(receipts.c.seq)
    found = connection.execution_options(yield_per=500).execute(own)
    for row in found.mappings():
        yield Sealed(row["body"], row["signature"])
