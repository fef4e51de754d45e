"""Another trunk is tried for as long as the settings say, counted from the first trunk's call."""

import asyncio
from datetime import timedelta

import pytest

from tests.unit.application.conftest import Bench, trunk
from tests.unit.application.scripted import ScriptedLeg
from voicegate.adapters.storage.store import SqlStore, Waits
from voicegate.application.queueing import CallLimits
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.routing import Trunk

FAILS_AFTER_S = 20
"""How long each trunk takes to say that it cannot."""


@pytest.fixture
def trunks() -> tuple[Trunk, ...]:
    """Four, none of which is given up before it says so."""
    return tuple(trunk(name, timedelta(hours=1)) for name in ("first", "second", "third", "fourth"))


@pytest.mark.parametrize(
    ("limits", "tried"),
    [
        (CallLimits(failover=timedelta(seconds=10)), 1),
        (CallLimits(failover=timedelta(seconds=20)), 1),
        (CallLimits(failover=timedelta(seconds=30)), 2),
        (CallLimits(), 3),
        (CallLimits(failover=timedelta(seconds=600)), 4),
    ],
)
async def test_no_trunk_is_tried_after_the_time_that_the_first_call_began(
    bench: Bench, tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The database is no faster for it that the loop's clock is set forward.
    store = bench.store
    assert isinstance(store, SqlStore)
    store._waits = Waits(request=timedelta(hours=1))
    loop, ahead_s = asyncio.get_running_loop(), 0
    as_usual = loop.time
    monkeypatch.setattr(loop, "time", lambda: as_usual() + ahead_s)

    async def fails_late(leg: ScriptedLeg) -> None:
        nonlocal ahead_s
        ahead_s += FAILS_AFTER_S
        leg.tell(Hangup(34, 503))

    bench.pbx.plots = [fails_late]
    record = await bench.settled(await bench.issue())
    assert [call.call.trunk for call in record.calls] == ["first", "second", "third", "fourth"][:tried]
    assert record.challenge.state == "undeliverable"
