"""SIGHUP: what a running daemon takes over, and what it says needs a restart."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.unit.test_settings_checks import settings
from voicegate.bootstrap.policies import spend_policy
from voicegate.bootstrap.reloading import reload_for_ever
from voicegate.config import Settings, parse
from voicegate.domain.policy import SpendPolicy

HEAD = "trunk,prefix,price_per_minute,minimum_s,increment_s\n"


@pytest.fixture
def rates(tmp_path: Path) -> Path:
    file = tmp_path / "rates.csv"
    file.write_text(f"{HEAD}*,+1,0.02,60,60\n")
    return file


@pytest.fixture
def started(tmp_path: Path, rates: Path) -> Settings:
    return parse(settings(tmp_path, spend={"rates_file": str(rates), "money_per_client": 5}))


async def reloaded(started: Settings, *wanted: Settings) -> tuple[list[SpendPolicy], list[str]]:
    """What a daemon takes over of some settings, one after the other, and what it logs."""
    taken: list[SpendPolicy] = []
    queue: asyncio.Queue[Settings] = asyncio.Queue()
    with capture_logs() as logs:
        reloading = asyncio.create_task(reload_for_ever(started, (), queue, take_spend=taken.append))
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
    ((spend,), _) = await reloaded(started, started)
    new = spend.rates.find("carrier", "+12025550101")
    assert old is not None
    assert new is not None
    assert (old.per_minute, new.per_minute) == (20_000, 50_000)


async def test_a_wrong_line_leaves_the_rates_as_they_were(started: Settings, rates: Path) -> None:
    await asyncio.to_thread(rates.write_text, f"{HEAD}*,+1,dear,60,60\n")
    taken, said = await reloaded(started, started)
    assert not taken
    assert "rates not reloaded: the previous ones stay in force" in said


async def test_caps_and_the_policy_wait_for_a_restart_and_that_is_said(started: Settings) -> None:
    spend = msgspec.structs.replace(started.spend, money_per_client=1)
    policy = msgspec.structs.replace(started.policy, max_calls=2)
    changed = msgspec.structs.replace(started, spend=spend, policy=policy)
    (taken, said) = await reloaded(started, changed)
    assert [one.caps for one in taken] == [spend_policy(started).caps]
    assert "changed settings need a restart" in said
