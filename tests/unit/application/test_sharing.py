"""A controller beside others: lines that another one has, calls that another one took, and answers that are
lost."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from tests.unit.application.conftest import TESTER, Bench, trunk
from voicegate.application.change_notifier import Signal, SignalKind
from voicegate.application.controllers import Attendance, Controller, Orphan, Presence, Pulse
from voicegate.application.lines import LineCaps, NoLine
from voicegate.application.outbox import Told
from voicegate.application.ports import CallRecord
from voicegate.application.queueing import CallLimits, CallQueue
from voicegate.application.route_choice import RouteChooser
from voicegate.application.sharing import Sharing
from voicegate.application.takeover import Takeover
from voicegate.domain.call import CallState
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.errors import CallTaken, ConfigError, StoreError
from voicegate.domain.routing import Routes
from voicegate.lab.deadlines import within

OWN = Controller(id="own", name="here", version="1", key_ids=("11111111",))


@dataclass
class Others:
    """What the database would say of other controllers."""

    bench: Bench
    claimed: list[Orphan] = field(default_factory=list)
    kept: list[Orphan] = field(default_factory=list)
    present_now: list[Presence] = field(default_factory=list)
    taken_now: set[str] = field(default_factory=set)
    has_returned: bool = False
    fails: bool = False
    pulses: dict[str, Pulse] = field(default_factory=dict)
    in_progress: Mapping[str, int] = field(default_factory=dict)
    is_gone: bool = False

    async def attend(
        self, controller: Controller, *, is_first: bool = False, may_claim: bool = True
    ) -> Attendance:
        if self.fails:
            raise StoreError
        return Attendance(
            self.claimed if may_claim else (), has_returned=self.has_returned, others=self.present_now
        )

    async def left(self) -> Sequence[Orphan]:
        return self.kept

    async def taken(self, call_ids: Collection[str]) -> Collection[str]:
        return self.taken_now & set(call_ids)

    async def lines(self) -> Mapping[str, int]:
        return self.in_progress

    async def pulse(self, challenge_ids: Collection[str]) -> Mapping[str, Pulse]:
        return {name: pulse for name, pulse in self.pulses.items() if name in challenge_ids}

    async def present(self) -> Sequence[Presence]:
        return self.present_now

    async def leave(self, controller: Controller) -> None:
        self.is_gone = True


@pytest.fixture
def others(bench: Bench) -> Others:
    return Others(bench)


@pytest.fixture
def sharing(bench: Bench, others: Others) -> Sharing:
    app = bench.app
    takeover = Takeover(
        store=bench.store,
        clock=bench.clock,
        calls=app.calls,
        delivery=app.delivery,
        route_chooser=RouteChooser(app.trunks.routes, app.standings, pbxs=app.pbxs),
    )
    return Sharing(
        others, describe=lambda: OWN, takeover=takeover, notifier=bench.notifier, trunks=app.trunks
    )


async def ringing(bench: Bench) -> str:
    """A call in progress whose telephone rings for ever."""

    async def rings(_leg: object) -> None:
        return

    bench.pbx.plots = [rings]
    challenge_id = await bench.issue("+12025550102")
    async with within(10):
        while not bench.pbx.legs:
            await asyncio.sleep(0)
    return challenge_id


async def queued(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> CallRecord:
    """A stored call whose controller died before it began."""
    monkeypatch.setattr(bench.delivery, "start", lambda _pending: None)
    challenge_id = await bench.issue()
    monkeypatch.undo()
    record = await bench.store.challenge(challenge_id)
    assert record is not None
    return record.calls[0]


async def test_a_call_whose_line_another_controller_has_waits_for_it_and_is_placed_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, asked = bench.store.begin, list[LineCaps]()

    async def refuse_once(record: CallRecord, caps: LineCaps, told: Told) -> NoLine | None:
        asked.append(caps)
        return NoLine() if len(asked) == 1 else await begin(record, caps, told)

    monkeypatch.setattr(bench.store, "begin", refuse_once)
    challenge_id = await bench.issue()
    queue = bench.delivery.queue
    async with within(10):
        await queue.is_waited_in.wait()
    assert bench.pbx.legs == []
    queue.note_others({})
    (call,) = (await bench.settled(challenge_id)).calls
    assert [entry.event for entry in call.timeline].count("originated") == 1
    assert (len(bench.pbx.legs), asked) == (1, [LineCaps(30, 100, 0)] * 2)


async def test_a_call_that_another_controller_took_is_not_placed_and_its_record_is_left_to_that(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def taken(*_: object) -> None:
        raise CallTaken

    monkeypatch.setattr(bench.store, "begin", taken)
    challenge_id = await bench.issue()
    async with within(10):
        while bench.delivery.delivered:
            await asyncio.sleep(0)
    record = await bench.store.challenge(challenge_id)
    assert record is not None
    assert record.calls[0].call.state is CallState.QUEUED
    assert bench.pbx.legs == []


class TestLines:
    """The lines of a trunk with two, as one controller sees them."""

    async def test_those_that_others_use_are_not_given_here(self) -> None:
        queue, carrier = CallQueue(CallLimits()), trunk("carrier")
        full = queue.enter(carrier, "a")
        queue.note_refusal(carrier, None)
        again = queue.enter_again(full)
        behind = queue.enter(carrier, "a")
        queue.note_others({"carrier": 30})
        assert not again.turn.done()
        queue.note_others({"carrier": 28})
        # The first has given its line back meanwhile, as `line` does.
        assert (again.turn.done(), behind.turn.done()) == (True, False)

    async def test_all_of_them_together_count_against_the_limit_of_all(self) -> None:
        queue = CallQueue(CallLimits(in_progress=3))
        queue.note_refusal(trunk("carrier"), None)
        waiting = queue.enter(trunk("carrier"), "a")
        queue.note_others({"another": 3})
        assert not waiting.turn.done()
        queue.note_others({"another": 2})
        assert waiting.turn.done()
        assert not queue.is_waited_in.is_set()


async def test_a_queued_call_of_one_that_died_is_placed_here(
    bench: Bench, sharing: Sharing, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await queued(bench, monkeypatch)
    others.claimed = [Orphan(record, bench.clock.now() + timedelta(seconds=5))]
    await sharing.attend()
    await sharing.takeover.work()
    (call,) = (await bench.settled(record.call.challenge_id)).calls
    assert (call.call.id, len(bench.pbx.legs)) == (record.call.id, 1)
    assert str(call.outcome.outcome if call.outcome else None) == "delivered"


@pytest.mark.parametrize("why", ["too late", "held", "canceled", "another trunk"])
async def test_a_queued_call_that_is_not_wanted_any_more_is_ended_and_nobody_is_rung(
    bench: Bench, sharing: Sharing, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    record = await queued(bench, monkeypatch)
    until = bench.clock.now() + timedelta(seconds=5)
    if why == "too late":
        bench.clock.time = until
    elif why == "canceled":
        await bench.sign_in.cancel(TESTER, record.call.challenge_id)
    elif why == "another trunk":
        bench.app.trunks.routes.now = Routes((trunk("new"),))
    sharing.takeover.add([Orphan(record, None if why == "held" else until)])
    await sharing.takeover.work()
    (call,) = (await bench.settled(record.call.challenge_id)).calls
    assert str(call.outcome.outcome if call.outcome else None) == "interrupted"
    assert bench.pbx.legs == []


async def test_what_was_taken_over_while_the_answer_was_lost_is_found_again(
    bench: Bench, sharing: Sharing, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await queued(bench, monkeypatch)
    running = await ringing(bench)
    own = await bench.store.challenge(running)
    assert own is not None
    others.fails = True
    with pytest.raises(StoreError):
        await sharing.attend()
    others.fails, others.kept = False, [Orphan(record), Orphan(own.calls[0])]
    await sharing.attend()
    await sharing.takeover.work()
    (call,) = (await bench.settled(record.call.challenge_id)).calls
    assert str(call.outcome.outcome if call.outcome else None) == "interrupted"
    # Its own call in progress is none of those.
    assert bench.delivery.in_progress == {running: own.calls[0].call.id}
    bench.pbx.legs[0].tell(Hangup(cause=16))


async def test_who_comes_back_hangs_up_the_calls_that_were_taken(
    bench: Bench, sharing: Sharing, others: Others
) -> None:
    challenge_id = await ringing(bench)
    others.taken_now, others.has_returned = set(bench.delivery.in_progress.values()), True
    await sharing.attend()
    assert "hang up" in bench.pbx.legs[0].done
    await bench.settled(challenge_id)


async def test_a_cancellation_of_which_no_signal_came_is_heard_of_at_the_next_beat(
    bench: Bench, sharing: Sharing, others: Others
) -> None:
    challenge_id = await ringing(bench)
    others.pulses = {challenge_id: Pulse(7, ChallengeState.CANCELED)}
    with bench.notifier.watching(challenge_id) as change:
        await sharing.attend()
        assert change.is_set()
    assert "hang up" in bench.pbx.legs[0].done
    await bench.settled(challenge_id)


async def test_signals_wake_hang_up_and_are_passed_on(bench: Bench, sharing: Sharing) -> None:
    told: list[Signal] = []
    bench.notifier.connect(told.append)
    challenge_id = await ringing(bench)
    with bench.notifier.watching(challenge_id) as change:
        await sharing.receive(Signal(SignalKind.CHANGED, challenge_id))
        assert change.is_set()
    await sharing.receive(Signal(SignalKind.HANG_UP, challenge_id))
    await bench.settled(challenge_id)
    assert {Signal(SignalKind.CHANGED, challenge_id), Signal(SignalKind.LINE_FREED)} <= set(told)
    await bench.sign_in.cancel(TESTER, challenge_id)
    assert Signal(SignalKind.HANG_UP, challenge_id) in told


@pytest.mark.parametrize(
    ("key_ids", "are_same"),
    [
        (("2", "1", "receipts c"), True),
        (("2", "1"), True),
        (("2", "1", "receipts d"), False),
        (("1", "2", "receipts c"), False),
        (("2",), False),
    ],
)
def test_keys_are_the_same_with_the_chain_of_receipts_where_both_make_some(
    key_ids: tuple[str, ...], *, are_same: bool
) -> None:
    own = replace(OWN, key_ids=("2", "1", "receipts c"))
    assert own.has_keys_of(replace(OWN, key_ids=key_ids)) is are_same
    assert replace(OWN, key_ids=key_ids).has_keys_of(own) is are_same


async def test_one_with_other_keys_is_refused_and_leaves(sharing: Sharing, others: Others) -> None:
    now = others.bench.clock.now()
    other = Controller(id="other", name="there", version="1", key_ids=("22222222",))
    others.present_now = [Presence(other, now, now)]
    with pytest.raises(
        ConfigError, match="the controller there, which uses this database too, has other keys"
    ):
        await sharing.enter()
    assert others.is_gone
