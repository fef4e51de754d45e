"""What an admin does with trunks: drain one before work on it, and resume it after that."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from voicegate.application.change_notifier import Signal, SignalKind
from voicegate.application.current_routes import CurrentRoutes
from voicegate.application.store_port import Store
from voicegate.application.trunk_drains import Drain, Drains
from voicegate.application.trunk_figures import FigureQueries
from voicegate.application.unit_of_work import ALLOWED, NotFound, UnitOfWork, UnitsOfWork
from voicegate.domain.client import Principal


@dataclass(frozen=True, slots=True)
class TrunkDrained:
    """The trunk gets no new calls."""

    drain: Drain
    """Since when, and why."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class TrunkResumed:
    """The trunk gets calls."""

    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


class Trunks:
    """Drains and resumes trunks."""

    def __init__(
        self,
        *,
        store: Store,
        units: UnitsOfWork,
        drains: Drains,
        routes: CurrentRoutes,
        figures: FigureQueries,
    ) -> None:
        self._store = store
        self._units = units
        self._changing = asyncio.Lock()
        self.routes = routes
        """The trunks of the settings."""
        self.drains = drains
        """The trunks that are drained."""
        self.figures = figures
        """The questions about how trunks' calls went."""

    async def load(self) -> None:
        """Read from the store which trunks are drained."""
        self.drains.replace_all(await self._store.drains())

    async def drain(self, principal: Principal, name: str, reason: str) -> TrunkDrained | NotFound:
        """Let a trunk get no new calls; those that have begun go on. May be called twice."""
        async with self._changing:
            drained = await self._units.do(principal, "trunk.drain", self._drain, name, reason)
            await self.load()
        return drained

    async def resume(
        self, principal: Principal, name: str, reason: str | None = None
    ) -> TrunkResumed | NotFound:
        """Let a trunk get calls again. May be called twice."""
        async with self._changing:
            resumed = await self._units.do(principal, "trunk.resume", self._resume, name, reason)
            await self.load()
        return resumed

    def _drain(self, unit: UnitOfWork, name: str, reason: str) -> TrunkDrained | NotFound:
        unit.reason = reason
        if not self._is_known(name):
            return NotFound()
        unit.subject = unit.trunk = name
        drain = Drain(name, unit.now, unit.principal.name, reason)
        unit.tx.save_drain(drain)
        unit.signals.append(Signal(SignalKind.TRUNKS))
        return TrunkDrained(drain)

    def _resume(self, unit: UnitOfWork, name: str, reason: str | None) -> TrunkResumed | NotFound:
        unit.reason = reason
        # One that is no longer in the settings can still be drained in the database.
        if not self._is_known(name) and all(drain.trunk != name for drain in unit.tx.drains()):
            return NotFound()
        unit.subject = unit.trunk = name
        unit.tx.remove_drain(name)
        unit.signals.append(Signal(SignalKind.TRUNKS))
        return TrunkResumed()

    def _is_known(self, name: str) -> bool:
        return any(trunk.name == name for trunk in self.routes.trunks)
