"""Limits the requests in progress: a request that cannot be answered in time is refused at once, before it
reaches the store.

The server is overloaded if a request would wait too long for the store, by the number of writes before it and
their recent duration; or if the event loop was late without a break for half a second. So a single stall of
the machine refuses nobody, and under a flood the accepted requests are still answered in time. In overload,
and when too many requests are in progress, each client has one request at a time, so that a client's flood
refuses its own requests and no others; the requests of browsers on people's pages count for their address. A
slow store refuses writes only, because reads do not wait for writers. A request is not in progress while it
waits for its client (the rest of a body) or in a long poll.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from voicegate.adapters.http import problems
from voicegate.adapters.http.problems import Facts, Refused

MAX_UNDER_WAY: Final = 200
STORE_WAIT_S: Final = 0.6
"""The longest time that a write may wait for those before it, if its door has no deadline of its own."""
LOOP_LATE_S: Final = 0.1
"""How late the event loop may be. An answer takes several rounds of it."""
LOOP_LATE_FOR_S: Final = 0.5
"""How long it may be late without a break."""
_PROBE_EVERY_S: Final = 0.1
_RETRY_S: Final = 1.0

Delay = Callable[[int], float]
"""How long a write that came now would wait behind at least so many others, in seconds."""


class Load:
    """Counts the requests in progress, and measures whether the event loop is on time."""

    def __init__(
        self, store_delay: Delay = lambda _ahead: 0.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store_delay = store_delay
        self._monotonic = monotonic
        self._under_way: Counter[str] = Counter()
        self._count = self._writing = 0
        self._due = math.inf
        self._behind_since: float | None = None
        self._probe: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start measuring."""
        self.look()
        self._probe = asyncio.get_running_loop().call_later(_PROBE_EVERY_S, self.start)

    def stop(self) -> None:
        """End measuring."""
        if self._probe is not None:
            self._probe.cancel()

    def look(self) -> None:
        """Measure how late the loop runs this, which it should do every tenth of a second."""
        now = self._monotonic()
        if now - self._due <= LOOP_LATE_S:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = self._due
        self._due = now + _PROBE_EVERY_S

    def came_at(self) -> float:
        """Return the earliest time at which bytes read now may have arrived, which a socket does not tell:
        now, if the loop is on time; else when it should have looked."""
        return min(self._monotonic(), self._due)

    def enter(self, client: str, *, writes: bool, wait_s: float = STORE_WAIT_S) -> None:
        """Count a client's request as in progress; if it writes, it may wait for the store for so many
        seconds.

        Raises:
            Refused: the server is overloaded.
        """
        if self._under_way[client] and self._is_full(writes=writes, wait_s=wait_s):
            raise Refused(problems.OVERLOADED, facts=Facts(retry_after_s=_RETRY_S))
        self._count += 1
        self._writing += writes
        self._under_way[client] += 1

    def leave(self, client: str, *, writes: bool) -> None:
        """Stop counting a request."""
        self._count -= 1
        self._writing -= writes
        self._under_way -= Counter({client: 1})

    def _is_full(self, *, writes: bool, wait_s: float) -> bool:
        # Requests that were just accepted may not have reached the store yet.
        is_late = writes and self._store_delay(self._writing) > wait_s
        return is_late or self._is_behind() or self._count >= MAX_UNDER_WAY

    def _is_behind(self) -> bool:
        return self._behind_since is not None and self._monotonic() - self._behind_since > LOOP_LATE_FOR_S


@dataclass(slots=True)
class Turn:
    """One request's place among those in progress."""

    load: Load
    """All requests in progress."""
    client: str
    """The client."""
    writes: bool
    """May it change what is stored?"""
    wait_s: float
    """How long it may wait for the store, in seconds."""
    is_under_way: bool = False
    """Is it counted now?"""

    def begin(self) -> None:
        """Count from now on.

        Raises:
            Refused: the server is overloaded.
        """
        self.load.enter(self.client, writes=self.writes, wait_s=self.wait_s)
        self.is_under_way = True

    def end(self) -> None:
        """Stop counting; may be called twice."""
        if self.is_under_way:
            self.is_under_way = False
            self.load.leave(self.client, writes=self.writes)


TURN: Final = web.RequestKey("turn", Turn)
"""The request's place among those in progress; set in every handler of an operation that needs a key."""


@contextmanager
def waiting_for_client(request: web.Request) -> Iterator[None]:
    """Count a request as in progress only when the client has sent the rest.

    Raises:
        Refused: the server is overloaded by then.
    """
    turn = request.get(TURN)
    if turn is None:
        yield
        return
    turn.end()
    yield
    turn.begin()
