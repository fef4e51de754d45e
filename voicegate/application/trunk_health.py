"""The state of trunks, and whether a call could be placed now: asked before a caller is promised one.

A trunk counts as lost only if its PBX is not connected, says that the trunk is unreachable, or does not know
it. An unknown state is no reason to refuse.
"""

import asyncio
import math
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Final

from voicegate.application.ports import Pbx
from voicegate.domain.errors import PbxError
from voicegate.domain.routing import Hop, TrunkState

_FRESH: Final = timedelta(seconds=2)
"""How long a PBX's answer about its trunks is used: to ask for every request would cost more than the
calls."""
_TIMEOUT: Final = timedelta(milliseconds=300)


class TrunkHealth:
    """Knows which trunks are up; its knowledge is at most some seconds old."""

    def __init__(self, pbxs: Mapping[str, Pbx]) -> None:
        self._pbxs = pbxs
        self._known: dict[str, tuple[float, Mapping[str, TrunkState]]] = {}
        self._asking = asyncio.Lock()

    async def has_way(self, hops: Iterable[Hop]) -> bool:
        """Return whether one of these hops could take a call. Waits for each PBX 0.3 s at most."""
        for hop in hops:
            name = hop.trunk.pbx
            if not await self._pbxs[name].reach(_TIMEOUT):
                continue
            states = await self._states_of(name)
            # A trunk that the PBX does not list is one that it does not have; a desk need not be listed.
            is_missing = bool(states) and hop.number is not None
            unlisted = TrunkState.UNREACHABLE if is_missing else TrunkState.UNKNOWN
            if states.get(hop.endpoint, unlisted) is not TrunkState.UNREACHABLE:
                return True
        return False

    async def _states_of(self, name: str) -> Mapping[str, TrunkState]:
        async with self._asking:
            now = asyncio.get_running_loop().time()
            asked_at, states = self._known.get(name, (-math.inf, {}))
            if now - asked_at >= _FRESH.total_seconds():
                states = await trunk_states(self._pbxs[name], _TIMEOUT)
                self._known[name] = (now, states)
            return states


async def is_any_reached(pbxs: Collection[Pbx]) -> bool:
    """Return whether one of the PBXs can place calls now. Waits for them 0.3 s at most."""
    return any(pbx.is_connected for pbx in pbxs) or any(
        await asyncio.gather(*(pbx.reach(_TIMEOUT) for pbx in pbxs))
    )


async def trunk_states(pbx: Pbx, within: timedelta) -> Mapping[str, TrunkState]:
    """Return what `Pbx.trunk_states` does; empty if the PBX does not answer in time."""
    if not await pbx.reach(min(within, _TIMEOUT)):
        return {}
    try:
        async with asyncio.timeout(within.total_seconds()):
            return await pbx.trunk_states()
    except (PbxError, TimeoutError):
        return {}
