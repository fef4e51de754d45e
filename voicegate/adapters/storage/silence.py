"""A database that says nothing: whoever waits for it is told so in time.

A server whose network swallows all, a file on a disk that hangs: neither fails, and a thread that waits for
it cannot be woken. So the threads wait on, and their callers do not.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from voicegate.domain.errors import StoreError, StoreUnsure

T = TypeVar("T")

GRACE: Final = timedelta(seconds=3)
"""How much longer than for a locked database: the writer itself notices that some time late."""


async def answer_of(
    asked: "asyncio.Future[T]", wait: timedelta, give_up: Callable[[], bool] = lambda: True
) -> T:
    """Return what was asked of the database, within `wait` and a little more.

    `give_up`: sees to it that nothing is done any more, and returns whether that is certain.

    Raises:
        StoreError: there was no answer, and nothing is stored.
        StoreUnsure: there was no answer, and something may be stored, now or later.
    """
    # Not a timeout around it, which would cancel what goes on in any case.
    answered, _ = await asyncio.wait((asked,), timeout=(wait + GRACE).total_seconds())
    if answered:
        return asked.result()
    asked.add_done_callback(_forget)
    is_certain = give_up()
    raise (StoreError if is_certain else StoreUnsure)("no answer in time")


def _forget(asked: "asyncio.Future[T]") -> None:
    """Take an answer that nobody waits for, so that asyncio does not complain of it."""
    if not asked.cancelled():
        asked.exception()
