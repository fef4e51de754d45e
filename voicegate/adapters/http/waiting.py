"""Requests that wait for news: long polls and event streams.

They are counted apart from all others, and each client's own, so that however many people watch, and
whoever they belong to, connections are left for the rest. A wait ends with its verification's news, its
time, its connection, the server, and with the key that it was asked with: keys are looked at again every
second, so that a revoked one hears nothing more, whichever controller it was revoked at.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeVar

from aiohttp import web

from voicegate.adapters.http import problems
from voicegate.adapters.http.doors import CREDENTIALS, PRINCIPAL, Credentials
from voicegate.adapters.http.overload import TURN
from voicegate.adapters.http.problems import Facts, Refused
from voicegate.adapters.http.protocol import protocol_of
from voicegate.domain.errors import StoreError

T = TypeVar("T")

RECHECK_S: Final = 1.0
_RETRY_FULL_S: Final = 5.0

IsValid = Callable[[Credentials], Awaitable[bool]]
"""Does a key still stand for its client?"""


@dataclass(frozen=True, slots=True)
class WaitingLimits:
    """How many requests may wait."""

    total: int = 1000
    """At once."""
    per_client: int = 750
    """Of one client."""


@dataclass(slots=True, eq=False)
class WaitSlot:
    """One request that waits, now or between two pieces of news."""

    client: str
    """Whose it is."""
    credentials: Credentials | None
    """What it was asked with; None: a Unix user, who stays one."""
    cutoff: asyncio.Timeout | None = None
    """Ends the present wait; None: there is none."""
    is_revoked: bool = False
    """Is its key worth nothing any more?"""
    is_gone: bool = False
    """Is its connection lost?"""

    def wake(self) -> None:
        """End the present wait at once."""
        # A timeout that has struck already cannot be moved.
        with suppress(RuntimeError):
            if self.cutoff is not None:
                self.cutoff.reschedule(asyncio.get_running_loop().time())

    def leave(self) -> None:
        """Note that the connection is lost."""
        self.is_gone = True
        self.wake()


@dataclass(slots=True)
class Waiters:
    """All requests that wait; they are answered at once when the server stops."""

    is_valid: IsValid
    """How to look at a key again."""
    limits: WaitingLimits = field(default_factory=WaitingLimits)
    """How many there may be."""
    is_closed: bool = False
    """Is the server stopping?"""
    _places: set[WaitSlot] = field(default_factory=set)
    _clients: Counter[str] = field(default_factory=Counter)
    _watch: asyncio.Task[None] | None = None

    @contextmanager
    def place(self, request: web.Request) -> Iterator[WaitSlot]:
        """Give a request its place among those who wait.

        Raises:
            Refused: there are too many, or too many of its client.
        """
        client, protocol = request[PRINCIPAL].name, protocol_of(request)
        if len(self._places) >= self.limits.total or self._clients[client] >= self.limits.per_client:
            raise Refused(problems.TOO_MANY_WAITING, facts=Facts(retry_after_s=_RETRY_FULL_S))
        request[TURN].end()
        place = WaitSlot(client, request.get(CREDENTIALS))
        self._places.add(place)
        self._clients[client] += 1
        protocol.departures.add(place.leave)
        if place.credentials is not None and self._watch is None:
            self._watch = asyncio.create_task(self._watch_keys(), name="keys of those who wait")
        try:
            yield place
        finally:
            protocol.departures.discard(place.leave)
            self._places.discard(place)
            self._clients -= Counter({client: 1})

    async def news(self, place: WaitSlot, look: Callable[[timedelta], Awaitable[T]], wait: timedelta) -> T:
        """Return what `look` sees, waiting at most `wait` for news, or until the server stops.

        Raises:
            Refused: the key was revoked or rotated away.
            ConnectionResetError: the connection is lost.
        """
        try:
            async with asyncio.timeout(None) as place.cutoff:
                if not self.is_closed:
                    return await look(wait)
        except TimeoutError:
            pass
        finally:
            place.cutoff = None
        if place.is_gone:
            raise ConnectionResetError("nobody waits any more")
        if place.is_revoked:
            raise Refused(problems.KEY_WRONG)
        return await look(timedelta())

    def close(self) -> None:
        """Answer everyone who waits."""
        self.is_closed = True
        if self._watch is not None:
            self._watch.cancel()
        for place in self._places:
            place.wake()

    async def _watch_keys(self) -> None:
        try:
            while self._places:
                await asyncio.sleep(RECHECK_S)
                await self._look_at_keys()
        finally:
            self._watch = None

    async def _look_at_keys(self) -> None:
        for credentials in {place.credentials for place in self._places if place.credentials is not None}:
            try:
                is_valid = await self.is_valid(credentials)
            except StoreError:
                continue  # it says nothing about the key
            for place in [] if is_valid else list(self._places):
                if place.credentials == credentials:
                    place.is_revoked = True
                    place.wake()
