"""How the daemon is now, for metrics: calls, trunks, PBXs, costs, the outbox.

What takes time, that is, PBXs and the database, is asked in the background every ten seconds, each with a
deadline; `look` answers at once from what is known. What was not answered is left out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeVar

import structlog

from voicegate.application.ports import Clock, Pbx
from voicegate.application.queueing import CallLimits, Occupancy
from voicegate.application.route_choice import Standings
from voicegate.application.store_port import Store
from voicegate.domain.errors import VoicegateError
from voicegate.domain.policy.spend import Account, Cap, Cost, SpendKind, day_of
from voicegate.domain.routing import Trunk
from voicegate.domain.webhook import MessageState

log = structlog.get_logger(__name__)
T = TypeVar("T")

INTERVAL: Final = timedelta(seconds=10)
"""From one question to PBXs and the database to the next."""
_ROUNDS_PER_COUNT: Final = 6
_WITHIN: Final = timedelta(seconds=5)
_SHOWN_SPEND: Final = (SpendKind.TRUNK, SpendKind.COUNTRY)
"""The accounts whose names tell nothing of a person or a client."""


class TrunkCondition(StrEnum):
    """Whether a trunk is used, and why not."""

    USABLE = "usable"
    UNREACHABLE = "unreachable"
    """Its PBX says that it does not reach it."""
    SET_ASIDE = "set_aside"
    """Its calls failed, so it is tried last for a time."""
    DRAINED = "drained"
    """An admin has taken it out of use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSources:
    """What the monitor looks at."""

    store: Store
    """The database."""
    clock: Clock
    """The time."""
    pbxs: Mapping[str, Pbx]
    """The PBXs, by name."""
    trunks: Callable[[], Sequence[Trunk]]
    """Returns the trunks: a reload may bring others."""
    standings: Standings
    """The standing of the trunks."""
    limits: CallLimits
    """The limits of calls in progress."""
    occupancy: Callable[[], Occupancy]
    """Returns how many calls there are now."""
    caps: Callable[[], Mapping[SpendKind, Cap]]
    """Returns the caps of costs a day."""
    is_stopping: Callable[[], bool]
    """Returns whether new calls are refused because the daemon stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How the daemon is at one moment."""

    occupancy: Occupancy
    """Calls in progress and in the queue."""
    limits: CallLimits
    """Their limits."""
    trunk_limits: Mapping[str, int]
    """The most calls in progress, by trunk."""
    trunks: Mapping[str, TrunkCondition]
    """The state of each trunk."""
    connected: Mapping[str, bool]
    """Whether each PBX is connected."""
    pings: Mapping[str, timedelta]
    """How long each PBX took to answer, when it was last asked; one that is not connected is left out."""
    spent: Mapping[Account, Cost]
    """Today's costs (UTC), by trunk and by country, of all controllers on this database."""
    caps: Mapping[SpendKind, Cap]
    """The caps of costs a day."""
    messages: Mapping[tuple[str, MessageState], int]
    """Messages to webhooks by their state, of all controllers on this database."""
    is_stopping: bool
    """Does the daemon refuse new calls because it stops?"""


class Monitor:
    """Watches the daemon."""

    def __init__(self, sources: MonitorSources) -> None:
        self._sources = sources
        self._pings: Mapping[str, timedelta] = {}
        self._spent: Mapping[Account, Cost] = {}
        self._messages: Mapping[tuple[str, MessageState], int] = {}
        self._rounds = 0

    async def watch_for_ever(self) -> None:
        """Ask the PBXs and the database again and again, until cancelled."""
        while True:
            try:
                await self.ask()
            except Exception:  # a task's root: the next round may fare better
                log.exception("PBXs and database not monitored")
            await asyncio.sleep(INTERVAL.total_seconds())

    async def ask(self) -> None:
        """Ask the PBXs and the database once; takes ten seconds at most."""
        self._pings, self._spent = await asyncio.gather(
            _in_time("PBXs", self._ping(), {}), _in_time("costs", self._ask_costs(), {})
        )
        # Seldom: all messages are counted, and a month of them may be many.
        if self._rounds % _ROUNDS_PER_COUNT == 0:
            self._messages = await _in_time("outbox", self._sources.store.message_counts(), {})
        self._rounds += 1

    def look(self) -> Condition:
        """Return how the daemon is now. Does not wait; call it in the event loop."""
        sources = self._sources
        trunks = sources.trunks()
        return Condition(
            occupancy=sources.occupancy(),
            limits=sources.limits,
            trunk_limits={trunk.name: trunk.max_calls for trunk in trunks},
            trunks={trunk.name: self._condition_of(trunk.name) for trunk in trunks},
            connected={name: pbx.is_connected for name, pbx in sources.pbxs.items()},
            pings=self._pings,
            spent=self._spent,
            caps={kind: cap for kind, cap in sources.caps().items() if kind in _SHOWN_SPEND},
            messages=self._messages,
            is_stopping=sources.is_stopping(),
        )

    def _condition_of(self, trunk: str) -> TrunkCondition:
        standings = self._sources.standings
        if trunk in standings.drains.trunks:
            return TrunkCondition.DRAINED
        if trunk in standings.unreachable:
            return TrunkCondition.UNREACHABLE
        return TrunkCondition.SET_ASIDE if standings.set_aside_until(trunk) else TrunkCondition.USABLE

    async def _ping(self) -> Mapping[str, timedelta]:
        pbxs = self._sources.pbxs
        taken = await asyncio.gather(*(_ping_in_time(pbx) for pbx in pbxs.values()))
        return {name: took for name, took in zip(pbxs, taken, strict=True) if took is not None}

    async def _ask_costs(self) -> Mapping[Account, Cost]:
        today = day_of(self._sources.clock.now())
        return dict(await self._sources.store.spent_on(today, _SHOWN_SPEND))


async def _ping_in_time(pbx: Pbx) -> timedelta | None:
    """Return how long a PBX takes to answer; one that does not in time took at least that long."""
    try:
        async with asyncio.timeout(_WITHIN.total_seconds() / 2):
            return await pbx.ping()
    except TimeoutError:
        return _WITHIN / 2


async def _in_time(what: str, asked: Awaitable[T], otherwise: T) -> T:
    try:
        async with asyncio.timeout(_WITHIN.total_seconds()):
            return await asked
    except (VoicegateError, TimeoutError) as error:
        log.debug("not monitored", what=what, error=str(error))
        return otherwise
