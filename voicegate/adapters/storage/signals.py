"""What controllers on one PostgreSQL database tell each other, by NOTIFY and LISTEN.

Two connections of their own, without transactions: one listens, one tells. While the server is away, signals
are dropped: whoever waits for them looks into the tables too. Source: the PostgreSQL 15 manual, NOTIFY.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy import URL

from voicegate.adapters.storage import engines, postgresql
from voicegate.application.change_notifier import Signal, SignalKind

log = structlog.get_logger(__name__)

CHANNEL: Final = "voicegate"
_RETRY: Final = timedelta(seconds=1)
_MOST_WAITING: Final = 1000
"""Signals that wait to be sent; above, none is added."""
# One statement for all that wait. Of equal ones the server tells one only if they are in one transaction.
_TELL: Final = "SELECT pg_notify(%s, word) FROM unnest(%s::text[]) AS word"

Receive = Callable[[Signal], Awaitable[None]]
"""Does what a signal asks for."""
Work = Callable[[Any, Receive], Awaitable[None]]
"""Uses a connection until it is lost."""


class Signals:
    """Tells other controllers, and hears them while `running`."""

    def __init__(self, location: str, controller: str) -> None:
        self._url = postgresql.with_name(engines.locate(location), controller)
        self._own = controller
        self._waiting: dict[Signal, None] = {}
        self._has_some = asyncio.Event()

    def tell(self, signal: Signal) -> None:
        """Tell all other controllers. Does not wait, and may be lost."""
        if len(self._waiting) < _MOST_WAITING:
            self._waiting[signal] = None
            self._has_some.set()

    @asynccontextmanager
    async def running(self, receive: Receive) -> AsyncIterator[None]:
        """Send signals, and pass those of others to `receive`, while the context lasts."""
        tasks = [
            asyncio.create_task(self._keep(self._listen, receive), name="signals heard"),
            asyncio.create_task(self._keep(self._send, receive), name="signals told"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, work: Work, receive: Receive) -> None:
        """Do `work` on a connection, and again on another one when that is lost. Runs as a task."""
        is_lost = False
        while True:
            try:
                connection = await _connect(self._url)
                if is_lost:
                    log.info("signals between controllers work again")
                is_lost = False
                async with connection:
                    await work(connection, receive)
            except Exception as error:  # noqa: BLE001 - a task's root: whatever it is, the next may fare better
                if not is_lost:
                    log.warning("signals between controllers interrupted", error=_first_line(error))
                is_lost = True
            await asyncio.sleep(_RETRY.total_seconds())

    async def _listen(self, connection: Any, receive: Receive) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        async for notification in connection.notifies():
            sender, _, rest = notification.payload.partition(" ")
            # The server tells who told it, too.
            if sender != self._own and (signal := _read(rest)) is not None:
                await receive(signal)

    async def _send(self, connection: Any, _receive: Receive) -> None:
        while True:
            await self._has_some.wait()
            self._has_some.clear()
            # What cannot be sent is lost: sent later, it would tell of what everybody has looked up by then.
            told, self._waiting = list(self._waiting), {}
            words = [f"{self._own} {signal.kind} {signal.challenge_id}" for signal in told]
            await connection.execute(_TELL, (CHANNEL, words))


async def _connect(url: URL) -> Any:
    # Here, for SQLite does without the driver.
    from psycopg import AsyncConnection  # noqa: PLC0415

    _, arguments = url.get_dialect()().create_connect_args(url)
    return await AsyncConnection.connect(**{**postgresql.LIBPQ, **arguments}, autocommit=True)


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def _read(word: str) -> Signal | None:
    """Return the signal of a word; None: another version's, which is not known here."""
    kind, _, challenge_id = word.partition(" ")
    try:
        return Signal(SignalKind(kind), challenge_id)
    except ValueError:
        return None
