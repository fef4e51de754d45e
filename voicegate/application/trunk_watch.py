"""Watches the trunks: whether their PBX reaches them, and whether people's keys still come through.

What is found is told as it changes, and counts in the choice of routes. It belongs to this daemon: several
controllers each tell what they see.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import structlog

from voicegate.application.call_log import LogDependencies
from voicegate.application.current_routes import CurrentRoutes
from voicegate.application.outbox import Message
from voicegate.application.ports import Pbx
from voicegate.application.trunk_health import trunk_states
from voicegate.domain.routing import Trunk, TrunkState
from voicegate.domain.trunk_figures import KeyAlarm, total
from voicegate.domain.webhook import EventType

log = structlog.get_logger(__name__)

INTERVAL: Final = timedelta(seconds=10)
"""From one look at the PBXs to the next."""
_SOON: Final = timedelta(seconds=2)
_LOOKS_PER_JUDGEMENT: Final = 6
_PBX_TIMEOUT: Final = timedelta(seconds=3)


class TrunkWatch:
    """Watches trunks."""

    def __init__(
        self,
        routes: CurrentRoutes,
        pbxs: Mapping[str, Pbx],
        *,
        dependencies: LogDependencies,
        alarm: KeyAlarm,
    ) -> None:
        self._routes = routes
        self._pbxs = pbxs
        self._store = dependencies.store
        self._clock = dependencies.clock
        self._outgoing = dependencies.outgoing
        self._standings = dependencies.standings
        self._alarm = alarm
        self._alarmed: set[str] = set()

    async def watch_for_ever(self) -> None:
        """Look again and again, until cancelled."""
        looks = 0
        while True:
            try:
                await self.look()
                if looks % _LOOKS_PER_JUDGEMENT == 0:
                    await self.judge_keys()
            except Exception:  # a task's root: the next round may fare better
                log.exception("trunks not watched")
            looks += 1
            # A trunk that is not reached may have requests refused: its return is not to be missed for long.
            pause = _SOON if self._standings.unreachable else INTERVAL
            await asyncio.sleep(pause.total_seconds())

    async def look(self) -> None:
        """Ask the PBXs which trunks they reach, and tell what has changed. Waits for each 3 s at most."""
        trunks = tuple(self._routes.trunks)
        names = {trunk.pbx for trunk in trunks}
        states = {name: await trunk_states(self._pbxs[name], _PBX_TIMEOUT) for name in names}
        before = self._standings.unreachable
        now = {trunk.name for trunk in trunks if self._is_down(trunk, states[trunk.pbx])}
        self._standings.unreachable, self._standings.long_unreachable = frozenset(now), before & now
        messages: list[Message] = []
        for name in sorted(now ^ before):
            is_up = name in before
            if is_up:
                log.info("trunk reached again", trunk=name)
            else:
                log.warning("trunk not reached", trunk=name)
            messages += self._outgoing.of_reach(name, at=self._clock.now(), is_up=is_up)
        await self._tell(messages)

    async def judge_keys(self) -> None:
        """Tell of each trunk on whose calls too few keys come, once until enough come again."""
        if not self._alarm.floor:
            return
        parts = await self._store.trunk_figures(self._clock.now() - self._alarm.window)
        messages: list[Message] = []
        for trunk in self._routes.trunks:
            figures = total(trunk.name, parts)
            if not self._alarm.is_due(figures):
                if figures.keys_asked >= self._alarm.calls:
                    self._alarmed.discard(trunk.name)
                continue
            if trunk.name in self._alarmed:
                continue
            self._alarmed.add(trunk.name)
            facts = {"trunk": trunk.name, "calls": figures.keys_asked, "keys_pressed": figures.keys_pressed}
            fix = "call yourself by it, and see its DTMF mode"
            log.warning("few keys come through a trunk", **facts, fix=fix)
            messages += self._outgoing.compose(EventType.TRUNK_KEYS_MISSING, self._clock.now(), facts)
        await self._tell(messages)

    def _is_down(self, trunk: Trunk, states: Mapping[str, TrunkState]) -> bool:
        state = states.get(trunk.endpoint, TrunkState.UNKNOWN)
        if state is TrunkState.UNKNOWN:
            # The PBX does not say, as when it is not connected: what it said last stands.
            return trunk.name in self._standings.unreachable
        return state is TrunkState.UNREACHABLE

    async def _tell(self, messages: Sequence[Message]) -> None:
        if messages:
            await self._store.transact(lambda tx: tx.add_messages(messages))
            self._outgoing.stored(messages)
