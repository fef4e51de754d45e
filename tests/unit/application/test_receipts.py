"""Receipts: each call's end is signed and chained, and proven after purge, rotation, backup and restore."""

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.application.conftest import NUMBER, Bench
from tests.unit.application.scripted import answers
from tests.unit.application.test_delivery import plot
from voicegate.adapters.keyfile.receipt_keys import ReceiptKeys, create_receipt_keys, rotate_receipt_keys
from voicegate.adapters.storage import engines, receipts
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.errors import KeyFileError
from voicegate.domain.receipt import ChainResult, Sealed, verify_chain

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def signing(bench: Bench, folder: Path) -> tuple[Bench, ReceiptKeys]:
    """The bench with receipts, by the keys in a folder."""
    file = folder / "key-receipts"
    create_receipt_keys(file, NOW)
    keys = ReceiptKeys.read(file)
    return replace(bench, adapters=replace(bench.adapters, receipt_signer=keys)).rebuilt(), keys


async def place(bench: Bench, *numbers: str) -> None:
    again = bench.rebuilt()
    async with again.app.delivery:
        for number in numbers:
            again.pbx.plots = [answers]
            await again.settled(await again.issue(number))


def chain_in(database: Path, keys: ReceiptKeys) -> tuple[Sealed | None, list[Sealed]]:
    engine = engines.connect_readers(engines.locate(database))
    with engine.connect() as connection:
        found = receipts.find_checkpoint(connection, keys.chain)
        chain = list(receipts.iterate_receipts(connection, keys.chain))
    engine.dispose()
    return found, chain


def prove(database: Path, keys: ReceiptKeys) -> ChainResult:
    checkpoint, chain = chain_in(database, keys)
    return verify_chain(checkpoint, chain, chain=keys.chain, proves=keys.proves)


def numbers(count: int, first: int = 0) -> list[str]:
    return [f"+12025550{100 + n}" for n in range(first, first + count)]


async def test_a_receipt_says_how_a_call_ended_and_has_no_code_and_no_number(
    bench: Bench, tmp_path: Path
) -> None:
    again, keys = signing(bench, tmp_path)
    await place(again, NUMBER)
    _, (receipt,) = chain_in(tmp_path / "test.db", keys)
    facts = json.loads(receipt.body)
    (record,) = await again.store.recent_calls(1)
    assert (facts["call"], facts["verification"]) == (record.call.id, record.call.challenge_id)
    assert (facts["trunk"], facts["caller_id"]) == ("carrier", record.call.caller_id)
    assert (facts["outcome"], facts["seq"]) == ("delivered", 1)
    assert facts["evidence"]["announced"] >= 1
    assert facts["rtp"]["sent"] is not None
    assert facts["sip_call_id"] == "a1@pbx"
    assert facts["number_digest"] == keys.number_digest(NUMBER)
    assert NUMBER.encode() not in receipt.body
    assert again.code(record.call.challenge_id).encode() not in receipt.body
    assert prove(tmp_path / "test.db", keys).receipts == 1


async def test_a_call_that_nobody_answered_has_a_receipt_with_its_cause(bench: Bench, tmp_path: Path) -> None:
    again, keys = signing(bench, tmp_path)
    again.pbx.plots = [plot(Hangup(17, 486))]  # type: ignore[list-item]
    async with again.app.delivery:
        await again.settled(await again.issue())
    _, (receipt,) = chain_in(tmp_path / "test.db", keys)
    facts = json.loads(receipt.body)
    assert (facts["outcome"], facts["cause"], facts["sip_status"], facts["rtp"]) == ("busy", 17, 486, None)


CHANGES = {
    "one is changed": "UPDATE receipts SET body ="
    " CAST(replace(CAST(body AS TEXT), 'delivered', 'busy') AS BLOB) WHERE seq = 2",
    "one is taken out": "DELETE FROM receipts WHERE seq = 2",
    "the first is taken out": "DELETE FROM receipts WHERE seq = 1",
    "two are swapped": "UPDATE receipts SET seq = 9 - seq WHERE seq IN (2, 3)",
    "one is signed otherwise": "UPDATE receipts SET signature = zeroblob(64) WHERE seq = 3",
    "one is there twice": "INSERT INTO receipts SELECT chain, 4, 'call_x', at, body, signature FROM receipts"
    " WHERE seq = 3",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_no_change_of_the_chain_is_proven(bench: Bench, tmp_path: Path, change: str) -> None:
    again, keys = signing(bench, tmp_path)
    await place(again, *numbers(3))
    database = tmp_path / "test.db"
    assert prove(database, keys).fault is None
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(change)
    found = prove(database, keys)
    assert found.fault is not None
    assert found.receipts < 4


async def test_a_chain_that_a_purge_cut_is_proven_by_its_checkpoint(bench: Bench, tmp_path: Path) -> None:
    again, keys = signing(bench, tmp_path)
    database = tmp_path / "test.db"
    await place(again, *numbers(3))
    again.clock.time += timedelta(days=1)
    await place(again, *numbers(2, 3))
    now, made = again.clock.time, again.app.receipts
    assert made is not None
    old = made.cut(now - timedelta(hours=1), now, 2)
    for deleted in (2, 1, 0):
        assert await again.store.transact(lambda tx: tx.cut_receipts(old)) == deleted
        found = prove(database, keys)
        assert (found.fault, found.head.seq) == (None, 5)
    assert prove(database, keys).receipts == 2
    cut = made.cut(now + timedelta(hours=1), now, 10)
    assert await again.store.transact(lambda tx: tx.cut_receipts(cut)) == 2
    assert prove(database, keys) == ChainResult(0, found.head)
    await place(again, *numbers(1, 5))
    found = prove(database, keys)
    assert (found.receipts, found.head.seq, found.fault) == (1, 6, None)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM receipt_checkpoints")
    assert prove(database, keys).fault is not None


@pytest.mark.parametrize("is_only", [False, True])
async def test_a_rotation_carries_the_chain_and_the_number_digests_over(
    bench: Bench, tmp_path: Path, is_only: bool
) -> None:
    again, keys = signing(bench, tmp_path)
    await place(again, NUMBER)
    file = tmp_path / "key-receipts"
    rotate_receipt_keys(file, NOW, is_only=is_only)
    after = ReceiptKeys.read(file)
    assert after.key_id != keys.key_id
    assert (after.chain, after.number_digest(NUMBER)) == (keys.chain, keys.number_digest(NUMBER))
    rotated = replace(again, adapters=replace(again.adapters, receipt_signer=after)).rebuilt()
    await place(rotated, "+12025550102")
    found = prove(tmp_path / "test.db", after)
    assert (found.receipts, found.fault) == (2, None)
    assert file.read_text().count(" sign ") == (1 if is_only else 2)


async def test_a_restored_backup_is_proven_and_goes_on(bench: Bench, tmp_path: Path) -> None:
    again, keys = signing(bench, tmp_path)
    await place(again, *numbers(2))
    database, copy = tmp_path / "test.db", tmp_path / "copy.db"
    with closing(sqlite3.connect(database)) as live, closing(sqlite3.connect(copy)) as backup:
        live.backup(backup)
    kept = tmp_path / "kept"
    shutil.copy(tmp_path / "key-receipts", kept)
    await place(again, *numbers(1, 2))
    restored = ReceiptKeys.read(kept)
    found = prove(copy, restored)
    assert (found.receipts, found.fault) == (2, None)
    # The same two, though the live chain has gone on: what was noted of it is still in it.
    assert [one.digest for one in chain_in(copy, restored)[1]] == [
        one.digest for one in chain_in(database, keys)[1][:2]
    ]


async def test_without_keys_there_are_no_receipts(bench: Bench, tmp_path: Path) -> None:
    await place(bench.rebuilt(), NUMBER)
    with closing(sqlite3.connect(tmp_path / "test.db")) as connection:
        assert connection.execute("SELECT count(*) FROM receipts").fetchone() == (0,)


@pytest.mark.parametrize(
    "damage", [lambda text: text[:-1], lambda text: "", lambda text: text * 2, lambda text: f"x\n{text}"]
)
def test_a_damaged_or_open_file_of_keys_is_refused(tmp_path: Path, damage: object) -> None:
    file = tmp_path / "key-receipts"
    create_receipt_keys(file, NOW)
    assert not create_receipt_keys(file, NOW)
    whole = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert callable(damage)
    file.write_text(damage(whole))
    with pytest.raises(KeyFileError):
        ReceiptKeys.read(file)
    file.write_text(whole)
    file.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        ReceiptKeys.read(file)
    with pytest.raises(KeyFileError, match="missing"):
        ReceiptKeys.open(tmp_path / "other", may_create=False)
