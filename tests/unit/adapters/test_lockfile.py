"""A lock that one process holds, and that no other user can."""

import fcntl
import os
import stat
from pathlib import Path

import pytest

from voicegate.adapters.lockfile import held
from voicegate.domain.errors import ConfigError

SETTING = "storage.database"


def hold(file: Path) -> None:
    with held(file, guarded=file.with_suffix(""), setting=SETTING):
        pass


def test_one_at_a_time_holds_it_and_the_other_learns_who(tmp_path: Path) -> None:
    file = tmp_path / "v.db.lock"
    with (
        held(file, guarded=tmp_path / "v.db", setting=SETTING),
        pytest.raises(
            ConfigError, match=rf"{SETTING}: another daemon uses .*v\.db \(process {os.getpid()}\)"
        ),
    ):
        hold(file)
    hold(file)


@pytest.mark.parametrize("umask", [0, 0o022])
def test_nobody_else_can_open_it_and_so_nobody_else_can_hold_it(tmp_path: Path, umask: int) -> None:
    file, before = tmp_path / "v.db.lock", os.umask(umask)
    try:
        hold(file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.chmod(0o644)
        hold(file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    finally:
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's file")
def test_another_users_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "v.db.lock"
    file.touch()
    os.chown(file, 65534, 65534)
    with pytest.raises(ConfigError, match=f"{SETTING}: {file} belongs to nobody"):
        hold(file)
    assert file.stat().st_uid == 65534


def test_a_link_to_elsewhere_is_not_followed(tmp_path: Path) -> None:
    file = tmp_path / "v.db.lock"
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=SETTING):
        hold(file)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"the folder {tmp_path / 'none'} does not exist"):
        hold(tmp_path / "none" / "v.db.lock")


def test_it_is_let_go_of_when_its_holder_ends_in_an_error(tmp_path: Path) -> None:
    file = tmp_path / "v.db.lock"
    with pytest.raises(RuntimeError), held(file, guarded=file, setting=SETTING):
        raise RuntimeError
    with file.open() as opened:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
