"""How much may be under way at once: what cannot be answered in time is refused at once, before the store.

Late is the store when its oldest write has waited for a fifth of a second, and the event loop when it has
lagged by half a second for three looks at it in a row. Then, and when too many requests are under way, each
client has one at a time, so that one client's flood refuses its own requests and no other's. A late store
refuses what writes; who only reads does not wait for writers. A request is not under way while its client
is waited for: for the rest of a body, or in a long poll.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from voicegate.adapters.http import problems
from voicegate.adapters.http.problems import Facts, Refused

MAX_UNDER_WAY: Final = 200
STORE_LATE_S: Final = 0.2
LOOP_LATE_S: Final = 0.5
_PROBE_EVERY_S: Final = 0.05
_PROBES: Final = 3
_RETRY_S: Final = 1.0

Delay = Callable[[], float]
"""For how long the store has let its oldest write wait by now, in seconds."""


class Load:
    """What is under way, and whether it goes on in time."""

    def __init__(self, store_delay: Delay = lambda: 0.0) -> None:
        self._store_delay = store_delay
        self._under_way: Counter[str] = Counter()
        self._count = 0
        self._lags: deque[float] = deque([0.0], maxlen=_PROBES)
        self._probe: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to measure."""
        self._due = asyncio.get_running_loop().time() + _PROBE_EVERY_S
        self._probe = asyncio.get_running_loop().call_at(self._due, self._measure)

    def stop(self) -> None:
        """End measuring."""
        if self._probe is not None:
            self._probe.cancel()

    def enter(self, client: str, *, writes: bool) -> None:
        """Count a client's request as under way.

        Raises:
            Refused: there is too much of it.
        """
        if self._under_way[client] and self._is_full(writes=writes):
            raise Refused(problems.OVERLOADED, facts=Facts(retry_after_s=_RETRY_S))
        self._count += 1
        self._under_way[client] += 1

    def leave(self, client: str) -> None:
        """Count a request no more."""
        self._count -= 1
        self._under_way -= Counter({client: 1})

    def _is_full(self, *, writes: bool) -> bool:
        is_late = min(self._lags) > LOOP_LATE_S or (writes and self._store_delay() > STORE_LATE_S)
        return is_late or self._count >= MAX_UNDER_WAY

    def _measure(self) -> None:
        self._lags.append(asyncio.get_running_loop().time() - self._due)
        self.start()


@dataclass(slots=True)
class Turn:
    """One request's share of what is under way."""

    load: Load
    """All that is."""
    client: str
    """Whose it is."""
    writes: bool
    """May it change what is stored?"""
    is_under_way: bool = False
    """Does it count now?"""

    def begin(self) -> None:
        """Count from now on.

        Raises:
            Refused: there is too much under way.
        """
        self.load.enter(self.client, writes=self.writes)
        self.is_under_way = True

    def end(self) -> None:
        """Count no more; doing it twice is fine."""
        if self.is_under_way:
            self.is_under_way = False
            self.load.leave(self.client)


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
