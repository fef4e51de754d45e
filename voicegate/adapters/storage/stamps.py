"""Stamps that lie in the future, because the clock was set back since they were made.

Compared with the present they would stretch a wait, a code's or a key's life by as much as the clock was set
back. So they are brought back to the present, once; what a record shows of a call stays as it was.
"""

from datetime import datetime

from sqlalchemy import Connection, func, select, update

from voicegate.adapters.storage.rows import key_of, key_row
from voicegate.adapters.storage.tables import (
    IS_OPEN,
    calls,
    challenges,
    client_keys,
    counted_at,
    wrong_guesses,
)


def set_back_counted(connection: Connection, now: datetime) -> None:
    """Let calls and wrong guesses of the future count as made now."""
    connection.execute(update(wrong_guesses).where(wrong_guesses.c.at > now).values(at=now))
    future = (calls.c.created_at > now, counted_at > now)
    connection.execute(update(calls).where(*future).values(counted_at=now))


def set_back_challenges(connection: Connection, now: datetime) -> None:
    """Let open challenges of the future be issued before now, in the order that they have, with their whole
    lives before them."""
    future = (IS_OPEN, challenges.c.issued_at > now)
    newest = connection.execute(select(func.max(challenges.c.issued_at)).where(*future)).scalar_one()
    if newest is None:
        return
    wanted = select(challenges.c.id, challenges.c.issued_at, challenges.c.expires_at).where(*future)
    for row in connection.execute(wanted).all():
        shift = newest - now
        moved = {"issued_at": row.issued_at - shift, "expires_at": row.expires_at - shift}
        moved["revision"] = challenges.c.revision + 1
        connection.execute(update(challenges).where(challenges.c.id == row.id).values(**moved))


def end_keys(connection: Connection, now: datetime) -> None:
    """Let keys that are over forget their digests, and graces of the future begin again from now."""
    ending = select(client_keys).where(client_keys.c.expires_at.is_not(None), client_keys.c.digest != b"")
    for row in connection.execute(ending).mappings().all():
        key = key_of(row)
        if (after := key.as_of(now)) != key:
            connection.execute(update(client_keys).where(client_keys.c.id == key.id).values(**key_row(after)))
