"""Times that lie in the future, because the clock was set back after they were stored.

A wait, or the life of a code or an API key, would last longer by as much as the clock was set back. So such
times are changed to now, once. The times that a call's record shows stay as they were.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.sql.expression import BindParameter

from voicegate.adapters.storage.prepared import Prepared
from voicegate.adapters.storage.rows import key_of, key_row
from voicegate.adapters.storage.tables import (
    IS_OPEN,
    calls,
    challenges,
    client_keys,
    counted_at,
    wrong_guesses,
)
from voicegate.adapters.storage.utc_time import UtcDateTime

_NOW: Final[BindParameter[datetime]] = bindparam("this_moment", type_=UtcDateTime())
_SET_GUESSES_BACK: Final = Prepared(update(wrong_guesses).where(wrong_guesses.c.at > _NOW).values(at=_NOW))
_SET_CALLS_BACK: Final = Prepared(
    # `created_at` too, though `counted_at` decides: it has the index, and COALESCE has none.
    update(calls).where(calls.c.created_at > _NOW, counted_at > _NOW).values(counted_at=_NOW)
)


def set_back_counted(connection: Connection, now: datetime) -> None:
    """Count calls and wrong guesses with a time in the future as made now."""
    for statement in (_SET_GUESSES_BACK, _SET_CALLS_BACK):
        statement.run(connection, {"this_moment": now})


def set_back_challenges(connection: Connection, now: datetime) -> None:
    """Let open challenges that were issued in the future be issued by now; order and lifetimes stay."""
    future = (IS_OPEN, challenges.c.issued_at > now)
    newest = connection.execute(select(func.max(challenges.c.issued_at)).where(*future)).scalar_one()
    if newest is None:
        return
    wanted = select(challenges.c.id, challenges.c.issued_at, challenges.c.expires_at).where(*future)
    for row in connection.execute(wanted).all():
        # All by the same shift: which of a factor's challenges is the newest must not change.
        shift = newest - now
        moved = {"issued_at": row.issued_at - shift, "expires_at": row.expires_at - shift}
        moved["revision"] = challenges.c.revision + 1
        connection.execute(update(challenges).where(challenges.c.id == row.id).values(**moved))


def end_keys(connection: Connection, now: datetime) -> None:
    """Erase the digests of API keys that are over; a grace that began in the future begins now."""
    ending = select(client_keys).where(client_keys.c.expires_at.is_not(None), client_keys.c.digest != b"")
    for row in connection.execute(ending).mappings().all():
        key = key_of(row)
        if (after := key.as_of(now)) != key:
            connection.execute(update(client_keys).where(client_keys.c.id == key.id).values(**key_row(after)))
