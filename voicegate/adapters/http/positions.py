"""The cursor of a page of calls: the last call's time and id, as text."""

from datetime import UTC, datetime, timedelta
from typing import Final

from voicegate.application.listing import Position

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def write_position(position: Position) -> str:
    """Return a position as text."""
    return f"{(position.created_at - _EPOCH) // _MICROSECOND}-{position.id}"


def read_position(text: str) -> Position:
    """Return the position in a cursor.

    Raises:
        ValueError: it is not a cursor.
    """
    moment, _, call_id = text.partition("-")
    if not moment.isdecimal() or not moment.isascii() or not call_id or "\0" in text:
        raise ValueError("it is not the `next` of a page")
    try:
        return Position(_EPOCH + int(moment) * _MICROSECOND, call_id)
    except OverflowError:
        raise ValueError("it is not the `next` of a page") from None
