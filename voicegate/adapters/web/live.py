"""A page's call as server-sent events: the changing part of the page, sent at each change.

Each event has the whole part, so that a slow or reconnected browser misses nothing. Source: HTML Living
Standard, 9.2.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from functools import partial
from typing import Final

from aiohttp import web

from voicegate.application.ports import ChallengeRecord
from voicegate.domain.errors import StoreError
from voicegate.domain.page_session import PageSession

HEARTBEAT: Final = timedelta(seconds=15)
_STUCK_S: Final = 30.0

Look = Callable[[int | None, timedelta], Awaitable[ChallengeRecord | None]]
"""Return a challenge once its revision is above the first argument, or the time in the second is over."""
Glance = Callable[[timedelta], Awaitable[ChallengeRecord | None]]
"""Return the challenge once it has changed, or the time is over."""
Wait = Callable[[Glance, timedelta], Awaitable[ChallengeRecord | None]]
"""Return what the first argument returns within a time. Raises `ConnectionResetError` if the browser
disconnected or the server stops."""
GivePlace = Callable[[web.Request, PageSession], AbstractContextManager[Wait]]
"""Return a place for a page's stream among all requests that wait; raises if there is none."""


async def tell(
    response: web.StreamResponse, *, look: Look, show: Callable[[ChallengeRecord], str], wait: Wait
) -> None:
    """Send what `show` makes of each change, until nothing more can happen, the browser disconnects, or the
    server stops."""
    shown = ""
    with suppress(ConnectionError, StoreError, TimeoutError):
        record = await look(None, timedelta())
        while record is not None and not record.is_settled:
            text = show(record)
            await _send(response, ":\n\n" if text == shown else _event(text))
            shown = text
            record = await wait(partial(look, record.revision), HEARTBEAT)
        await _send(response, "event: moved\ndata:\n\n")


async def _send(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(_STUCK_S):
        await response.write(text.encode())


def _event(text: str) -> str:
    return "event: live\n" + "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
