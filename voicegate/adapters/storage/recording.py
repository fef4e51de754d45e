"""What is stored of a call in one commit: its state and steps, its challenge's change, and what is told of
it."""

from collections.abc import Callable

from sqlalchemy import Connection

from voicegate.adapters.storage import outbox, receipts
from voicegate.adapters.storage.controllers import refuse_line
from voicegate.adapters.storage.statements import record_call
from voicegate.application.lines import LineCaps, NoLine
from voicegate.application.outbox import Told
from voicegate.application.ports import CallRecord
from voicegate.domain.call import Call
from voicegate.domain.challenge import Challenge


def store_call(
    connection: Connection,
    record: CallRecord,
    *,
    told: Told,
    change: Callable[[Challenge], Challenge] | None = None,
    following: Call | None = None,
) -> None:
    """Store a call as it is now; as `Store.record` does."""
    record_call(connection, record, change=change, following=following)
    outbox.add_messages(connection, told.messages)
    if told.receipt is not None:
        receipts.add_receipt(connection, told.receipt)


def begin_call(connection: Connection, record: CallRecord, *, told: Told, caps: LineCaps) -> NoLine | None:
    """Store that a call begins, unless its line is used; as `Store.begin` does."""
    # In the transaction that marks the call as started: between two, another controller could take the line.
    refused = refuse_line(connection, record.call, caps)
    if refused is None:
        store_call(connection, record, told=told)
    return refused
