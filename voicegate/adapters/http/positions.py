"""Where a page of calls ended, as the text that asks for the next one: the last call's time and its id."""

from datetime import UTC, datetime, timedelta
from typing import Final

from voicegate.application.listing import Position

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def write_position(position: Position) -> str:
    """Return a position as text."""
    return f"{(position.created_at - _EPOCH) // _MICROSECOND}-{position.id}"


def read_position(text: str) -> Position:
    """Return the position that a text means.

    Raises:
        ValueError: it means none.
    """
    moment, _, call_id = text.partition("-")
    if not moment.isdecimal() or not moment.isascii() or not call_id or "\0" in text:
        raise ValueError("it is no page's `next`")
    try:
        return Position(_EPOCH + int(moment) * _MICROSECOND, call_id)
    except OverflowError:
        raise ValueError("it is no page's `next`") from None
