"""Whether a call could be placed now, by what a PBX said of its trunks a moment ago."""

import asyncio
from collections.abc import Mapping

import pytest

from tests.unit.application.conftest import NUMBER, trunk
from tests.unit.application.scripted import ScriptedPbx
from voicegate.application.reachability import Reachability
from voicegate.domain.phone_number import Destination
from voicegate.domain.routing import Routes, find_route


async def test_who_stops_asking_breaks_nothing_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    pbx, is_asked = ScriptedPbx(), asyncio.Event()
    hops = find_route(Destination(NUMBER), Routes((trunk("carrier"),)))
    reachability = Reachability({"main": pbx})

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
    pbx.states = {"carrier": "unreachable"}
    assert not await reachability.has_way(hops)
