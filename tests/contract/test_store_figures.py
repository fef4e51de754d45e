"""What every `Store` promises of trunks' figures, on every database in `conftest`."""

from dataclasses import replace
from datetime import timedelta

from tests.contract.making import NOW, make_call, make_challenge
from voicegate.application.ports import CallRecord
from voicegate.application.store_port import Store, Transaction
from voicegate.domain.call import Call, CallState, Evidence
from voicegate.domain.call_outcome import Blame, CallOutcome, Hangup, Outcome
from voicegate.domain.phone_number import Destination
from voicegate.domain.trunk_figures import TrunkFigures

SECOND = timedelta(seconds=1)
BRITISH = Destination("+442079460101")
DELIVERED = CallOutcome(Outcome.DELIVERED, Blame.NOBODY, retry_safe=True)
BUSY = CallOutcome(Outcome.BUSY, Blame.CALLEE, retry_safe=True)
FAILED = CallOutcome(Outcome.TRUNK_FAILED, Blame.TRUNK, retry_safe=True)
NO_HUMAN = CallOutcome(Outcome.NO_HUMAN, Blame.CALLEE, retry_safe=True)
QUEUED_OUT = CallOutcome(Outcome.QUEUE_TIMEOUT, Blame.US, retry_safe=True)


def talked(name: str, *, human: bool, **but: object) -> Call:
    """A call that asked for a key, and lasted ten seconds."""
    facts: dict[str, object] = {
        "state": CallState.ENDED,
        "key_asked": True,
        "evidence": Evidence(answered=True, media=True, human=human),
        "originated_at": NOW,
        "post_dial_delay": 2 * SECOND,
        "answered_at": NOW + 5 * SECOND,
        "ended_at": NOW + 15 * SECOND,
    }
    return replace(make_call(name), **(facts | but))  # type: ignore[arg-type]


def over(name: str, **but: object) -> Call:
    return replace(make_call(name), state=CallState.ENDED, ended_at=NOW + SECOND, **but)  # type: ignore[arg-type]


async def keep(store: Store, *records: CallRecord) -> None:
    def work(tx: Transaction) -> None:
        tx.add_challenge(make_challenge())
        for record in records:
            before = replace(record.call, state=CallState.QUEUED, key_asked=False, evidence=Evidence())
            tx.add_call(replace(before, answered_at=None, ended_at=None))

    await store.transact(work)
    for record in records:
        await store.record(record)


async def test_the_figures_are_of_the_windows_calls_by_trunk_and_country(store: Store) -> None:
    await keep(
        store,
        CallRecord(talked("1", human=True), DELIVERED, Hangup(16)),
        CallRecord(talked("2", human=False, post_dial_delay=4 * SECOND), NO_HUMAN, Hangup(16)),
        CallRecord(over("3"), BUSY, Hangup(17, 486)),
        CallRecord(over("4", destination=BRITISH), FAILED, Hangup(34, 503)),
        CallRecord(over("5", trunk="other"), FAILED, Hangup(34, 503)),
        # None of these counts: in the queue only, a test, before the window, in progress.
        CallRecord(over("6"), QUEUED_OUT, Hangup()),
        CallRecord(talked("7", human=True, is_test=True), DELIVERED, Hangup(16)),
        CallRecord(talked("8", human=True, created_at=NOW - SECOND), DELIVERED, Hangup(16)),
        CallRecord(make_call("9")),
    )
    found = await store.trunk_figures(NOW)
    assert {(one.trunk, one.country): one for one in found} == {
        ("carrier", "US"): TrunkFigures(
            "carrier",
            "US",
            placed=3,
            answered=2,
            keys_asked=2,
            keys_pressed=1,
            delays=2,
            delay=6 * SECOND,
            talk=20 * SECOND,
        ),
        ("carrier", "GB"): TrunkFigures("carrier", "GB", placed=1, failed=1),
        ("other", "US"): TrunkFigures("other", "US", placed=1, failed=1),
    }
    assert await store.sip_failures(NOW) == [("carrier", 486, 1), ("carrier", 503, 1), ("other", 503, 1)]


async def test_without_calls_there_are_no_figures(store: Store) -> None:
    assert list(await store.trunk_figures(NOW)) == []
    assert list(await store.sip_failures(NOW)) == []
