"""Trunks are watched: what their PBX reaches counts in the choice, and lost keys raise an alarm."""

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from tests.unit.application.conftest import Bench, trunk
from tests.unit.application.scripted import ScriptedLeg, answers
from tests.unit.application.test_route_choice import trunks_of
from voicegate.application.outbox import MessageFilter
from voicegate.domain.call import Answered, Playback
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.routing import Trunk, TrunkState
from voicegate.domain.trunk_figures import KeyAlarm
from voicegate.domain.webhook import EventType, Webhook

TRUNK_EVENTS = frozenset({EventType.TRUNK_DOWN, EventType.TRUNK_UP, EventType.TRUNK_KEYS_MISSING})
OPS = Webhook("ops", None, TRUNK_EVENTS)


@pytest.fixture
def trunks() -> tuple[Trunk, ...]:
    return (trunk("first"), trunk("second"))


async def presses_nothing(leg: ScriptedLeg) -> None:
    leg.on_play = lambda clip, keys: Playback(0, timedelta(), 0, hung_up=True)
    leg.tell(Answered(), Hangup(16))


async def told(bench: Bench) -> list[tuple[str, Mapping[str, object]]]:
    """What webhooks are told, oldest first."""
    found = [one.message for one in await bench.store.messages(100, MessageFilter())]
    return [(one.type, json.loads(one.body)["data"]) for one in reversed(found)]


def states(bench: Bench, first: TrunkState) -> None:
    bench.pbx.states = {"first": first, "second": TrunkState.AVAILABLE}


async def test_a_trunk_that_its_pbx_does_not_reach_is_tried_last_until_it_is_reached_again(
    bench: Bench,
) -> None:
    again = bench.rebuilt(webhooks=(OPS,))
    again.pbx.plots = [answers] * 3
    async with again.app.delivery:
        states(again, TrunkState.UNREACHABLE)
        with capture_logs() as logs:
            await again.app.trunk_watch.look()
            await again.app.trunk_watch.look()
        assert [one["trunk"] for one in logs if one["event"] == "trunk not reached"] == ["first"]
        assert await trunks_of(again) == ["second"]
        # What the PBX does not say is no news.
        states(again, TrunkState.UNKNOWN)
        await again.app.trunk_watch.look()
        assert await trunks_of(again, "+12025550102") == ["second"]
        again.clock.time += timedelta(minutes=1)
        states(again, TrunkState.IN_USE)
        await again.app.trunk_watch.look()
        assert await trunks_of(again, "+12025550103") == ["first"]
    by_pbx = {"trunk": "first", "why": "pbx"}
    assert await told(again) == [("trunk.down", by_pbx), ("trunk.up", by_pbx)]


async def test_a_trunk_on_which_keys_get_lost_raises_one_alarm_until_they_come_again(bench: Bench) -> None:
    again = bench.rebuilt(webhooks=(OPS,), key_alarm=KeyAlarm(floor=0.5, calls=3))
    again.pbx.plots = [answers, presses_nothing, presses_nothing, *[answers] * 3, *[presses_nothing] * 4]
    numbers = iter(range(101, 120))
    watch = again.app.trunk_watch

    async def place(calls: int) -> None:
        for _ in range(calls):
            await again.settled(await again.issue(f"+12025550{next(numbers)}"))
        again.clock.time += timedelta(minutes=1)
        await watch.judge_keys()
        await watch.judge_keys()

    async with again.app.delivery:
        await place(2)
        assert await told(again) == []
        await place(1)
        missing = ("trunk.keys_missing", {"trunk": "first", "calls": 3, "keys_pressed": 1})
        assert await told(again) == [missing]
        # Four of six is enough again; four of ten is not.
        await place(3)
        assert await told(again) == [missing]
        await place(4)
        later = ("trunk.keys_missing", {"trunk": "first", "calls": 10, "keys_pressed": 4})
        assert await told(again) == [missing, later]


async def test_an_alarm_that_is_off_reads_nothing(bench: Bench) -> None:
    again = bench.rebuilt(webhooks=(OPS,), key_alarm=KeyAlarm(floor=0, calls=1))
    again.pbx.plots = [presses_nothing]
    async with again.app.delivery:
        await again.settled(await again.issue())
        await again.app.trunk_watch.judge_keys()
    assert await told(again) == []
