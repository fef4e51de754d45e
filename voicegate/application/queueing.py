"""Which calls are placed now and which must wait: by the limits of each trunk and of all calls together.

Clients take turns: a client that asks for many calls makes the others wait for one of them, not for all. A
queued call has not begun: no telephone rings. A call that waits too long ends. Whether a telephone may be
called at all is decided by `policy`.
"""

import asyncio
import math
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from voicegate.application.lines import LineCaps
from voicegate.domain.routing import Trunk

RETRY_AFTER: Final = timedelta(seconds=10)
"""When to ask again if the queue is full: many calls run at a time, and each takes about half a minute."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """How many calls there may be at a time. Each trunk has its own limit too."""

    in_progress: int = 100
    """Calls in progress, over all trunks."""
    queued: int = 200
    """Calls in the queue. A client that has none there may always add one."""
    queue_timeout: timedelta = timedelta(seconds=30)
    """How long a call may wait in the queue."""
    failover: timedelta = timedelta(seconds=45)
    """From the start of a challenge's first call, how long another trunk may be tried; 0: none is."""


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How many calls there are now."""

    in_progress: Mapping[str, int]
    """Calls in progress, by trunk."""
    queued: int
    """Calls in the queue."""


@dataclass(frozen=True, slots=True, eq=False)
class QueueTicket:
    """The place of a call: it has a line, is in the queue, or was refused."""

    trunk: Trunk
    """The trunk whose line it needs."""
    client: str
    """Who asked for the call."""
    turn: asyncio.Future[bool]
    """Done when it is decided: True: it has a line; False: refused."""
    until: float = math.inf
    """How long it may wait, as a time of the loop's clock, in seconds."""
    entered_at: float = 0.0
    """Since when it waits, as a time of that clock."""


class CallQueue:
    """Gives lines to calls; used by one event loop."""

    def __init__(self, limits: CallLimits) -> None:
        self._limits = limits
        # Those of a reload; a ticket holds its trunk as it was.
        self._trunks: dict[str, Trunk] = {}
        self._in_progress: Counter[str] = Counter()
        # The client that was served last is at the end.
        self._clients: OrderedDict[str, deque[QueueTicket]] = OrderedDict()
        # The same by trunk, because to look for a free line at each of thousands that wait takes too long.
        self._waiting: dict[str, set[QueueTicket]] = {}
        self._queued = 0
        # When a trunk that has a pace was last given a call, and what serves those who wait for it.
        self._given_at: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        # What other controllers have, and the trunks of which no line was left when one was last asked for.
        self._elsewhere: Mapping[str, int] = {}
        self._exhausted: set[str] = set()
        self.is_waited_in = asyncio.Event()
        """Set while calls are queued."""

    def is_full_for(self, client: str) -> bool:
        """Return whether another call of this client would find no place in the queue. Safe in any thread."""
        return client in self._clients and self._queued >= self._limits.queued

    def occupancy(self) -> Occupancy:
        """Return how many calls there are now. Safe in any thread."""
        return Occupancy(dict(self._in_progress), self._queued)

    def take_trunks(self, trunks: Sequence[Trunk]) -> None:
        """Use the limits of these trunks from now on, for the calls in the queue too."""
        self._trunks = {trunk.name: trunk for trunk in trunks}
        self._serve()

    def caps_of(self, trunk: Trunk) -> LineCaps:
        """Return the limits that hold for a call by a trunk now."""
        current = self._current(trunk)
        return LineCaps(current.max_calls, self._limits.in_progress, current.max_calls_per_second)

    def enter(self, trunk: Trunk, client: str, *, until: float = math.inf) -> QueueTicket:
        """Return the place of a call, for `line`; does not wait.

        `until`: how long the call may wait, as a time of the loop's clock, in seconds.
        """
        loop = asyncio.get_running_loop()
        ticket = QueueTicket(trunk, client, loop.create_future(), until, loop.time())
        self._serve()  # nobody overtakes those for whom a trunk's pace has just made room
        if trunk.is_test:
            ticket.turn.set_result(True)
        elif self._has_room(trunk):
            self._give(ticket)
        elif self.is_full_for(client):
            ticket.turn.set_result(False)
        else:
            self._clients.setdefault(client, deque()).append(ticket)
            self._count(ticket)
            self._arm()
            self.is_waited_in.set()
        return ticket

    def enter_again(self, refused: QueueTicket) -> QueueTicket:
        """Return the place of a call that was given a line which another controller has: before all others of
        its client."""
        ticket = replace(refused, turn=asyncio.get_running_loop().create_future())
        self._clients.setdefault(ticket.client, deque()).appendleft(ticket)
        self._clients.move_to_end(ticket.client, last=False)
        self._count(ticket)
        self.is_waited_in.set()
        self._serve()
        return ticket

    def note_refusal(self, trunk: Trunk, retry_after: timedelta | None) -> None:
        """Give no lines of a trunk until its pace allows it (`retry_after`), or until `note_others`."""
        pace = self._current(trunk).max_calls_per_second
        if retry_after is None or not pace:
            self._exhausted.add(trunk.name)
            return
        due = asyncio.get_running_loop().time() + retry_after.total_seconds()
        self._given_at[trunk.name] = due - 1 / pace

    def note_others(self, in_progress: Mapping[str, int]) -> None:
        """Count the calls of other controllers too, by trunk, and give what lines are left."""
        self._elsewhere = in_progress
        self._exhausted.clear()
        self._serve()
        if not self._queued:
            # Until one is queued again, nobody looks: then the database alone decides.
            self._elsewhere = {}
            self.is_waited_in.clear()

    @asynccontextmanager
    async def line(self, ticket: QueueTicket, given_up: asyncio.Event) -> AsyncIterator[bool]:
        """Hold a line while the context lasts; False: none was free in time, or `given_up` was set.

        Waits for the client's turn until `given_up` is set or the time in the queue is over.
        """
        try:
            has_line = await self._wait(ticket, given_up)
            yield has_line and asyncio.get_running_loop().time() <= ticket.until
        finally:
            if not ticket.turn.done():
                self._leave(ticket)
            elif ticket.turn.result() and not ticket.trunk.is_test:
                self._in_progress[ticket.trunk.name] -= 1
                self._serve()

    async def _wait(self, ticket: QueueTicket, given_up: asyncio.Event) -> bool:
        if not ticket.turn.done():
            giving_up = asyncio.ensure_future(given_up.wait())
            latest = min(ticket.until, ticket.entered_at + self._limits.queue_timeout.total_seconds())
            timeout = max(latest - asyncio.get_running_loop().time(), 0)
            try:
                await asyncio.wait(
                    (ticket.turn, giving_up), timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                giving_up.cancel()
        return ticket.turn.done() and ticket.turn.result()

    def _give(self, ticket: QueueTicket) -> None:
        self._in_progress[ticket.trunk.name] += 1
        if self._trunks.get(ticket.trunk.name, ticket.trunk).max_calls_per_second:
            self._given_at[ticket.trunk.name] = asyncio.get_running_loop().time()
        ticket.turn.set_result(True)

    def _count(self, ticket: QueueTicket) -> None:
        self._waiting.setdefault(ticket.trunk.name, set()).add(ticket)
        self._queued += 1

    def _leave(self, ticket: QueueTicket) -> None:
        queue, alike = self._clients[ticket.client], self._waiting[ticket.trunk.name]
        queue.remove(ticket)
        alike.remove(ticket)
        self._queued -= 1
        if not queue:
            del self._clients[ticket.client]
        if not alike:
            del self._waiting[ticket.trunk.name]

    def _serve(self) -> None:
        """Give every free line to the client whose turn it is."""
        while (ticket := self._next()) is not None:
            self._clients.move_to_end(ticket.client)
            self._leave(ticket)
            self._give(ticket)
        self._arm()

    def _arm(self) -> None:
        """Serve again once a trunk's pace makes room for one of those that wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [self._due_at(trunk) for trunk in self._wanted() if self._has_line(trunk)]
        if due:
            self._timer = asyncio.get_running_loop().call_at(min(due), self._serve)

    def _next(self) -> QueueTicket | None:
        free = {trunk.name for trunk in self._wanted() if self._has_room(trunk)}
        if not free:
            return None
        waiting = (ticket for queue in self._clients.values() for ticket in queue)
        return next((ticket for ticket in waiting if ticket.trunk.name in free), None)

    def _wanted(self) -> Iterator[Trunk]:
        """Yield each trunk that calls wait for, once."""
        return (next(iter(alike)).trunk for alike in self._waiting.values())

    def _has_room(self, trunk: Trunk) -> bool:
        return self._has_line(trunk) and self._due_at(trunk) <= asyncio.get_running_loop().time()

    def _due_at(self, trunk: Trunk) -> float:
        """Return when a trunk's pace allows the next call, by the loop's clock."""
        pace = self._current(trunk).max_calls_per_second
        if not pace or trunk.name not in self._given_at:
            return 0.0
        return self._given_at[trunk.name] + 1 / pace

    def _has_line(self, trunk: Trunk) -> bool:
        if trunk.name in self._exhausted:
            return False
        of_trunk = self._in_progress[trunk.name] + self._elsewhere.get(trunk.name, 0)
        of_all = self._in_progress.total() + sum(self._elsewhere.values())
        return of_trunk < self._current(trunk).max_calls and of_all < self._limits.in_progress

    def _current(self, trunk: Trunk) -> Trunk:
        return self._trunks.get(trunk.name, trunk)
