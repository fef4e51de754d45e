"""What a hostile backend tries: another's ids at every door, keys that are rotated under it, odd timing."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.acceptance.test_daemon import RINGS_FOR_EVER, daemon, settings
from voicegate.client import ApiError, AsyncClient, Factor

__all__ = ["settings"]

SCOPES = ("verifications", "factors")


@dataclass(frozen=True)
class Parties:
    """An admin, and two backends that have nothing to do with each other."""

    admin: AsyncClient
    one: AsyncClient
    other: AsyncClient
    url: str


@pytest.fixture
async def parties(settings: Path) -> AsyncIterator[Parties]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings.write_text(f"{settings.read_text()}\n[tcp]\nenabled = true\nport = {port}\n")
    url = f"http://127.0.0.1:{port}"
    async with daemon(settings) as (admin, _), AsyncExitStack() as stack:
        keys = [(await admin.add_client(name, SCOPES)).key for name in ("one", "other")]
        one, other = [await stack.enter_async_context(AsyncClient(base_url=url, key=key)) for key in keys]
        yield Parties(admin, one, other, url)


async def opens(url: str, key: str) -> bool:
    async with AsyncClient(base_url=url, key=key) as client:
        try:
            await client.factors.list("alice")
        except ApiError as refused:
            return refused.status != 401
        return True


async def test_anothers_ids_are_unknown_at_both_doors_whatever_is_asked(parties: Parties) -> None:
    mine = await parties.one.factors.enroll("alice", RINGS_FOR_EVER)
    assert mine.verification is not None
    assert mine.call is not None
    thief = parties.other
    asked = [
        thief.factors.get("alice", mine.id),
        thief.factors.activate("alice", mine.id, "000000"),
        thief.factors.verify("alice", mine.id, "000000"),
        thief.factors.challenge("alice", mine.id),
        thief.factors.call_again("alice", mine.id),
        thief.factors.reset("alice", mine.id),
        thief.verification(mine.verification.id),
        thief.check(mine.verification.id, "000000"),
        thief.redial(mine.verification.id),
        thief.cancel(mine.verification.id),
        thief.call(mine.call.id),
        parties.one.factors.get("bob", mine.id),
    ]
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(answer, ApiError)
        assert answer.status == 404
    await at_oktas_door(parties, mine)
    await thief.factors.reset_all("alice")
    assert await thief.factors.list("alice") == []
    (kept,) = await parties.one.factors.list("alice")
    assert kept.verification is not None
    assert (kept.status, kept.verification.attempts_left) == ("pending_activation", 5)


async def at_oktas_door(parties: Parties, mine: Factor) -> None:
    path = f"/api/v1/users/alice/factors/{mine.id}"
    profile = {"profile": {"phoneNumber": mine.destination}}
    headers = parties.other._place.headers
    async with httpx.AsyncClient(base_url=parties.url, headers=headers, trust_env=False) as thief:
        answers = [
            await thief.get(path),
            await thief.post(f"{path}/lifecycle/activate", json={"passCode": "000000"}),
            await thief.post(f"{path}/verify", json={"passCode": "000000"}),
            await thief.post(f"{path}/verify", json={}),
            await thief.post(f"{path}/resend", json=profile),
            await thief.delete(path),
        ]
        assert [answer.status_code for answer in answers] == [404] * len(answers)
        assert (await thief.post("/api/v1/users/alice/lifecycle/reset_factors")).is_success
        assert (await thief.get("/api/v1/users/alice/factors")).json() == []


async def test_of_ten_rotations_at_once_one_key_lives(parties: Parties) -> None:
    given = await asyncio.gather(*(parties.admin.rotate_key("one") for _ in range(10)))
    assert sum([await opens(parties.url, key.key) for key in given]) == 1
    with pytest.raises(ApiError, match="The key is unknown"):
        await parties.one.calls()


async def test_a_reset_in_mid_call_hangs_up_and_leaves_nothing_to_guess_at(parties: Parties) -> None:
    factor = await parties.one.factors.enroll("alice", RINGS_FOR_EVER)
    assert factor.verification is not None
    async for step in parties.one.watch(factor.verification.id):
        if step.state == "ringing":
            await parties.one.factors.reset("alice", factor.id)
    assert step.outcome == "canceled"
    judgement = await parties.one.check(factor.verification.id, "000000")
    assert (judgement.status, judgement.reason) == ("denied", "canceled")
    with pytest.raises(ApiError) as over:
        await parties.one.redial(factor.verification.id)
    assert over.value.problem.name == "not_open"
    with pytest.raises(ApiError) as soon:
        await parties.one.factors.enroll("alice", RINGS_FOR_EVER)
    assert soon.value.problem.name == "too_soon"


async def test_resets_and_enrollments_at_once_leave_one_factor_at_most(parties: Parties) -> None:
    factors = parties.admin.factors
    turns = [
        factors.reset_all("alice") if turn % 2 else factors.enroll("alice", RINGS_FOR_EVER)
        for turn in range(20)
    ]
    await asyncio.gather(*turns, return_exceptions=True)
    assert len(await factors.list("alice")) <= 1
    assert len([call for call in await parties.admin.calls() if call.state != "ended"]) <= 1
