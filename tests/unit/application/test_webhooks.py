"""Webhooks: what is told is stored with what it tells, sent until it is taken, and given up at last."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.application.conftest import ADMIN, NUMBER, TESTER, Bench, trunk
from tests.unit.application.scripted import ScriptedReceiver, answers
from tests.unit.application.test_delivery import plot
from voicegate.application.outbox import Message, MessageFilter, SendResult, StoredMessage
from voicegate.application.unit_of_work import NotFound
from voicegate.application.webhook_delivery import SendingRules
from voicegate.application.webhooks import Replayed
from voicegate.domain.call_outcome import GaveUp, Hangup
from voicegate.domain.errors import StoreError
from voicegate.domain.passcode import Passcode
from voicegate.domain.routing import Routes
from voicegate.domain.webhook import EventType, MessageState, RetryRules, Webhook, wait_before_next
from voicegate.lab.deadlines import within

ALL = frozenset(EventType)
EVERYTHING = Webhook("web", None, ALL)
DEAD = SendResult(error="no answer within 10 s")
MINUTE = timedelta(minutes=1)


def told(messages: list[Message]) -> list[dict[str, Any]]:
    return [json.loads(message.body) for message in messages]


async def stored(bench: Bench, **wanted: Any) -> list[StoredMessage]:
    return list(await bench.store.messages(100, MessageFilter(**wanted)))


def receiver_of(bench: Bench) -> ScriptedReceiver:
    receiver = bench.adapters.webhook_sender
    assert isinstance(receiver, ScriptedReceiver)
    return receiver


async def until_settled(bench: Bench) -> list[StoredMessage]:
    """Wait until no message is due now."""
    async with within(10):
        while any(
            one.state is MessageState.PENDING and one.next_at <= bench.clock.time + MINUTE
            for one in await stored(bench)
            if one.tries == 0
        ):
            await asyncio.sleep(0.01)
    return await stored(bench)


@pytest.fixture
async def telling(bench: Bench) -> Any:
    """The bench with a webhook that is told everything, and its delivery."""
    again = bench.rebuilt(webhooks=(EVERYTHING,))
    async with again.app.delivery, again.app.webhook_delivery:
        yield again


async def test_each_step_and_the_outcome_are_told_in_their_order_without_code_and_number(
    telling: Bench,
) -> None:
    telling.pbx.plots = [answers]
    challenge_id = await telling.issue()
    record = await telling.settled(challenge_id)
    await until_settled(telling)
    messages = receiver_of(telling).taken
    assert sorted(one["type"] for one in told(messages)) == sorted(
        f"call.{entry.event}" for entry in record.calls[0].timeline
    )
    (ended,) = (one["data"] for one in told(messages) if one["type"] == "call.ended")
    assert (ended["outcome"], ended["evidence"]) == ("delivered", "announced")
    assert (ended["verification_id"], ended["call_id"]) == (challenge_id, record.calls[0].call.id)
    for message in messages:
        assert NUMBER.encode() not in message.body
        assert telling.code(challenge_id).encode() not in message.body
    assert len({message.id for message in messages}) == len(messages)


async def test_verified_locked_and_approved_are_told_once(telling: Bench) -> None:
    telling.pbx.plots = [answers] * 3
    verified, locked = await telling.issue(), await telling.issue("+12025550102")
    approved = await telling.issue("+12025550103")
    for challenge_id in (verified, locked, approved):
        await telling.settled(challenge_id)
    for _ in range(2):
        await telling.sign_in.verify(TESTER, verified, Passcode(telling.code(verified)))
    for _ in range(7):
        await telling.sign_in.verify(TESTER, locked, Passcode("000000"))
    await telling.sign_in.approve(TESTER, approved)
    await until_settled(telling)
    news = [one for one in told(receiver_of(telling).taken) if one["type"].startswith("verification.")]
    assert sorted((one["type"], one["data"]["verification_id"]) for one in news) == sorted(
        [
            ("verification.verified", verified),
            ("verification.locked", locked),
            ("verification.verified", approved),
        ]
    )


async def test_a_webhook_is_told_what_it_wants_of_its_own_client(bench: Bench) -> None:
    own = Webhook("own", TESTER.name, frozenset({EventType.CALL_ENDED}))
    again = bench.rebuilt(webhooks=(own, Webhook("other", "other", ALL)))
    again.pbx.plots = [answers]
    async with again.app.delivery:
        await again.settled(await again.issue())
    assert [(one.message.webhook, one.message.type) for one in await stored(again)] == [("own", "call.ended")]


async def test_a_trunk_that_is_set_aside_and_one_that_works_again_are_told(bench: Bench) -> None:
    again = bench.rebuilt(
        webhooks=(Webhook("ops", None, frozenset({EventType.TRUNK_DOWN, EventType.TRUNK_UP})),),
        routes=Routes((trunk("first"), trunk("second"))),
    )
    again.pbx.plots = [plot(Hangup(gave_up=GaveUp.RING_TIMEOUT)), answers, answers]  # type: ignore[list-item]
    async with again.app.delivery:
        await again.settled(await again.issue())
        again.clock.time += MINUTE
        await again.settled(await again.issue("+12025550102"))
        await again.settled(await again.issue("+12025550103"))
    found = [(one.message.type, json.loads(one.message.body)["data"]["trunk"]) for one in await stored(again)]
    assert found == [("trunk.up", "first"), ("trunk.down", "first")]


async def test_a_message_is_stored_with_what_it_tells_or_not_at_all(
    telling: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    telling.pbx.plots = [answers]
    challenge_id = await telling.issue()
    await telling.settled(challenge_id)
    before = len(await until_settled(telling))

    def fail(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("voicegate.adapters.storage.outbox.add_messages", fail)
    with pytest.raises(StoreError):
        await telling.sign_in.verify(TESTER, challenge_id, Passcode(telling.code(challenge_id)))
    monkeypatch.undo()
    record = await telling.store.challenge(challenge_id)
    assert record is not None
    assert record.challenge.state != "verified"
    assert len(await stored(telling)) == before


async def test_what_is_not_taken_is_sent_again_with_the_same_id_and_body(bench: Bench) -> None:
    again = bench.rebuilt(webhooks=(Webhook("web", None, frozenset({EventType.CALL_ENDED})),))
    receiver = receiver_of(again)
    receiver.answers = [DEAD, SendResult(500, "answered with status 500")]
    again.pbx.plots = [answers]
    async with again.app.delivery, again.app.webhook_delivery:
        await again.settled(await again.issue())
        for tries in (1, 2, 3):
            async with within(10):
                while (await stored(again))[0].tries < tries:
                    await asyncio.sleep(0.01)
            again.clock.time += 10 * MINUTE
            again.app.webhook_delivery.wake({"web"})
    (message,) = await stored(again)
    assert (message.state, message.status, message.error) == (MessageState.DELIVERED, 200, None)
    assert len({(one.id, one.body) for one in receiver.taken}) == 1
    assert len(receiver.taken) == 3


async def test_what_is_never_taken_is_given_up_and_an_admin_sends_it_again(bench: Bench) -> None:
    again = bench.rebuilt(
        webhooks=(Webhook("web", None, frozenset({EventType.CALL_ENDED})),),
        sending=SendingRules(retries=RetryRules(give_up_after=timedelta())),
    )
    receiver = receiver_of(again)
    receiver.answers = [DEAD]
    again.pbx.plots = [answers]
    async with again.app.delivery, again.app.webhook_delivery:
        await again.settled(await again.issue())
        (message,) = await until_settled(again)
        assert message.state is MessageState.GIVEN_UP
        assert await again.app.webhooks.replay(ADMIN, "web") == Replayed(1)
        async with within(10):
            while (await stored(again))[0].state is not MessageState.DELIVERED:
                await asyncio.sleep(0.01)
    assert {one.id for one in receiver.taken} == {message.message.id}
    (entry,) = await again.store.audit(1)
    assert (entry.action, entry.subject) == ("webhook.replay", "web")


async def test_one_that_says_it_is_gone_is_not_asked_again(bench: Bench) -> None:
    again = bench.rebuilt(webhooks=(Webhook("web", None, frozenset({EventType.CALL_ENDED})),))
    receiver_of(again).answers = [SendResult(410, "answered with status 410", is_final=True)]
    again.pbx.plots = [answers]
    async with again.app.delivery, again.app.webhook_delivery:
        await again.settled(await again.issue())
        (message,) = await until_settled(again)
    assert message.state is MessageState.GIVEN_UP


async def test_a_message_whose_sender_died_is_taken_by_the_next_one(bench: Bench) -> None:
    class Dies(ScriptedReceiver):
        async def send(self, message: Message) -> SendResult:
            await super().send(message)
            await asyncio.Event().wait()
            raise AssertionError

    dying = replace(bench.adapters, webhook_sender=Dies())
    webhooks = (Webhook("web", None, frozenset({EventType.CALL_ENDED})),)
    first = replace(bench, adapters=dying).rebuilt(webhooks=webhooks)
    first.pbx.plots = [answers]
    async with first.app.delivery, first.app.webhook_delivery:
        await first.settled(await first.issue())
        async with within(10):
            await receiver_of(first).news.wait()
    second = bench.rebuilt(webhooks=webhooks)
    bench.clock.time += 2 * MINUTE
    async with second.app.webhook_delivery, within(10):
        await receiver_of(second).news.wait()
    assert [one.id for one in receiver_of(second).taken] == [one.id for one in receiver_of(first).taken]


async def test_a_set_back_clock_does_not_hold_messages(bench: Bench) -> None:
    again = bench.rebuilt(webhooks=(Webhook("web", None, frozenset({EventType.CALL_ENDED})),))
    again.pbx.plots = [answers]
    async with again.app.delivery:
        await again.settled(await again.issue())
    bench.clock.time -= timedelta(days=2)
    async with again.app.webhook_delivery, within(10):
        await receiver_of(again).news.wait()


async def test_a_test_message_is_sent_at_once_and_kept_nowhere(telling: Bench) -> None:
    receiver_of(telling).answers = [DEAD]
    assert await telling.app.webhooks.test(ADMIN, "web") == DEAD
    assert told(receiver_of(telling).taken)[0]["type"] == "webhook.test"
    assert await stored(telling) == []
    assert await telling.app.webhooks.test(ADMIN, "other") == NotFound()
    assert await telling.app.webhooks.replay(ADMIN, "other") == NotFound()
    assert await telling.app.webhooks.replay(ADMIN, "web", "msg_unknown") == NotFound()


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_waits_grow_to_the_longest_and_are_at_most_half_shorter_by_chance(jitter: float) -> None:
    rules = RetryRules()
    waits = [wait_before_next(tries, rules, jitter) for tries in range(1, 1000)]
    assert waits[:2] == [
        5 * timedelta(seconds=1) * (1 - jitter / 2),
        timedelta(seconds=20) * (1 - jitter / 2),
    ]
    assert max(waits) == rules.longest * (1 - jitter / 2)
    assert waits == sorted(waits)
