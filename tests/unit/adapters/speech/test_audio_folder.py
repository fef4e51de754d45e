"""The folder of calls' sounds: whoever it was made for first, the group that is set now can enter it."""

import grp
import os
import shutil
import stat
from pathlib import Path

import pytest

from voicegate.adapters.speech.files import AudioFolder
from voicegate.domain.errors import SpeechError


def own_groups() -> list[str]:
    """Groups that we may give a file to, but for the one that files get by themselves."""
    given = [entry.gr_gid for entry in grp.getgrall()] if os.geteuid() == 0 else os.getgroups()
    return [grp.getgrgid(gid).gr_name for gid in given if gid != os.getegid()]


@pytest.fixture
def groups() -> tuple[str, str]:
    found = own_groups()
    if len(found) < 2:
        pytest.skip("this user is in less than three groups")
    return found[0], found[1]


def group_and_mode(path: Path) -> tuple[str, int]:
    found = path.stat()
    return grp.getgrgid(found.st_gid).gr_name, stat.S_IMODE(found.st_mode)


def use(path: Path, group: str | None) -> tuple[str, int]:
    """What a start and a call with that group do; returns whose the call's file is."""
    folder = AudioFolder(path, "wav", group)
    folder.sweep()
    name = folder.claim()
    folder.write(name, b"sound")
    made = group_and_mode(path / f"{name}.wav")
    folder.release(name)
    return made


@pytest.mark.parametrize("is_first_set", [False, True])
def test_a_group_that_is_set_later_can_enter_the_folder_that_was_made_before(
    tmp_path: Path, groups: tuple[str, str], *, is_first_set: bool
) -> None:
    path = tmp_path / "audio"
    use(path, groups[0] if is_first_set else None)
    assert use(path, groups[1]) == (groups[1], 0o640)
    assert group_and_mode(path) == (groups[1], 0o750)


def test_a_folder_whose_group_may_not_enter_lets_it(tmp_path: Path, groups: tuple[str, str]) -> None:
    path = tmp_path / "audio"
    path.mkdir()
    shutil.chown(path, group=groups[0])
    path.chmod(0o700)
    use(path, groups[0])
    assert group_and_mode(path) == (groups[0], 0o750)


def test_a_folder_that_everybody_may_enter_is_left_as_it_is(tmp_path: Path, groups: tuple[str, str]) -> None:
    path = tmp_path / "audio"
    path.mkdir(mode=0o755)
    path.chmod(0o755)
    before = group_and_mode(path)
    use(path, groups[0])
    assert group_and_mode(path) == before


def test_a_folder_that_we_may_not_give_away_is_told_with_the_fix(
    tmp_path: Path, groups: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audio"
    use(path, groups[0])
    if os.geteuid() != 0:
        pytest.skip("a folder of root's is root's to make")
    # As a folder that root made looks to the daemon's user.
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    with pytest.raises(SpeechError, match=f"chgrp {groups[1]} {path} && chmod 750 {path}"):
        AudioFolder(path, "wav", groups[1]).sweep()


def test_a_group_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="there is no group 'no-such-group'"):
        AudioFolder(tmp_path / "audio", "wav", "no-such-group").sweep()
