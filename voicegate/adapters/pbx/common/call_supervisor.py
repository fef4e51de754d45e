"""A PBX's calls as every adapter keeps them: placed once, followed to the end, strays hung up later.

How a call is written down, placed and spoken to is the adapter's; how its connection is kept, `linking`'s.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from voicegate.adapters.pbx.common.supervised_leg import SupervisedLeg
from voicegate.application.ports import Leg, Order
from voicegate.domain.call_outcome import GaveUp
from voicegate.domain.errors import PbxError, PbxRefused, PbxUnavailable, ReplyLost

_REMEMBERED: Final = 10_000
"""Call ids that are refused a second time."""
_REACH_WITHIN: Final = timedelta(seconds=1)


L = TypeVar("L", bound=SupervisedLeg[Any])
D = TypeVar("D")


class CallSupervisor(ABC, Generic[L, D]):
    """One PBX; an async context manager that fills the port `Pbx` while it is entered.

    Entering succeeds with the PBX down; it is connected as soon as it comes. `L` is its legs' type, `D`
    that of an order as it goes on the wire.
    """

    def __init__(self, name: str, deadline: timedelta) -> None:
        self._name = name
        self._deadline = deadline.total_seconds()
        self._legs: dict[str, L] = {}
        self._placed: dict[str, None] = {}
        self._strays: deque[str] = deque(maxlen=_REMEMBERED)
        self._wanted = asyncio.Event()
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        try:
            await self._open()
        except BaseException:
            await self._tasks.__aexit__(None, None, None)
            raise
        self._supervisor = self._tasks.create_task(self._keep_connected(), name=f"PBX {self._name}")
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
            self._supervisor.cancel()
            await self._close()
            # An error of the body is the caller's own: it does not become a group.
            is_cancelled = isinstance(error, asyncio.CancelledError)
            await self._tasks.__aexit__(*((kind, error, trace) if is_cancelled else (None, None, None)))

    @property
    def is_connected(self) -> bool:
        """Can calls be placed now?"""
        return self._ready.is_set()

    async def reach(self, within: timedelta) -> bool:
        """Can calls be placed now? A lost connection is tried at once, and waited for `within` that time."""
        if not self.is_connected:
            self._wanted.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(within.total_seconds()):
                    await self._ready.wait()
        return self.is_connected

    @property
    @abstractmethod
    def _ready(self) -> asyncio.Event:
        """Set while calls can be placed."""

    @asynccontextmanager
    async def originate(self, order: Order) -> AsyncIterator[Leg]:
        """Place a call, at most once per call id; never repeated."""
        draft = self._write(order)
        if not await self.reach(_REACH_WITHIN):
            raise PbxUnavailable
        leg = self._adopt(order, draft)
        try:
            await self._place(leg, draft)
            yield leg
        finally:
            leg.end()
            with suppress(TimeoutError):
                # Should it take longer, the leg's own task goes on.
                async with asyncio.timeout(self._deadline):
                    await leg.wait_end()

    async def hang_up(self, call_id: str) -> None:
        """End a call of an earlier process, if the PBX still has it: now, or once it is connected."""
        try:
            await self._end_stray(call_id)
        except (PbxUnavailable, ReplyLost):
            self._strays.append(call_id)

    async def on_ready(self) -> None:
        """Learn which calls outlived the loss of the connection; end those given up meanwhile."""
        while self._strays:
            await self._end_stray(self._strays[-1])
            self._strays.pop()
        for leg in list(self._legs.values()):
            await leg.probe()
        await self._await_boot()

    def on_lost(self) -> None:
        """Tell the calls that events may be missed."""
        for leg in list(self._legs.values()):
            leg.lose()

    async def _open(self) -> None:
        """Begin what has to be there before the connection is made."""

    async def _close(self) -> None:
        """End it."""

    @abstractmethod
    async def _keep_connected(self) -> None:
        """Keep a connection until cancelled; try at once when `_wanted` is set."""

    @abstractmethod
    async def _await_boot(self) -> None:
        """Wait until the PBX can place calls: one that starts lets us in before."""

    @abstractmethod
    def _write(self, order: Order) -> D:
        """Return the order as it goes on the wire.

        Raises:
            UnsafeValue: a value would be misread by the PBX.
        """

    @abstractmethod
    def _follow(self, order: Order, draft: D) -> L:
        """Return the leg of a call that is about to be placed, ready for its events."""

    @abstractmethod
    async def _send(self, draft: D) -> None:
        """Send the order, once.

        Raises:
            PbxUnavailable: not connected; nothing was sent.
            PbxRefused: the PBX refused the request; no call was placed.
            ReplyLost: sent, and no answer came.
        """

    @abstractmethod
    async def _end_stray(self, call_id: str) -> None:
        """End a call that no leg follows."""

    def _forget(self, draft: D) -> None:
        """Release what a settled call holds besides its leg."""

    def _adopt(self, order: Order, draft: D) -> L:
        if order.call_id in self._placed:
            raise PbxRefused("a call with this id was placed before")
        self._placed[order.call_id] = None
        if len(self._placed) > _REMEMBERED:
            del self._placed[next(iter(self._placed))]
        leg = self._legs[order.call_id] = self._follow(order, draft)
        self._tasks.create_task(self._tend(leg, order.call_id, draft), name=order.call_id)
        return leg

    async def _place(self, leg: L, draft: D) -> None:
        try:
            await self._send(draft)
        except ReplyLost:
            # Placed or not: events, or the resync, will tell.
            return
        except PbxError:
            leg.abandon(GaveUp.PBX_UNAVAILABLE)
            raise

    async def _tend(self, leg: L, call_id: str, draft: D) -> None:
        try:
            await leg.run()
        finally:
            del self._legs[call_id]
            self._forget(draft)
            if leg.is_lost:
                self._strays.append(call_id)

    async def _end_all(self) -> None:
        legs = list(self._legs.values())
        for leg in legs:
            leg.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._deadline):
                for leg in legs:
                    await leg.wait_end()
        for leg in legs:
            leg.abandon(GaveUp.INTERRUPTED)
