"""Whether a call could be placed now, by what a PBX said of its trunks a moment ago."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pytest

from tests.unit.application.conftest import NUMBER, trunk
from tests.unit.application.scripted import ScriptedPbx
from voicegate.application.trunk_health import TrunkHealth, is_any_reached, trunk_states
from voicegate.domain.phone_number import Destination
from voicegate.domain.routing import Routes, TrunkState, find_route


async def test_who_stops_asking_breaks_nothing_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    pbx, is_asked = ScriptedPbx(), asyncio.Event()
    hops = find_route(Destination(NUMBER), Routes((trunk("carrier"),)))
    reachability = TrunkHealth({"main": pbx})

    async def never() -> Mapping[str, str]:
        is_asked.set()
        await asyncio.Event().wait()
        return {}

    with monkeypatch.context() as patch:
        patch.setattr(pbx, "trunk_states", never)
        asking = asyncio.create_task(reachability.has_way(hops))
        await is_asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    pbx.states = {"carrier": TrunkState.UNREACHABLE}
    assert not await reachability.has_way(hops)


@dataclass
class ComesWhenAsked(ScriptedPbx):
    """Its connection is lost, and made anew by whoever wants it."""

    is_connected: bool = False
    waited: timedelta = timedelta()

    async def reach(self, within: timedelta) -> bool:
        self.waited, self.is_connected = within, True
        return True


async def test_whoever_asks_for_a_way_has_a_lost_pbx_tried_at_once() -> None:
    pbx = ComesWhenAsked()
    hops = find_route(Destination(NUMBER), Routes((trunk("carrier"),)))
    assert await TrunkHealth({"main": pbx}).has_way(hops)
    assert pbx.waited < timedelta(seconds=1)  # a hook answers within one


async def test_whoever_asks_for_the_trunks_has_a_lost_pbx_tried_at_once() -> None:
    assert await trunk_states(ComesWhenAsked(), timedelta(seconds=3)) == {"carrier": "available"}
    assert await trunk_states(ScriptedPbx(is_connected=False), timedelta(seconds=3)) == {}


async def test_one_pbx_that_can_be_reached_is_enough_and_waits_for_no_other() -> None:
    absent, present, coming = ScriptedPbx(is_connected=False), ScriptedPbx(), ComesWhenAsked()
    assert not await is_any_reached([absent])
    assert await is_any_reached([absent, present, coming])
    assert not coming.is_connected
    assert await is_any_reached([absent, coming])
    assert coming.is_connected


async def test_a_trunk_that_its_pbx_does_not_have_is_no_way() -> None:
    pbx = ScriptedPbx(states={"other": TrunkState.AVAILABLE})
    hops = find_route(Destination(NUMBER), Routes((trunk("carrier"),)))
    assert not await TrunkHealth({"main": pbx}).has_way(hops)
    assert await TrunkHealth({"main": ScriptedPbx(states={})}).has_way(hops)
