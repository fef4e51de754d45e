"""`voicegate db`: upgrade, backup and prune, as an admin types them."""

import asyncio
import json
import shutil
import sqlite3
import stat
import tarfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.filled import NEWEST, fill
from tests.unit.adapters.test_migrations import migrate_file
from tests.unit.application.conftest import Bench, bench, limits, timings, trunks
from tests.unit.application.test_receipts import numbers, place, signing
from tests.unit.cli.conftest import run
from voicegate.adapters.keyfile import FileKeyring
from voicegate.adapters.storage import SqlStore
from voicegate.adapters.storage.migrations import newest_revision

__all__ = ["bench", "limits", "timings", "trunks"]

CONFIG = """\
[storage]
database = "{folder}/voicegate.db"
key_file = "{folder}/key"
state_folder = "{folder}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with settings and a key file."""
    return settle(tmp_path / "here")


def settle(folder: Path, more: str = "") -> Path:
    folder.mkdir()
    (folder / "voicegate.toml").write_text(CONFIG.format(folder=folder) + more)
    FileKeyring.open(folder / "key")
    return folder


def voicegate(folder: Path, *words: str) -> Result:
    return run("--config", str(folder / "voicegate.toml"), "db", *words)


def answer(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_an_upgrade_says_from_and_to_which_revision_and_where_the_copy_is(folder: Path) -> None:
    migrate_file(folder / "voicegate.db", "0021")
    found = answer(voicegate(folder, "upgrade", "--json"))
    assert (found["before"], found["after"]) == ("0021", newest_revision())
    assert Path(str(found["copy"])).exists()
    again = voicegate(folder, "upgrade")
    assert again.stdout == f"is at revision {newest_revision()}: nothing to do\n"


@pytest.mark.parametrize("command", ["upgrade", "prune"])
def test_without_a_database_it_is_said_who_makes_it(folder: Path, command: str) -> None:
    result = voicegate(folder, command)
    assert result.exit_code == 6
    assert "the daemon makes it at its first start" in result.stderr
    assert not (folder / "voicegate.db").exists()


def test_a_database_of_an_older_version_is_not_pruned(folder: Path) -> None:
    migrate_file(folder / "voicegate.db", "0021")
    result = voicegate(folder, "prune")
    assert result.exit_code == 6
    assert "revision 0021" in result.stderr
    assert "voicegate db upgrade" in result.stderr


async def test_what_is_counted_is_what_is_deleted(folder: Path) -> None:
    database = folder / "voicegate.db"
    async with SqlStore(database):
        pass
    # One a minute: the settings' days end among them.
    await asyncio.to_thread(fill, database, 500)
    days = (datetime.now(UTC) - NEWEST).days
    with (folder / "voicegate.toml").open("a") as settings:
        settings.write(f"[retention]\ncalls_days = {days}\ntimelines_days = {days}\naudit_days = {days}\n")
    before = rows(database)
    counted = answer(await asyncio.to_thread(voicegate, folder, "prune", "--dry-run", "--json"))
    assert counted["dry_run"] is True
    assert rows(database) == before
    deleted = answer(await asyncio.to_thread(voicegate, folder, "prune", "--json"))
    assert deleted["rows"] == counted["rows"]
    after = rows(database)
    for table in ("calls", "timeline", "challenges", "audit"):
        assert counted["rows"][table] == before[table] - after[table]
    assert after["call_counts"] == before["call_counts"] > 0
    assert voicegate(folder, "prune").stdout == "nothing is old enough\n"


def rows(database: Path) -> dict[str, int]:
    with closing(sqlite3.connect(database)) as connection:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("challenges", "calls", "timeline", "audit", "call_counts")
        }


def test_a_backup_replaces_nothing(folder: Path, tmp_path: Path) -> None:
    migrate_file(folder / "voicegate.db", "head")
    assert voicegate(folder, "backup", str(tmp_path / "copy")).exit_code == 0
    before = {file.name: file.read_bytes() for file in (tmp_path / "copy").iterdir()}
    again = voicegate(folder, "backup", str(tmp_path / "copy"))
    assert again.exit_code == 6
    assert "replaces nothing" in again.stderr
    assert {file.name: file.read_bytes() for file in (tmp_path / "copy").iterdir()} == before


def test_a_backup_that_fails_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    migrate_file(folder / "voicegate.db", "head")
    (folder / "key").unlink()
    for name in ("copy", "copy.tar"):
        result = voicegate(folder, "backup", str(tmp_path / name))
        assert result.exit_code == 6
        assert str(folder / "key") in result.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["here"]


@pytest.mark.parametrize("name", ["copy", "copy.tar"])
async def test_a_new_machine_goes_on_from_a_backup(bench: Bench, tmp_path: Path, name: str) -> None:
    again, _ = signing(bench, tmp_path)
    await place(again, *numbers(3))
    folder = tmp_path / "here"
    settle(folder, '[webhooks.shop]\nurl = "https://shop.example/hook"\nsecret_file = "/etc/shop"\n')
    for present in ("test.db", "test.db-wal", "key-receipts"):
        shutil.copy(tmp_path / present, folder / present.replace("test", "voicegate"))
    (folder / "recordings/en").mkdir(parents=True)
    (folder / "recordings/en/goodbye.wav").write_bytes(b"sound")
    made = answer(await asyncio.to_thread(voicegate, folder, "backup", str(tmp_path / name), "--json"))
    assert made["missing"] == {"webhooks.shop.secret_file": "/etc/shop"}
    assert made["revision"] == newest_revision()
    there = restore(tmp_path / name, tmp_path / "there")
    proven = run("--config", str(there / "voicegate.toml"), "audit", "verify")
    assert proven.stdout.startswith("3 receipts proven"), proven.output
    assert (there / "recordings/en/goodbye.wav").read_bytes() == b"sound"
    assert (there / "key").read_bytes() == (folder / "key").read_bytes()
    async with SqlStore(there / "voicegate.db") as store:
        assert len(await store.recent_calls(9)) == 3


def restore(backup: Path, folder: Path) -> Path:
    """Put the files of a backup into a new folder, with settings that name it."""
    if backup.suffix == ".tar":
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600
        with tarfile.open(backup) as tar:
            tar.extractall(folder, filter="fully_trusted")
    else:
        assert stat.S_IMODE(backup.stat().st_mode) == 0o700
        shutil.copytree(backup, folder)
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir() if file.is_file()} == {0o600}
    told = json.loads((folder / "backup.json").read_text())["files"]
    assert told.keys() | {"backup.json"} == {entry.name for entry in folder.iterdir()}
    (folder / "voicegate.toml").write_text(CONFIG.format(folder=folder))
    return folder
