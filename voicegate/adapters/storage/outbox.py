"""The outbox's rows: messages to webhooks, claimed by who sends them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from voicegate.adapters.storage.tables import IS_PENDING, outbox
from voicegate.application.outbox import Claim, Message, MessageFilter, Replaying, StoredMessage
from voicegate.domain.webhook import MessageState


def add_messages(connection: Connection, messages: Sequence[Message]) -> None:
    """Store new messages; one that is stored already stays as it is."""
    if not messages:
        return
    # Both databases have the same INSERT ... ON CONFLICT; SQLAlchemy has it only in its dialects. There may
    # be a conflict when a commit's answer was lost, and the call's end is recorded again.
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(outbox).on_conflict_do_nothing(), [_row(message) for message in messages])


def claim_messages(connection: Connection, claim: Claim) -> Sequence[StoredMessage]:
    """Take messages that are due; the longest due first."""
    is_due = or_(outbox.c.next_at <= claim.now, outbox.c.next_at > claim.latest)
    due = select(outbox.c.id).where(IS_PENDING, outbox.c.webhook == claim.webhook, is_due)
    # PostgreSQL: what another controller takes at this moment is left to it. SQLite has one writer.
    due = due.order_by(outbox.c.next_at).limit(claim.limit).with_for_update(skip_locked=True)
    taken = update(outbox).where(outbox.c.id.in_(due)).values(next_at=claim.until).returning(outbox)
    rows = connection.execute(taken).mappings().all()
    return [_stored(row) for row in sorted(rows, key=lambda row: (row["created_at"], row["id"]))]


def settle_message(connection: Connection, message: StoredMessage) -> None:
    """Store what a try came to."""
    settled = {
        "state": str(message.state),
        "tries": message.tries,
        "next_at": message.next_at,
        "status": message.status,
        "error": message.error,
    }
    # Still pending: one that was replayed meanwhile is, too, and then is sent once more.
    connection.execute(update(outbox).where(outbox.c.id == message.message.id).values(**settled))


def replay_messages(connection: Connection, replay: Replaying) -> int:
    """Let messages be sent again, as if they were new; return how many."""
    which = [outbox.c.webhook == replay.webhook]
    if replay.message_id is None:
        which.append(outbox.c.state == str(MessageState.GIVEN_UP))
    else:
        which.append(outbox.c.id == replay.message_id)
    again = {
        "state": str(MessageState.PENDING),
        "tries": 0,
        "next_at": replay.now,
        "give_up_at": replay.give_up_at,
    }
    return connection.execute(update(outbox).where(*which).values(**again)).rowcount


def find_messages(connection: Connection, wanted: MessageFilter, *, limit: int) -> Sequence[StoredMessage]:
    """Return the messages that match, newest first, at most `limit`."""
    newest = select(outbox).order_by(outbox.c.created_at.desc(), outbox.c.id.desc()).limit(limit)
    if wanted.webhook is not None:
        newest = newest.where(outbox.c.webhook == wanted.webhook)
    if wanted.state is not None:
        newest = newest.where(outbox.c.state == str(wanted.state))
    return [_stored(row) for row in connection.execute(newest).mappings()]


def count_messages(connection: Connection) -> Mapping[tuple[str, MessageState], int]:
    """Return how many messages of each webhook are in each state."""
    each = select(outbox.c.webhook, outbox.c.state, func.count().label("messages"))
    found = connection.execute(each.group_by(outbox.c.webhook, outbox.c.state))
    return {(row.webhook, MessageState(row.state)): row.messages for row in found}


def find_next_at(connection: Connection, webhook: str) -> datetime | None:
    """Return when a webhook's next message is due; None: none is pending."""
    pending = select(func.min(outbox.c.next_at)).where(IS_PENDING, outbox.c.webhook == webhook)
    found: datetime | None = connection.execute(pending).scalar_one()
    return found


def _row(message: Message) -> dict[str, object]:
    return {
        "id": message.id,
        "webhook": message.webhook,
        "type": message.type,
        "created_at": message.at,
        "body": message.body,
        "give_up_at": message.give_up_at,
        "state": str(MessageState.PENDING),
        "tries": 0,
        "next_at": message.at,
    }


def _stored(row: RowMapping) -> StoredMessage:
    message = Message(
        id=row["id"],
        webhook=row["webhook"],
        type=row["type"],
        at=row["created_at"],
        body=row["body"],
        give_up_at=row["give_up_at"],
    )
    return StoredMessage(
        message,
        state=MessageState(row["state"]),
        tries=row["tries"],
        next_at=row["next_at"],
        status=row["status"],
        error=row["error"],
    )
