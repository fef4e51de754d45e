"""The daemon with a PostgreSQL server in the place of its SQLite file."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_daemon import BUSY, SETTINGS, TEST_NUMBER, daemon
from tests.postgresql import running_server

MORE = """
[receipts]
enabled = true
[test_numbers]
enabled = true
pace = 0.02
"""


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Path]:
    with running_server() as server, server.database() as url:
        text = SETTINGS.format(folder=tmp_path).replace(f"{tmp_path}/voicegate.db", url)
        file = tmp_path / "voicegate.toml"
        file.write_text(text + MORE)
        yield file


async def command(settings: Path, *arguments: str) -> str:
    line = [sys.executable, "-m", "voicegate", "--config", str(settings), *arguments]
    done = await asyncio.to_thread(subprocess.run, line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_calls_codes_factors_and_receipts_are_kept_over_a_restart(settings: Path) -> None:
    async with daemon(settings) as (client, _):
        created = await client.create_verification(TEST_NUMBER, lifetime_s=600)
        busy = await client.create_verification(BUSY)
        _ = [step async for step in client.watch(busy.id)]
        enrolled = await client.factors.enroll("alice", "+12025550107")
    async with daemon(settings) as (client, _):
        assert (await client.check(created.id, "123456")).status == "verified"
        (call,) = (await client.verification(busy.id)).calls
        assert (call.outcome, call.sip_status) == ("busy", 486)
        assert [factor.id for factor in await client.factors.list("alice")] == [enrolled.id]
        actions = {entry.action for entry in await client.audit(20)}
        assert {"verification.create", "verification.check"} <= actions
        assert "receipts proven" in await command(settings, "audit", "verify")
        assert "busy" in await command(settings, "audit", "export")
