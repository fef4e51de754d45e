"""The database stored a request and its answer was lost: who asked was refused; nobody is called for it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.application.conftest import NUMBER, Bench
from voicegate.application.store_port import Transaction
from voicegate.domain.call_outcome import Outcome
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.errors import StoreUnsure
from voicegate.lab.deadlines import within

Work = Callable[[Transaction], Any]


@pytest.mark.parametrize("is_stored", [True, False])
async def test_a_call_whose_commit_was_not_heard_of_is_ended_and_never_placed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, is_stored: bool
) -> None:
    transact = bench.store.transact

    async def lose_once(work: Work) -> Any:
        monkeypatch.setattr(bench.store, "transact", transact)
        if is_stored:
            await transact(work)
        raise StoreUnsure("the connection is lost")

    monkeypatch.setattr(bench.store, "transact", lose_once)
    with pytest.raises(StoreUnsure):
        await bench.issue()
    await bench.settled(await bench.issue("+12025550177"))
    async with within(20):
        while await bench.store.live_calls():
            await bench.store.transact(lambda _: None)
    calls = await bench.store.recent_calls(9)
    assert len(bench.pbx.legs) == 1
    assert len(calls) == (2 if is_stored else 1)
    if is_stored:
        (lost,) = (call for call in calls if call.call.destination.number == NUMBER)
        assert lost.outcome is not None
        assert (lost.outcome.outcome, lost.call.evidence.answered) == (Outcome.CANCELED, False)
        record = await bench.store.challenge(lost.call.challenge_id)
        assert record is not None
        assert record.challenge.state is ChallengeState.UNDELIVERABLE
