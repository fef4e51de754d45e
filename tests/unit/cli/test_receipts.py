"""`voicegate audit verify`, `export` and `keys`: each command of the page, as an admin types it."""

import asyncio
import json
import re
import shlex
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import Result

from tests.pages import ROOT, blocks
from tests.unit.application.conftest import Bench, bench, limits, timings, trunks
from tests.unit.application.test_receipts import numbers, place, signing
from tests.unit.cli.conftest import run
from voicegate.adapters.keyfile.receipt_keys import create_receipt_keys
from voicegate.application.diagnostics import Finding, Level
from voicegate.bootstrap.checks import checks
from voicegate.bootstrap.receipts import ReceiptKeysCheck
from voicegate.config import load

__all__ = ["bench", "limits", "timings", "trunks"]
PAGE = ROOT / "docs/operate/receipts.md"


@pytest.fixture
async def folder(bench: Bench, tmp_path: Path) -> Path:
    """A folder with a database of three receipts, its keys and its settings."""
    again, _ = signing(bench, tmp_path)
    await place(again, *numbers(3))
    settings = f'[storage]\ndatabase = "{tmp_path}/test.db"\nkey_file = "{tmp_path}/key"\n'
    (tmp_path / "voicegate.toml").write_text(settings + blocks(PAGE, "toml")[0])
    return tmp_path


def voicegate(folder: Path, *words: str) -> Result:
    return run("--config", str(folder / "voicegate.toml"), *words)


def test_every_command_of_the_page_does_what_it_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for line in (line for block in blocks(PAGE, "sh") for line in block.splitlines()):
        words = shlex.split(line, comments=True)[1:]
        target = Path(words[words.index(">") + 1]) if ">" in words else None
        result = voicegate(folder, *words[: words.index(">") if target else None])
        assert result.exit_code == 0, result.output
        if target:
            target.write_text(result.stdout)
    assert [
        json.loads(json.loads(line)["body"])["seq"]
        for line in Path("receipts.jsonl").read_text().splitlines()
    ] == [
        1,
        2,
        3,
    ]
    assert result.stdout.startswith("3 receipts proven")


def test_a_receipt_that_was_noted_is_missed_when_the_end_is_cut_off(folder: Path) -> None:
    said = voicegate(folder, "audit", "verify").stdout
    (head,) = re.findall(r"3:[0-9a-f]{64}", said)
    assert voicegate(folder, "audit", "verify", "--holds", head).exit_code == 0
    with closing(sqlite3.connect(folder / "test.db")) as connection, connection:
        connection.execute("DELETE FROM receipts WHERE seq = 3")
    assert voicegate(folder, "audit", "verify").exit_code == 0
    result = voicegate(folder, "audit", "verify", "--holds", head, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["fault"] == f"the chain has no receipt {head}"


def test_a_changed_export_is_not_proven(folder: Path) -> None:
    exported, keys = folder / "receipts.jsonl", folder / "keys.json"
    exported.write_text(voicegate(folder, "audit", "export").stdout.replace("delivered", "busy", 1))
    keys.write_text(voicegate(folder, "audit", "keys").stdout)
    result = run("audit", "verify-file", str(exported), "--keys", str(keys))
    assert (result.exit_code, "is not signed" in result.stderr) == (1, True)
    exported.write_text("x")
    assert run("audit", "verify-file", str(exported), "--keys", str(keys)).exit_code == 1


def test_a_rotation_of_the_key_file_rotates_receipts_keys(folder: Path) -> None:
    before = json.loads(voicegate(folder, "audit", "keys").stdout)["public"]
    for options in ((), ("--drop-old",)):
        result = voicegate(folder, "key", "rotate", *options)
        assert result.exit_code == 0, result.output
    after = json.loads(voicegate(folder, "audit", "keys").stdout)["public"]
    assert len(after) == 3
    assert before.items() <= after.items()
    assert voicegate(folder, "audit", "verify").exit_code == 0


def test_without_keys_it_says_what_to_do(folder: Path) -> None:
    (folder / "key-receipts").unlink()
    result = voicegate(folder, "audit", "verify")
    assert result.exit_code == 6
    assert "missing" in result.stderr


async def keys_found(folder: Path) -> Finding:
    settings = await asyncio.to_thread(load, folder / "voicegate.toml")
    (finding,) = [one async for one in ReceiptKeysCheck(settings).run()]
    return finding


async def test_doctor_says_what_is_wrong_with_the_keys(folder: Path) -> None:
    file, aside = folder / "key-receipts", folder / "aside"
    found = await keys_found(folder)
    assert (found.level, "of the chain" in found.text) == (Level.OK, True)
    file.chmod(0o644)
    found = await keys_found(folder)
    assert (found.level, "chmod 600" in found.fix) == (Level.ERROR, True)
    file.chmod(0o600)
    file.rename(aside)
    found = await keys_found(folder)
    assert (found.level, "there are receipts" in found.text) == (Level.ERROR, True)
    create_receipt_keys(file, datetime.now(UTC))
    found = await keys_found(folder)
    assert (found.level, "the newest receipt is of" in found.text) == (Level.ERROR, True)
    right = aside.read_text().splitlines(keepends=True)
    other = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*right[:2], *other[2:]]))
    found = await keys_found(folder)
    assert (found.level, "signed the newest receipt" in found.text) == (Level.ERROR, True)
    (folder / "test.db").rename(folder / "gone.db")
    file.unlink()
    found = await keys_found(folder)
    assert (found.level, found.fix) == (Level.WARNING, "made on the first start")


def test_doctor_looks_at_the_keys_where_receipts_are_switched_on(folder: Path) -> None:
    settings = load(folder / "voicegate.toml")
    assert "receipts' keys" in [check.subject for check in checks(settings)]
    receipts = msgspec.structs.replace(settings.receipts, enabled=False)
    off = msgspec.structs.replace(settings, receipts=receipts)
    assert "receipts' keys" not in [check.subject for check in checks(off)]
