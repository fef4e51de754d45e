"""The rows of wrong guesses."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Final

from sqlalchemy import Connection, bindparam, func, insert, select

from voicegate.adapters.storage.prepared import Prepared
from voicegate.adapters.storage.tables import wrong_guesses
from voicegate.application.store_port import WrongGuess

_COUNT: Final = Prepared(
    select(func.count().label("count")).where(
        wrong_guesses.c.client == bindparam("of_client"), wrong_guesses.c.at > bindparam("since")
    )
)
_ADD: Final = Prepared(insert(wrong_guesses).inline())


def add(connection: Connection, guess: WrongGuess) -> None:
    """Store a wrong guess."""
    row = {"at": guess.at, "client": guess.client, "subscriber": guess.subscriber, "bucket": guess.bucket}
    _ADD.run(connection, row)


def find(
    connection: Connection, since: datetime, wanted: Mapping[str, str | None], *, limit: int
) -> Sequence[datetime]:
    """Return the times of the newest wrong guesses after `since`, newest first, at most `limit`.

    `wanted`: what their columns must be; None: anything.
    """
    given = {name: value for name, value in wanted.items() if value is not None}
    values = {"since": since, "most": limit, **{f"of_{name}": value for name, value in given.items()}}
    return [row["at"] for row in _newest(*given).all(connection, values)]


def count(connection: Connection, since: datetime, *, client: str) -> int:
    """Return how many wrong guesses were made after `since` at codes of a client."""
    found: int = _COUNT.one(connection, {"of_client": client, "since": since})["count"]
    return found


# One for each set of columns that policy asks by: a person, a telephone, a client.
@cache
def _newest(*columns: str) -> Prepared:
    given = [wrong_guesses.c[name] == bindparam(f"of_{name}") for name in columns]
    newest = select(wrong_guesses.c.at).where(wrong_guesses.c.at > bindparam("since"), *given)
    return Prepared(newest.order_by(wrong_guesses.c.at.desc()).limit(bindparam("most")))
