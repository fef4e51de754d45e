"""Held ranges, by what calls show and by admins, on the real store."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.application.conftest import ADMIN, OTHER, TESTER, UNHURRIED, Bench
from tests.unit.application.test_velocity import OPEN, ask, reasons
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.prefix_holds import PrefixChanged
from voicegate.application.retention import Retention
from voicegate.application.sign_in import Issued, IssueRequest
from voicegate.application.unit_of_work import NotFound
from voicegate.domain.client import Principal
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import ConversionPolicy, DenyReason

RANGE = "+1202555"
LATER = timedelta(minutes=10)


@pytest.fixture
async def judged(bench: Bench) -> AsyncIterator[Bench]:
    """It takes three calls to a range, and two clients."""
    conversion = ConversionPolicy(floor=0.5, min_calls_prefix=3, min_calls_country=100, clients=2)
    made = bench.rebuilt(policy=replace(UNHURRIED, velocity=OPEN, conversion=conversion))
    async with made.delivery:
        yield made


async def call(bench: Bench, by: Principal = TESTER, *, enters: int = 0, own: bool = False) -> None:
    """Four calls whose codes are over, of which some are entered."""
    for n in range(4):
        code = Passcode("123456") if own else None
        spec = ChallengeSpec(Destination(f"+120255501{n:02}"), passcode=code)
        issued = await bench.sign_in.issue(IssueRequest(by, spec))
        assert isinstance(issued, Issued)
        challenge_id = issued.record.challenge.id
        await bench.settled(challenge_id)
        if n < enters:
            await bench.sign_in.verify(by, challenge_id, Passcode(bench.code(challenge_id)))
        await bench.sign_in.cancel(by, challenge_id)


async def test_a_range_that_proves_no_codes_is_held_for_that_client_and_lifted(judged: Bench) -> None:
    holds = judged.app.prefix_holds
    await call(judged)
    (held,) = await holds.judge()
    assert (held.key, held.client, held.reason) == (RANGE, "tester", "0 of 4 codes were entered")
    told = (await judged.audit.entries(1))[0]
    assert (told.action, told.decision, told.client) == ("prefix.hold", "alarm", "tester")
    assert reasons([await ask(judged, "+12025550199")]) == [DenyReason.PREFIX_HELD]
    assert isinstance(await ask(judged, "+12025550199", by=OTHER), Issued)
    assert isinstance(await ask(judged, "+12125550199"), Issued)
    assert not await holds.judge()
    lifted = await holds.lift(ADMIN, RANGE, client="tester", reason="a fair")
    assert isinstance(lifted, PrefixChanged)
    assert not await holds.judge()
    newest = (await judged.audit.entries(1))[0]
    assert (newest.action, newest.subject, newest.reason) == ("prefix.lift", RANGE, "a fair")
    assert isinstance(await ask(judged, "+12025550198"), Issued)


async def test_codes_that_are_entered_or_made_by_the_client_hold_nothing(judged: Bench) -> None:
    await call(judged, enters=2)
    await call(judged, OTHER, own=True)
    assert not await judged.app.prefix_holds.judge()


async def test_what_several_clients_show_is_held_for_all_until_it_is_over(judged: Bench) -> None:
    await call(judged)
    judged.clock.time += timedelta(minutes=1)
    await call(judged, OTHER)
    held = await judged.app.prefix_holds.judge()
    assert [one.client for one in held] == ["other", "tester", ""]
    third = Principal("third", TESTER.scopes, "req_9")
    assert reasons([await ask(judged, "+12025550199", by=third)]) == [DenyReason.PREFIX_HELD]
    judged.clock.time += timedelta(hours=1)
    assert isinstance(await ask(judged, "+12025550199", by=third), Issued)
    assert not await judged.app.prefix_holds.judge()


async def test_an_admin_holds_a_country_for_one_client(bench: Bench) -> None:
    holds = bench.app.prefix_holds
    await holds.hold(ADMIN, "US", client="tester", length=LATER, reason="the bill")
    assert [hold.held_by for hold in await holds.list()] == ["root"]
    assert reasons([await ask(bench, "+12025550199")]) == [DenyReason.PREFIX_HELD]
    assert isinstance(await ask(bench, "+12025550199", by=OTHER), Issued)
    assert isinstance(await holds.lift(ADMIN, "US", client="", reason="?"), NotFound)
    bench.clock.time += LATER
    assert await holds.list() == []


async def test_a_hold_is_deleted_once_it_is_over_for_longer_than_any_call_is_judged(judged: Bench) -> None:
    holds, kept = judged.app.prefix_holds, Retention()
    for key, length in ((RANGE, timedelta(hours=1)), ("US", timedelta(days=30))):
        await holds.hold(ADMIN, key, client="", length=length, reason="the bill")
    judged.clock.time += timedelta(hours=24)
    await judged.store.purge(kept.kept(judged.clock.now()), 100)
    assert [one.key for one in await judged.store.prefix_holds()] == [RANGE, "US"]
    judged.clock.time += timedelta(hours=2)
    await judged.store.purge(kept.kept(judged.clock.now()), 100)
    assert [one.key for one in await judged.store.prefix_holds()] == ["US"]
