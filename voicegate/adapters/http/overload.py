"""How much may be under way at once: what cannot be answered in time is refused at once, before the store.

Too much is what would wait too long for the store, by how many writes are before it and how long each took
of late; and anything while the event loop has been behind without a break for half a second. So one stall of
the machine refuses nobody, and what is accepted of far too much is answered in time all the same. Then, and
when too many requests are under way, each client has one at a time, so that one client's flood refuses its
own requests and no other's. A late store refuses what writes; who only reads does not wait for writers. A
request is not under way while its client is waited for: for the rest of a body, or in a long poll.
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
"""So long a write may have to wait for those before it, where its door has no deadline of its own."""
LOOP_LATE_S: Final = 0.1
"""By so much the loop may be behind. An answer takes some rounds of it."""
LOOP_LATE_FOR_S: Final = 0.5
"""For so long it may be behind without a break."""
_PROBE_EVERY_S: Final = 0.05
_RETRY_S: Final = 1.0

Delay = Callable[[int], float]
"""For how long the store would let a write wait that came now, behind at least so many others, in seconds."""


class Load:
    """What is under way, and whether it goes on in time."""

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
        """Begin to measure."""
        self.look()
        self._probe = asyncio.get_running_loop().call_later(_PROBE_EVERY_S, self.start)

    def stop(self) -> None:
        """End measuring."""
        if self._probe is not None:
            self._probe.cancel()

    def look(self) -> None:
        """Note how late the loop gets to look, which it should do every twentieth of a second."""
        now = self._monotonic()
        if now - self._due <= LOOP_LATE_S:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = self._due
        self._due = now + _PROBE_EVERY_S

    def came_at(self) -> float:
        """Return since when what is read now may have been there, which a socket does not tell: while the
        loop is in time, since now, and else since it should have looked."""
        return min(self._monotonic(), self._due)

    def enter(self, client: str, *, writes: bool, wait_s: float = STORE_WAIT_S) -> None:
        """Count a client's request as under way; if it writes, it may have to wait for so many seconds.

        Raises:
            Refused: there is too much of it.
        """
        if self._under_way[client] and self._is_full(writes=writes, wait_s=wait_s):
            raise Refused(problems.OVERLOADED, facts=Facts(retry_after_s=_RETRY_S))
        self._count += 1
        self._writing += writes
        self._under_way[client] += 1

    def leave(self, client: str, *, writes: bool) -> None:
        """Count a request no more."""
        self._count -= 1
        self._writing -= writes
        self._under_way -= Counter({client: 1})

    def _is_full(self, *, writes: bool, wait_s: float) -> bool:
        # What was let in a moment ago may not have reached the store yet.
        is_late = writes and self._store_delay(self._writing) > wait_s
        return is_late or self._is_behind() or self._count >= MAX_UNDER_WAY

    def _is_behind(self) -> bool:
        return self._behind_since is not None and self._monotonic() - self._behind_since > LOOP_LATE_FOR_S


@dataclass(slots=True)
class Turn:
    """One request's share of what is under way."""

    load: Load
    """All that is."""
    client: str
    """Whose it is."""
    writes: bool
    """May it change what is stored?"""
    wait_s: float
    """For how long it may have to wait for that, in seconds."""
    is_under_way: bool = False
    """Does it count now?"""

    def begin(self) -> None:
        """Count from now on.

        Raises:
            Refused: there is too much under way.
        """
        self.load.enter(self.client, writes=self.writes, wait_s=self.wait_s)
        self.is_under_way = True

    def end(self) -> None:
        """Count no more; doing it twice is fine."""
        if self.is_under_way:
            self.is_under_way = False
            self.load.leave(self.client, writes=self.writes)


TURN: Final = web.RequestKey("turn", Turn)
"""The request's share of what is under way; there in every handler, but for what anybody may ask."""


@contextmanager
def waiting_for_client(request: web.Request) -> Iterator[None]:
    """Count a request as under way only once the client has sent the rest.

    Raises:
        Refused: there is too much under way by then.
    """
    turn = request.get(TURN)
    if turn is None:
        yield
        return
    turn.end()
    yield
    turn.begin()
