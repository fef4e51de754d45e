"""Requests that wait for a change: long polls and event streams.

They are counted apart from all other requests, in all and for each client, so that connections are left for
the rest, however many people watch. The streams of people's pages count for the client that sent the person,
and for the page session and the address too, so that one person with one URL takes few of them. A wait ends
with a change of its verification, its time, its connection, the server, or its API key: keys are checked
every second, so that a revoked key receives nothing more, on whichever controller it was revoked.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeVar

from aiohttp import web

from voicegate.adapters.http import problems
from voicegate.adapters.http.doors import ADDRESS, CREDENTIALS, PRINCIPAL, Credentials
from voicegate.adapters.http.overload import TURN
from voicegate.adapters.http.problems import Facts, Refused
from voicegate.adapters.http.protocol import protocol_of
from voicegate.domain.errors import StoreError

T = TypeVar("T")

RECHECK_S: Final = 1.0
_RETRY_FULL_S: Final = 5.0

IsValid = Callable[[Credentials], Awaitable[bool]]
"""Return whether a key is still valid for its client."""


@dataclass(frozen=True, slots=True)
class WaitingLimits:
    """The limits of waiting requests."""

    total: int = 1000
    """At once."""
    per_client: int = 750
    """Of one client."""
    per_address: int = 400
    """Of people's pages, from one address."""
    per_page: int = 6
    """Of one page session: a person's tabs."""


@dataclass(slots=True, eq=False)
class WaitSlot:
    """One request that waits, now or between two changes."""

    credentials: Credentials | None
    """The credentials; None: a Unix user, who cannot be revoked."""
    cutoff: asyncio.Timeout | None = None
    """Ends the present wait; None: it does not wait now."""
    is_revoked: bool = False
    """Was its key revoked?"""
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
    """All waiting requests; they are answered at once when the server stops."""

    is_valid: IsValid
    """Checks a key again."""
    limits: WaitingLimits = field(default_factory=WaitingLimits)
    """The limits."""
    is_closed: bool = False
    """Is the server stopping?"""
    _places: set[WaitSlot] = field(default_factory=set)
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _watch: asyncio.Task[None] | None = None

    @contextmanager
    def place(self, request: web.Request) -> Iterator[WaitSlot]:
        """Give a request its place among the waiting ones.

        Raises:
            Refused: too many requests wait, or too many of its client.
        """
        with self._placed(request, {("client", request[PRINCIPAL].name): self.limits.per_client}) as place:
            yield place

    @contextmanager
    def page_place(self, request: web.Request, *, client: str, page_id: str) -> Iterator[WaitSlot]:
        """Give the stream of a person's page its place among those who wait; `client` sent the person.

        Raises:
            Refused: there are too many, or too many of its client, of its page session or from its address.
        """
        caps = {
            ("client", client): self.limits.per_client,
            ("address", request[ADDRESS]): self.limits.per_address,
            ("page", page_id): self.limits.per_page,
        }
        with self._placed(request, caps) as place:
            yield place

    @contextmanager
    def _placed(self, request: web.Request, caps: Mapping[tuple[str, str], int]) -> Iterator[WaitSlot]:
        is_full = len(self._places) >= self.limits.total
        if is_full or any(self._counts[counted] >= cap for counted, cap in caps.items()):
            raise Refused(problems.TOO_MANY_WAITING, facts=Facts(retry_after_s=_RETRY_FULL_S))
        request[TURN].end()
        place, protocol = WaitSlot(request.get(CREDENTIALS)), protocol_of(request)
        self._places.add(place)
        self._counts.update(caps.keys())
        protocol.departures.add(place.leave)
        if place.credentials is not None and self._watch is None:
            self._watch = asyncio.create_task(self._watch_keys(), name="keys of those who wait")
        try:
            yield place
        finally:
            protocol.departures.discard(place.leave)
            self._places.discard(place)
            self._counts -= Counter(caps.keys())

    async def news(self, place: WaitSlot, look: Callable[[timedelta], Awaitable[T]], wait: timedelta) -> T:
        """Return the result of `look`, which waits at most `wait` for a change, or until the server stops.

        Raises:
            Refused: the key was revoked or replaced.
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
        """Answer all waiting requests."""
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
