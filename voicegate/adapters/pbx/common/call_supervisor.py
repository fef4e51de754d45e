"""One PBX's calls, for every kind of PBX: placed once, watched to their end; calls left behind are hung up.

How a PBX is asked is in the `PbxDriver`, which the supervisor creates; how one call is watched is in
`supervised_leg`, how the connection is kept in `connection`. Why a driver and not a subclass: template
methods that call each other through a base class must be read in two files at once.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from voicegate.adapters.pbx.common.connection import ConnectionListener, keep_connected
from voicegate.adapters.pbx.common.driver import PbxCall, PbxDriver
from voicegate.adapters.pbx.common.forked_leg import ForkedLeg
from voicegate.adapters.pbx.common.supervised_leg import SupervisedLeg
from voicegate.application.ports import Leg, Order
from voicegate.domain.call_outcome import GaveUp
from voicegate.domain.errors import PbxError, PbxRefused, PbxUnavailable, ReplyLost
from voicegate.domain.routing import TrunkState

_REMEMBERED: Final = 10_000
"""How many used call ids are remembered, to refuse a second call with the same id."""
_REACH_WITHIN: Final = timedelta(seconds=1)
_LOOKS_WITHIN_S: Final = 35
"""After a connection that was lost the PBX may have been restarted. Asterisk 22 (res_pjsip) sends its first
OPTIONS at a random time within `qualify_frequency`, 30 s in our example, and says "unavailable" before
that, though calls would go through."""


class CallSupervisor:
    """One PBX; an async context manager that is the port `Pbx` while it is entered.

    Entering succeeds even if the PBX is down; it is connected when it comes back. `make_driver` is given the
    listener that the driver's client informs about the connection.
    """

    def __init__(self, make_driver: Callable[[ConnectionListener], PbxDriver]) -> None:
        self._driver = make_driver(self)
        self._legs: dict[str, SupervisedLeg] = {}
        self._placed: dict[str, None] = {}
        self._strays: deque[str] = deque(maxlen=_REMEMBERED)
        self._wanted = asyncio.Event()
        self._has_been_ready = False
        self._believed_at = 0.0
        self._reached: set[str] = set()
        self._tasks = asyncio.TaskGroup()
        self._listening = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        try:
            await self._listening.enter_async_context(self._driver.listening(self._tasks))
        except BaseException:
            await self._tasks.__aexit__(None, None, None)
            raise
        driver = self._driver
        connection = keep_connected(
            driver.client, driver.pace, pbx=driver.name, wire=driver.wire, wanted=self._wanted
        )
        self._connection = self._tasks.create_task(connection, name=f"PBX {driver.name}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._end_all()
        finally:
            self._connection.cancel()
            await self._listening.aclose()
            # An error of the body is the caller's own: it does not become a group.
            is_cancelled = isinstance(error, asyncio.CancelledError)
            await self._tasks.__aexit__(*((kind, error, trace) if is_cancelled else (None, None, None)))

    @property
    def is_connected(self) -> bool:
        """Return whether calls can be placed now."""
        return self._driver.client.ready.is_set()

    async def reach(self, within: timedelta) -> bool:
        """Return whether calls can be placed now. If the connection is lost, it is tried again at once, for
        `within`."""
        if not self.is_connected:
            self._wanted.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(within.total_seconds()):
                    await self._driver.client.ready.wait()
        # Asked again: the connection may have come, and be lost again before this task had its turn.
        return self.is_connected

    async def ping(self) -> timedelta | None:
        """Return how long the PBX takes to answer, or how long was waited for it; None: it is not
        connected."""
        if not self.is_connected:
            return None
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        try:
            await self._driver.ping()
        except PbxUnavailable:
            return None
        except ReplyLost:
            pass
        return timedelta(seconds=loop.time() - asked_at)

    @asynccontextmanager
    async def originate(self, order: Order) -> AsyncIterator[Leg]:
        """Place a call, at most once per call id; never repeated. All telephones of an extension ring."""
        # Written first: what the PBX would misread is refused whether or not it is there.
        calls = await self._driver.write(order)
        async with AsyncExitStack() as stack:
            legs = [await stack.enter_async_context(self._placed_call(call)) for call in calls]
            yield legs[0] if len(legs) == 1 else ForkedLeg(legs, self._tasks)

    async def hang_up(self, call_id: str) -> None:
        """End a call of an earlier process, if the PBX still has it: now, or when it is connected."""
        try:
            await self._driver.end_stray(call_id)
        except (PbxUnavailable, ReplyLost):
            # Asked again once connected, even if the PBX had heard it: to end a channel twice does no harm.
            self._strays.append(call_id)

    async def trunk_states(self) -> Mapping[str, TrunkState]:
        """Return the trunk state of each endpoint by its name; empty while not connected.

        Just after the connection came again, one that was not reached since then is unknown.
        """
        if not self.is_connected:
            return {}  # logged in, perhaps, but no call could be placed yet
        try:
            states = await self._driver.trunk_states()
        except (PbxUnavailable, ReplyLost):
            return {}
        self._reached |= {name for name, state in states.items() if state is TrunkState.AVAILABLE}
        if asyncio.get_running_loop().time() >= self._believed_at:
            return states
        return {name: self._believe(name, state) for name, state in states.items()}

    async def on_ready(self) -> None:
        """End the calls that were given up meanwhile, and find out which others still exist."""
        while self._strays:
            await self._driver.end_stray(self._strays[-1])
            # Forgotten only now: a connection that is lost again must not lose the stray with it.
            self._strays.pop()
        # A call whose end was missed still holds its telephone's place: it is looked for before new ones.
        for leg in list(self._legs.values()):
            await leg.probe()
        self._reached.clear()
        if self._has_been_ready:
            self._believed_at = asyncio.get_running_loop().time() + _LOOKS_WITHIN_S
        self._has_been_ready = True
        await self._driver.await_boot()

    def on_lost(self) -> None:
        """Tell the calls that events may be missed."""
        for leg in list(self._legs.values()):
            leg.lose()

    def _believe(self, name: str, state: TrunkState) -> TrunkState:
        has_looked = state is not TrunkState.UNREACHABLE or name in self._reached
        return state if has_looked else TrunkState.UNKNOWN

    @asynccontextmanager
    async def _placed_call(self, call: PbxCall) -> AsyncIterator[SupervisedLeg]:
        if not await self.reach(_REACH_WITHIN):
            raise PbxUnavailable
        leg = self._adopt(call)
        try:
            try:
                await call.originate()
            except ReplyLost:
                # Placed or not: events, or the resync, will tell. Asking again could ring somebody twice.
                pass
            except PbxError:
                leg.abandon(GaveUp.PBX_UNAVAILABLE)
                raise
            yield leg
        finally:
            await leg.hang_up()
            with suppress(TimeoutError):
                # Should it take longer, the leg's own task goes on.
                async with asyncio.timeout(self._driver.deadline.total_seconds()):
                    await leg.wait_end()
            await call.clear()

    def _adopt(self, call: PbxCall) -> SupervisedLeg:
        if call.call_id in self._placed:
            raise PbxRefused("a call with this id was placed before")
        self._placed[call.call_id] = None
        # Bounds the memory: ids are random, and an old one is not used again.
        if len(self._placed) > _REMEMBERED:
            del self._placed[next(iter(self._placed))]
        leg = self._legs[call.call_id] = SupervisedLeg(call)
        self._tasks.create_task(self._supervise(leg, call), name=call.call_id)
        return leg

    async def _supervise(self, leg: SupervisedLeg, call: PbxCall) -> None:
        try:
            await leg.supervise()
        finally:
            del self._legs[call.call_id]
            call.forget()
            if leg.is_lost:
                # Its channel may live: the called person must not be left on a line that nobody holds.
                self._strays.append(call.call_id)

    async def _end_all(self) -> None:
        legs = list(self._legs.values())
        # All are asked before any is waited for: one after the other, each would have a deadline of its own.
        for leg in legs:
            await leg.hang_up()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._driver.deadline.total_seconds()):
                for leg in legs:
                    await leg.wait_end()
        for leg in legs:
            leg.abandon(GaveUp.INTERRUPTED)
