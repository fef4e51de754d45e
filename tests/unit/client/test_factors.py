"""The client's factors, blocking and not, against a served bench."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.unit.adapters.http.serving import NUMBER, Served, serving
from tests.unit.application.conftest import SPACED, Bench, bench, limits, timings, trunks
from voicegate.client import ApiError, AsyncClient, Client, Factor, Verification, factor_requests
from voicegate.client.requests import read
from voicegate.domain.client import Scope

__all__ = ["bench", "limits", "timings", "trunks"]


@pytest.fixture
async def served(bench: Bench, tmp_path: Path) -> AsyncIterator[Served]:
    bench.challenge_service.policy = SPACED
    async with serving(bench, tmp_path) as server:
        yield server


def code_id(told: Factor | Verification) -> str:
    """The id of the newest code."""
    if isinstance(told, Verification):
        return told.id
    assert told.verification is not None
    return told.verification.id


def code_of(served: Served, told: Factor | Verification) -> str:
    return served.bench.code(code_id(told))


async def delivered(served: Served, told: Factor | Verification) -> None:
    """Wait until the call has ended; from then on the subscriber may be called again."""
    await served.bench.settled(code_id(told))
    served.bench.clock.time += timedelta(seconds=30)


async def test_the_asyncio_client_takes_a_factor_through_its_life(served: Served) -> None:
    async with AsyncClient(served.path) as client:
        factor = await client.factors.enroll("alice", "+1 202 555 0101", extension="204", lifetime_s=600)
        assert (factor.destination, factor.extension) == (NUMBER, "204")
        assert factor.call is not None
        assert (factor.status, factor.enrollments) == ("pending_activation", 1)
        await delivered(served, factor)
        again = await client.factors.call_again("alice", factor.id)
        await delivered(served, again)
        activated = await client.factors.activate("alice", factor.id, code_of(served, factor))
        assert (activated.status, activated.reason) == ("verified", None)
        challenge = await client.factors.challenge("alice", factor.id, lifetime_s=60)
        assert challenge.status == "delivering"
        await delivered(served, challenge)
        code = code_of(served, challenge)
        assert (await client.factors.verify("alice", factor.id, code)).status == "verified"
        assert (await client.factors.verify("alice", factor.id, code)).reason == "already_used"
        (listed,) = await client.factors.list("alice")
        shown = await client.factors.get("alice", factor.id)
        assert shown.call is not None
        assert (listed, shown.status) == (shown, "active")
        assert (shown.call.outcome, shown.call.evidence.strongest) == ("delivered", "announced")
        await client.factors.reset("alice", factor.id)
        await client.factors.reset_all("alice")
        with pytest.raises(ApiError, match="there is no factor") as gone:
            await client.factors.get("alice", factor.id)
        assert (gone.value.status, gone.value.problem.name) == (404, "not_found")


async def test_the_blocking_client_does_with_a_key_on_tcp(served: Served) -> None:
    headers = await served.key(Scope.FACTORS, Scope.VERIFICATIONS)
    key = headers["Authorization"].removeprefix("Bearer ")

    def walk() -> None:
        with Client(base_url=str(served.remote.base_url), key=key) as client:
            factor = client.factors.enroll("alice", NUMBER, language="en")
            assert list(client.watch(code_id(factor)))[-1].outcome == "delivered"
            assert client.factors.activate("alice", factor.id, "0000000").reason == "wrong_passcode"
            code = code_of(served, factor)
            assert client.factors.activate("alice", factor.id, code).status == "verified"
            with pytest.raises(ApiError) as soon:
                client.factors.challenge("alice", factor.id)
            assert (soon.value.problem.name, soon.value.problem.retry_after_s) == ("too_soon", 30.0)
            with pytest.raises(ApiError) as not_proven:
                client.factors.enroll("bob", NUMBER, is_activated=True)
            assert not_proven.value.problem.name == "admins_only"
            assert client.factors.get("alice", factor.id).enrollments == 1
            assert [one.id for one in client.factors.list("alice")] == [factor.id]
            assert client.factors.enroll("alice", "+12025550199", replace=True).id != factor.id
            client.factors.reset_all("alice")
            assert client.factors.list("alice") == []

    await asyncio.to_thread(walk)


@pytest.mark.parametrize("subscriber", ["a/b", "..", ".", "a b+c%2F", "Ünï@example.com", "?#;", "x" * 255])
async def test_a_subscriber_may_have_any_name(served: Served, subscriber: str) -> None:
    async with AsyncClient(served.path) as client:
        factor = await client.factors.enroll(subscriber, NUMBER, is_activated=True)
        assert await client.factors.list(subscriber) == [factor]
        (entry,) = await client.audit(1)
        assert (entry.action, entry.subject) == ("factor.enroll", factor.id)
        await client.factors.reset(subscriber, factor.id)


async def test_a_number_is_not_shown_in_a_log_of_the_answer(served: Served) -> None:
    async with AsyncClient(served.path) as client:
        factor = await client.factors.enroll("alice", NUMBER)
    assert NUMBER not in repr(factor)


@pytest.mark.parametrize("code", ["", " ", "12", "hello", "12345678901", "1" * 100, "²³", "\udcff12"])
async def test_a_code_that_is_none_is_denied_in_every_call_and_calls_nobody(
    served: Served, code: str
) -> None:
    async with AsyncClient(served.path) as client:
        verification = await client.create_verification(NUMBER)
        judgement = await client.check(verification.id, code)
        assert (judgement.status, judgement.reason, judgement.attempts_left) == (
            "denied",
            "wrong_passcode",
            None,
        )
        await served.bench.settled(verification.id)
        right = await client.check(verification.id, served.bench.code(verification.id))
        assert (right.status, right.attempts_left) == ("verified", 5)
        factor = await client.factors.enroll("alice", "+12025550102")
        denied = await client.factors.activate("alice", factor.id, code)
        assert (denied.status, denied.reason) == ("denied", "wrong_passcode")
        await delivered(served, factor)
        assert (
            await client.factors.activate("alice", factor.id, code_of(served, factor))
        ).status == "verified"
        calls = len(served.bench.pbx.legs)
        denied = await client.factors.verify("alice", factor.id, code)
        assert (denied.status, denied.reason) == ("denied", "wrong_passcode")
        assert len(served.bench.pbx.legs) == calls


async def test_a_code_is_taken_as_it_was_typed(served: Served) -> None:
    async with AsyncClient(served.path) as client:
        verification = await client.create_verification(NUMBER)
        await served.bench.settled(verification.id)
        code = served.bench.code(verification.id)
        typed = f" {code[:3]} {code[3:]} "
        assert (await client.check(verification.id, typed)).status == "verified"


async def test_a_guess_at_a_code_that_is_not_out_is_told_as_what_it_is(served: Served) -> None:
    async with AsyncClient(served.path) as client:
        factor = await client.factors.enroll("alice", NUMBER)
        await delivered(served, factor)
        code = code_of(served, factor)
        assert (await client.factors.activate("alice", factor.id, code)).status == "verified"
        early = await client.factors.verify("alice", factor.id, code)
        assert (early.status, early.reason) == ("denied", "no_challenge")
        other = await client.factors.enroll("bob", "+12025550102")
        await client.cancel(code_id(other))
        canceled = await client.factors.activate("bob", other.id, "471029")
        assert (canceled.status, canceled.reason) == ("denied", "canceled")


async def test_a_repeated_enrollment_or_challenge_with_a_key_calls_nobody_again(served: Served) -> None:
    async with AsyncClient(served.path) as client:
        first, again = [
            await client.factors.enroll("alice", NUMBER, idempotency_key="enroll-1") for _ in range(2)
        ]
        assert again.id == first.id
        await delivered(served, first)
        await client.factors.activate("alice", first.id, code_of(served, first))
        once, twice = [
            await client.factors.challenge("alice", first.id, 60, idempotency_key="sign-in-1")
            for _ in range(2)
        ]
        assert once.id == twice.id
        await served.bench.settled(once.id)
        assert len(served.bench.pbx.legs) == 2


async def test_all_factors_are_read_page_by_page(served: Served) -> None:
    people = [f"person {number}" for number in range(5)]
    read, cursor = [], None
    async with AsyncClient(served.path) as client:
        for person in people:
            await client.factors.enroll(person, NUMBER, is_activated=True)
        while True:
            page = await client.factors.page(2, cursor)
            read += [factor.subscriber for factor in page.factors]
            if (cursor := page.next) is None:
                break
        assert (await client.factors.page(client="nobody")).factors == []
    assert read == people


async def test_a_guess_at_a_locked_factor_is_denied(served: Served) -> None:
    async with AsyncClient(served.path) as client:
        factor = await client.factors.enroll("alice", NUMBER)
        await delivered(served, factor)
        for _ in range(4):
            assert (await client.factors.activate("alice", factor.id, "0000000")).reason == "wrong_passcode"
        locked = await client.factors.activate("alice", factor.id, "0000000")
        assert (locked.status, locked.reason, locked.attempts_left) == ("denied", "locked", 0)
        assert locked.factor is not None
        assert locked.factor.verification is not None
        assert locked.factor.verification.status == "locked"


@pytest.mark.parametrize(
    ("problem", "reason"), [("factor_locked", "locked"), ("no_challenge", "no_challenge")]
)
def test_a_guess_that_is_not_judged_is_a_denied_one(problem: str, reason: str) -> None:
    body = {"type": f"urn:voicegate:problem:{problem}", "status": 409}
    judged = read(factor_requests.verify("alice", "fac_1", "471029"), httpx.Response(409, json=body))
    assert (judged.status, judged.reason, judged.factor) == ("denied", reason, None)
