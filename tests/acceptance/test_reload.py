"""`voicegate reload` as an admin types it, with the daemon that it is for; the PBX is the simulator."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.test_daemon import SETTINGS, daemon
from voicegate.client import ApiError
from voicegate.lab.deadlines import at_most


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "voicegate.toml"
    file.write_text(SETTINGS.format(folder=tmp_path))
    return file


async def typed(settings: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voicegate", "--config", str(settings), "reload", *words]
    run = subprocess.run
    return await asyncio.to_thread(run, command, capture_output=True, text=True, timeout=at_most(30))


def change(settings: Path, old: str, new: str) -> None:
    text = settings.read_text()
    assert old in text
    settings.write_text(text.replace(old, new))


async def test_what_was_taken_and_what_was_not_is_told_and_counts_at_once(settings: Path) -> None:
    async with daemon(settings) as (client, process):
        done = await typed(settings)
        assert (done.returncode, done.stdout) == (
            0,
            "read again: the file of storage.key_file\nno setting has changed\n",
        )
        change(settings, '["US"]', '["CA"]')
        change(settings, "[trunks.carrier]", "[trunks.carrier]\nmax_calls = 3")
        done = await typed(settings)
        assert done.returncode == 0, done.stderr
        assert "taken: policy.allowed_countries\ntaken: trunks.carrier.max_calls\n" in done.stdout
        with pytest.raises(ApiError) as refused:
            await client.create_verification("+12025550104")
        assert refused.value.problem.name == "country_not_allowed"
        change(settings, "drain_timeout_s = 0", "drain_timeout_s = 1")
        done = await typed(settings, "--json")
        report = json.loads(done.stdout)
        assert (done.returncode, report["taken"]) == (1, [])
        assert report["not_taken"] == [{"setting": "call.drain_timeout_s", "why": "needs a restart"}]
        change(settings, '["CA"]', '["XX"]')
        done = await typed(settings)
        assert (done.returncode, done.stdout) == (5, "")
        assert "policy.allowed_countries" in done.stderr
        told = await client.reload()
        assert (told.error is not None, told.taken, process.poll()) == (True, [], None)
        assert "policy.allowed_countries" in str(told.error)
        entries = [one for one in await client.audit(50) if one.action == "settings.reload"]
        assert [one.decision for one in entries] == ["configuration_wrong", "allowed", "allowed", "allowed"]


async def test_who_is_no_admin_may_not(settings: Path) -> None:
    async with daemon(settings) as (client, _):
        given = await client.add_client("web", ["verifications"])
        answer = await client._http.post(
            "/v1/settings/reload", headers={"Authorization": f"Bearer {given.key}"}
        )
        assert answer.status_code == 403
        for path in ("/healthz", "/readyz"):
            assert (await client._http.get(path)).status_code == 200
