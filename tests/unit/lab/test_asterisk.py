"""One Asterisk's folder: absolute paths, only the modules it needs, readable by its owner only."""

import stat
from pathlib import Path

import pytest

from voicegate.lab.asterisk import AsteriskInstance
from voicegate.lab.errors import LabError
from voicegate.lab.packages import Asterisk
from voicegate.lab.processes import Daemon


@pytest.fixture
def instance(tmp_path: Path) -> AsteriskInstance:
    program = Asterisk(("/bin/false",), tmp_path / "modules", tmp_path / "data", tmp_path / "voice")
    return AsteriskInstance(Daemon("pbx", tmp_path / "run"), program, tmp_path / "home", tmp_path / "ctl")


def test_all_of_its_folders_are_absolute_and_exist(instance: AsteriskInstance) -> None:
    instance.write({})
    main = (instance.home / "etc/asterisk.conf").read_text()
    folders = [Path(line.split(" => ")[1]) for line in main.splitlines() if " => " in line]
    assert len(folders) == 11
    assert all(folder.is_absolute() for folder in folders)
    assert all(folder.is_dir() for folder in folders if folder != instance.program.modules)


def test_it_loads_the_listed_modules_and_no_others(instance: AsteriskInstance) -> None:
    instance.write({})
    modules = (instance.home / "etc/modules.conf").read_text()
    assert "autoload = no\n" in modules
    loaded = [line for line in modules.splitlines() if line.startswith("load = ")]
    assert len(loaded) == len(set(loaded)) > 40


def test_its_files_are_its_owners_only_for_they_hold_secrets(instance: AsteriskInstance) -> None:
    instance.write({"manager.conf": "[general]\n"})
    for file in (instance.home / "etc").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_writing_twice_is_writing_once(instance: AsteriskInstance) -> None:
    instance.write({"x.conf": "a"})
    instance.write({"x.conf": "b"})
    assert (instance.home / "etc/x.conf").read_text() == "b"
    assert (instance.home / "lib/sounds/en").readlink() == instance.program.sounds


def test_one_that_does_not_run_says_so(instance: AsteriskInstance) -> None:
    instance.write({})
    with pytest.raises(LabError, match="pbx cannot be asked"):
        instance.command("core show version")
    with pytest.raises(LabError, match="pbx does not boot"):
        instance.wait_ready()
