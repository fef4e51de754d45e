"""The key file: who may read it, what it looks like, and what is refused."""

import os
import pickle
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from voicegate.adapters.keyfile import FileKeyring
from voicegate.adapters.keyfile import file as keys
from voicegate.domain import passcode
from voicegate.domain.errors import KeyFileError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "key"


def refusal(file: Path) -> str:
    with pytest.raises(KeyFileError) as refused:
        FileKeyring.open(file)
    assert str(file) in str(refused.value)
    return str(refused.value)


def test_a_new_key_file_is_the_owners_alone_whatever_the_umask(file: Path) -> None:
    before = os.umask(0)
    try:
        FileKeyring.open(file)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_new_key_file_is_one_line_of_text_and_leaves_nothing_beside_it(file: Path) -> None:
    FileKeyring.open(file)
    word, made_at, digits = file.read_text("ascii").rstrip("\n").split(" ")
    assert word == "voicegate-key-2"
    assert datetime.fromisoformat(made_at) <= datetime.now(UTC)
    assert len(bytes.fromhex(digits)) == 32
    assert list(file.parent.iterdir()) == [file]


def test_every_key_file_is_another(tmp_path: Path) -> None:
    for name in ("one", "two"):
        FileKeyring.open(tmp_path / name)
    assert (tmp_path / "one").read_text() != (tmp_path / "two").read_text()


def test_a_key_file_that_is_there_is_left_as_it_is(file: Path) -> None:
    FileKeyring.open(file)
    before = file.read_text()
    FileKeyring.open(file)
    assert file.read_text() == before


def test_of_many_first_starts_at_once_all_get_the_same_key(file: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        keyrings = list(threads.map(lambda _: FileKeyring.open(file), range(64)))
    assert len({keyring.derive("ver_1", 10) for keyring in keyrings}) == 1
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o660, 0o644, 0o610])
def test_a_key_file_that_others_may_use_is_refused_with_the_fix(file: Path, mode: int) -> None:
    FileKeyring.open(file)
    file.chmod(mode)
    assert f"chmod 600 {file}" in refusal(file)


def test_a_key_file_that_only_the_owner_may_read_is_accepted(file: Path) -> None:
    FileKeyring.open(file)
    file.chmod(0o400)
    FileKeyring.open(file)


@pytest.mark.parametrize("change", [0, 1, 40, -1])
def test_a_cut_key_file_is_refused(file: Path, change: int) -> None:
    FileKeyring.open(file)
    file.write_bytes(file.read_bytes()[:change])
    assert "damaged" in refusal(file)


@pytest.mark.parametrize(
    "content",
    [
        b"x" * 81,
        b"\xff" * 81,
        b"voicegate-key-2 " + b"a" * 64 + b"\n",
        b"voicegate-key-2 2026-13-01T00:00:00Z " + b"a" * 64 + b"\n",
        b"-----BEGIN PRIVATE KEY-----",
    ],
)
def test_a_foreign_file_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    file.chmod(0o600)
    assert "not a key file" in refusal(file)


def test_a_longer_file_is_refused(file: Path) -> None:
    FileKeyring.open(file)
    file.write_bytes(file.read_bytes() + b"\n")
    assert "not a key file" in refusal(file)


def test_a_folder_in_its_place_is_refused(file: Path) -> None:
    file.mkdir()
    assert "ordinary file" in refusal(file)


def test_a_fifo_in_its_place_is_refused_without_waiting_for_a_writer(file: Path) -> None:
    os.mkfifo(file, 0o600)
    assert "ordinary file" in refusal(file)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "key"
    assert f"the folder {file.parent} must exist" in refusal(file)


def test_a_missing_key_file_is_not_replaced_where_it_must_exist(file: Path) -> None:
    with pytest.raises(KeyFileError, match="missing"):
        FileKeyring.open(file, may_create=False)
    assert not file.exists()


def test_each_purpose_has_a_key_of_its_own(file: Path) -> None:
    secret = b"s" * 32
    keyring = FileKeyring(secret)
    code = keyring.derive("ver_1", 10)
    assert code != passcode.derive(secret, "ver_1", 10)
    assert keyring.digest("ver_1", code) != passcode.digest(secret, "ver_1", code)


def test_codes_of_a_key_never_change_with_the_version() -> None:
    # A code on its way to a person outlives an upgrade.
    keyring = FileKeyring(bytes(range(32)))
    assert keyring.derive("ver_1", 10).digits == "9023948855"


def test_keys_are_not_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(FileKeyring(b"s" * 32))


OLD = f"voicegate-key-1 {bytes(range(32)).hex()}\n"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def write(file: Path, content: str) -> None:
    file.write_text(content)
    file.chmod(0o600)


def test_the_first_versions_file_is_read_and_takes_another_key(file: Path) -> None:
    write(file, OLD)
    (old,) = keys.read_keys(file)
    made = keys.new_key(NOW)
    assert keys.add_key(file, made, is_only=False) == [old, made]
    assert keys.read_keys(file) == [old, made]
    assert file.read_text().startswith(OLD)
    assert (old.made_at, made.made_at) == (None, NOW)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_code_counts_on_after_a_rotation_and_new_ones_have_the_new_key(file: Path) -> None:
    write(file, OLD)
    before = FileKeyring.open(file)
    code, own = before.derive("ver_1", 10), passcode.Passcode("471029")
    digest, sealed = before.digest("ver_1", code), before.seal("ver_2", own)
    keys.add_key(file, keys.new_key(NOW), is_only=False)
    after = FileKeyring.open(file)
    assert after.matches("ver_1", digest, code)
    assert after.derive_again("ver_1", 10, digest) == code
    assert after.unseal("ver_2", sealed) == own
    assert after.derive("ver_1", 10) != code
    assert before.number_digests("+12025550143")[0] == after.number_digests("+12025550143")[1]


def test_what_a_dropped_key_made_is_known_as_such(file: Path) -> None:
    write(file, OLD)
    before = FileKeyring.open(file)
    code = before.derive("ver_1", 10)
    digest, sealed = before.digest("ver_1", code), before.seal("ver_1", code)
    assert len(keys.add_key(file, keys.new_key(NOW), is_only=True)) == 1
    after = FileKeyring.open(file)
    assert not after.matches("ver_1", digest, code)
    with pytest.raises(KeyFileError):
        after.derive_again("ver_1", 10, digest)
    with pytest.raises(KeyFileError):
        after.unseal("ver_1", sealed)


def test_a_file_that_is_none_is_not_rotated_away(file: Path) -> None:
    write(file, "something else\n")
    for is_only in (True, False):
        with pytest.raises(KeyFileError, match="voicegate key new"):
            keys.add_key(file, keys.new_key(NOW), is_only=is_only)
    assert file.read_text() == "something else\n"


def test_rotations_at_once_lose_no_key(file: Path) -> None:
    FileKeyring.open(file)
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: keys.new_key(NOW), range(16)))
        list(threads.map(lambda key: keys.add_key(file, key, is_only=False), made))
    assert {key.id for key in made} < {key.id for key in keys.read_keys(file)}
    assert len(keys.read_keys(file)) == 17


def test_keys_are_not_without_number(file: Path) -> None:
    write(file, OLD * keys.MAX_KEYS)
    assert len(keys.read_keys(file)) == keys.MAX_KEYS
    with pytest.raises(KeyFileError, match="--drop-old"):
        keys.add_key(file, keys.new_key(NOW), is_only=False)


def test_a_key_does_not_show_and_its_name_tells_nothing_of_it() -> None:
    key = keys.Key(bytes(range(32)))
    assert key.id not in key.secret.hex()
    assert key.secret.hex() not in repr(key)
    assert "\\x01" not in repr(key)
