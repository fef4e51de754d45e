"""Challenges, calls and steps for tests of the store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from voicegate.application.ports import (
    CallRecord,
    ChallengeRecord,
    IdempotencyKey,
    Replay,
    TimelineEntry,
)
from voicegate.application.store_port import Store, Transaction
from voicegate.domain.announcement import HumanCheck
from voicegate.domain.call import Call, CallState
from voicegate.domain.challenge import Challenge, ChallengeState
from voicegate.domain.phone_number import Destination

T = TypeVar("T")
NOW = datetime(2026, 1, 1, 12, 30, 15, 123456, tzinfo=UTC)
LIFETIME = timedelta(seconds=300)


def make_challenge(name: str = "1", **but: object) -> Challenge:
    """An open challenge that is being delivered."""
    challenge = Challenge(
        id=f"ver_{name}",
        client="tester",
        destination=Destination("+12025550101", "w4321"),
        language="en",
        human_check=HumanCheck.RANDOM_KEY,
        passcode_length=6,
        digest=bytes(range(32)),
        sealed=b"\x00sealed\xff",
        issued_at=NOW,
        expires_at=NOW + LIFETIME,
        state=ChallengeState.DELIVERING,
        reference="order № 7",
        bucket="+12025550101",
    )
    return replace(challenge, **but)  # type: ignore[arg-type]


def make_call(name: str = "1", challenge: str = "1", **but: object) -> Call:
    """A queued call."""
    call = Call(
        id=f"call_{name}",
        challenge_id=f"ver_{challenge}",
        destination=Destination("+12025550101", "w4321"),
        trunk="carrier",
        caller_id="+12025550100",
        created_at=NOW,
    )
    return replace(call, **but)  # type: ignore[arg-type]


def make_entry(seq: int, **but: object) -> TimelineEntry:
    """A step, `seq` seconds after the call was queued."""
    entry = TimelineEntry(
        seq=seq,
        at=NOW + timedelta(seconds=seq),
        state=CallState.RINGING,
        event="rang",
        detail={"reading": seq, "proven": True, "cause": None, "words": ["a", "b"], "note": "naïve"},
    )
    return replace(entry, **but)  # type: ignore[arg-type]


def with_steps(call: Call, steps: int) -> CallRecord:
    """A live call with that many steps."""
    return CallRecord(call, timeline=tuple(make_entry(seq) for seq in range(1, steps + 1)))


async def read(store: Store, challenge_id: str = "ver_1") -> ChallengeRecord:
    record = await store.challenge(challenge_id)
    assert record is not None
    return record


async def open_challenge(
    store: Store, challenge: Challenge, call: Call, idempotency: IdempotencyKey | None = None
) -> Replay | None:
    """Store a challenge with its first call, unless the idempotency key stands for one already."""

    def work(tx: Transaction) -> Replay | None:
        if idempotency is not None and (replay := tx.replay(idempotency)):
            return replay
        tx.add_challenge(challenge)
        tx.add_call(call)
        if idempotency is not None:
            tx.remember(idempotency, challenge)
        return None

    return await store.transact(work)


async def update_challenge(
    store: Store, challenge_id: str, change: Callable[[Challenge], tuple[Challenge, T]]
) -> T | None:
    """Store what `change` makes of a challenge, if it is another; None: no such challenge."""

    def work(tx: Transaction) -> T | None:
        record = tx.challenge(challenge_id)
        if record is None:
            return None
        after, answer = change(record.challenge)
        if after != record.challenge:
            tx.save_challenge(after)
        return answer

    return await store.transact(work)


async def add_call(
    store: Store, challenge_id: str, admit: Callable[[ChallengeRecord], tuple[Challenge, Call | None, T]]
) -> T | None:
    """Store what `admit` makes of a challenge and its calls; None: no such challenge."""

    def work(tx: Transaction) -> T | None:
        record = tx.challenge(challenge_id)
        if record is None:
            return None
        challenge, call, answer = admit(record)
        if call is not None:
            tx.add_call(call)
        if call is not None or challenge != record.challenge:
            tx.save_challenge(challenge)
        return answer

    return await store.transact(work)
