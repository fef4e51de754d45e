"""SIGHUP: what a running daemon takes over, and what it says needs a restart."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.unit.test_settings_checks import settings
from voicegate.bootstrap.policies import call_policy, spend_policy
from voicegate.bootstrap.reloading import reload_for_ever
from voicegate.config import Settings, parse
from voicegate.domain.policy import CallPolicy

HEAD = "trunk,prefix,price_per_minute,minimum_s,increment_s\n"


@pytest.fixture
def rates(tmp_path: Path) -> Path:
    file = tmp_path / "rates.csv"
    file.write_text(f"{HEAD}*,+1,0.02,60,60\n")
    return file


@pytest.fixture
def started(tmp_path: Path, rates: Path) -> Settings:
    return parse(settings(tmp_path, spend={"rates_file": str(rates), "money_per_client": 5}))


async def reloaded(started: Settings, *wanted: Settings) -> tuple[list[CallPolicy], list[str]]:
    """What a daemon takes over of some settings, one after the other, and what it logs."""
    taken: list[CallPolicy] = []
    queue: asyncio.Queue[Settings] = asyncio.Queue()
    with capture_logs() as logs:
        reloading = asyncio.create_task(reload_for_ever(started, (), queue, take_policy=taken.append))
        for one in wanted:
            before = len(logs)
            queue.put_nowait(one)
            while not any(line["event"] == "settings reloaded" for line in logs[before:]):
                await asyncio.sleep(0)
        reloading.cancel()
    return taken, [line["event"] for line in logs]


async def test_new_rates_count_from_a_reload_on(started: Settings, rates: Path) -> None:
    old = spend_policy(started).rates.find("carrier", "+12025550101")
    await asyncio.to_thread(rates.write_text, f"{HEAD}*,+1,0.05,60,60\n")
    ((policy,), _) = await reloaded(started, started)
    new = policy.spend.rates.find("carrier", "+12025550101")
    assert old is not None
    assert new is not None
    assert (old.per_minute, new.per_minute) == (20_000, 50_000)


async def test_a_wrong_line_leaves_the_rates_as_they_were(started: Settings, rates: Path) -> None:
    await asyncio.to_thread(rates.write_text, f"{HEAD}*,+1,dear,60,60\n")
    taken, said = await reloaded(started, started)
    assert not taken
    assert "policy not reloaded: the previous one stays in force" in said


async def test_caps_and_the_policy_are_taken_over_and_trunks_wait_for_a_restart(started: Settings) -> None:
    spend = msgspec.structs.replace(started.spend, money_per_client=1)
    policy = msgspec.structs.replace(started.policy, max_calls=2, conversion_floor=0.5)
    service = msgspec.structs.replace(started.service, support_contact="+1 202 555 0199")
    changed = msgspec.structs.replace(started, spend=spend, policy=policy, service=service)
    ((taken,), said) = await reloaded(started, changed)
    assert taken == call_policy(changed)
    assert (taken.max_calls, taken.conversion.floor) == (2, 0.5)
    assert "changed settings need a restart" not in said
    moved = {"carrier": msgspec.structs.replace(started.trunks["carrier"], max_calls=1)}
    (_, said) = await reloaded(started, msgspec.structs.replace(started, trunks=moved))
    assert "changed settings need a restart" in said


async def test_the_profile_waits_for_a_restart_because_it_is_about_codes_too(started: Settings) -> None:
    policy = msgspec.structs.replace(started.policy, profile="nist-800-63b-4")
    (_, said) = await reloaded(started, msgspec.structs.replace(started, policy=policy))
    assert "changed settings need a restart" in said
