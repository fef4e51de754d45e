"""What the issue promises of factors whatever comes at once, at the daemon with its real store."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.acceptance.test_daemon import TEST_NUMBER, daemon, settings
from voicegate.client import ApiError, AsyncClient, Factor

__all__ = ["settings"]

CODE, WRONG = "123456", "654321"


@pytest.fixture
async def client(settings: Path) -> AsyncIterator[AsyncClient]:
    """An admin of a daemon with test numbers, which may call a person again at once."""
    text = settings.read_text().replace("[policy]", "[policy]\ncall_spacing_s = 0")
    settings.write_text(f"{text}\n[test_numbers]\nenabled = true\npace = 0.02\n")
    async with daemon(settings) as (admin, _):
        yield admin


async def delivered(client: AsyncClient, told: Factor) -> None:
    assert told.verification is not None
    _ = [step async for step in client.watch(told.verification.id)]


async def active(client: AsyncClient, subscriber: str = "alice") -> Factor:
    """An active factor whose activation's call has ended."""
    factor = await client.factors.enroll(subscriber, TEST_NUMBER)
    await delivered(client, factor)
    assert (await client.factors.activate(subscriber, factor.id, CODE)).status == "verified"
    return factor


T = TypeVar("T")


async def answered(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until a busy machine takes it, as its refusal says that one may."""
    while True:
        try:
            return await ask()
        except ApiError as refused:
            if refused.problem.name != "overloaded":
                raise
            await asyncio.sleep(refused.problem.retry_after_s or 1)


async def test_of_fifty_right_codes_at_once_one_activates(client: AsyncClient) -> None:
    factor = await client.factors.enroll("alice", TEST_NUMBER)
    guesses = [answered(lambda: client.factors.activate("alice", factor.id, CODE)) for _ in range(50)]
    results = Counter(result.reason for result in await asyncio.gather(*guesses))
    assert results == {None: 1, "already_used": 49}


async def test_of_fifty_right_codes_at_once_one_signs_in(client: AsyncClient) -> None:
    factor = await active(client)
    await client.factors.challenge("alice", factor.id)
    guesses = [answered(lambda: client.factors.verify("alice", factor.id, CODE)) for _ in range(50)]
    results = Counter(result.reason for result in await asyncio.gather(*guesses))
    assert results == {None: 1, "already_used": 49}


async def test_of_fifty_right_codes_at_once_at_both_doors_one_counts(client: AsyncClient) -> None:
    factor = await active(client)
    challenge = await client.factors.challenge("alice", factor.id)
    guesses = asyncio.gather(
        *(answered(lambda: client.factors.verify("alice", factor.id, CODE)) for _ in range(25))
    )
    checks = asyncio.gather(*(answered(lambda: client.check(challenge.id, CODE)) for _ in range(25)))
    at_factor, plain = await asyncio.gather(guesses, checks)
    results = Counter([*(one.status for one in at_factor), *(one.status for one in plain)])
    assert results == {"verified": 1, "denied": 49}


async def test_enrolling_a_subscriber_many_times_at_once_gives_one_factor_and_one_call(
    client: AsyncClient,
) -> None:
    factors = await asyncio.gather(*(client.factors.enroll("alice", TEST_NUMBER) for _ in range(20)))
    assert len({factor.id for factor in factors}) == 1
    assert len(await client.factors.list("alice")) == 1
    assert len(await client.calls(test_numbers=True)) == 1


async def test_two_telephones_at_once_give_one_factor(client: AsyncClient) -> None:
    numbers = (TEST_NUMBER, "+15005550106")
    given = await asyncio.gather(
        *(client.factors.enroll("alice", number) for number in numbers), return_exceptions=True
    )
    (refused,) = [answer for answer in given if isinstance(answer, ApiError)]
    assert refused.problem.name == "already_enrolled"
    assert len(await client.factors.list("alice")) == 1


async def test_challenging_many_times_at_once_places_one_call(client: AsyncClient) -> None:
    factor = await active(client)
    before = len(await client.calls(test_numbers=True))
    given = await asyncio.gather(
        *(client.factors.challenge("alice", factor.id) for _ in range(10)), return_exceptions=True
    )
    refused = [answer.problem.name for answer in given if isinstance(answer, ApiError)]
    assert refused == ["call_in_progress"] * 9
    assert len(await client.calls(test_numbers=True)) == before + 1


async def test_guesses_spent_at_one_code_refuse_no_guess_at_another(client: AsyncClient) -> None:
    factor = await active(client)
    await client.factors.challenge("alice", factor.id)
    plain = await client.create_verification(TEST_NUMBER)
    for _ in range(4):
        assert (await client.check(plain.id, WRONG)).reason == "wrong_passcode"
    assert (await client.check(plain.id, WRONG)).reason == "locked"
    assert (await client.factors.verify("alice", factor.id, WRONG)).reason == "wrong_passcode"
    assert (await client.factors.verify("alice", factor.id, CODE)).status == "verified"
