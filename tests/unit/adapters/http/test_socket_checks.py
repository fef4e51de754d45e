"""What is found of the way to the socket: its folder, and each user who may ask."""

import asyncio
import grp
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from voicegate.adapters.http.checks import SocketCheck
from voicegate.adapters.unix_socket import SocketFile, listening
from voicegate.application.diagnostics import Finding, Level
from voicegate.lab.deadlines import at_most

NOBODY = pwd.getpwnam("nobody")
NOGROUP = grp.getgrgid(NOBODY.pw_gid).gr_name

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others can come to; pytest's own they cannot."""
    made = Path(tempfile.mkdtemp(dir="/tmp", prefix="voicegate-"))  # open to all, which is the point
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def findings(file: SocketFile, audio_group: str | None = None) -> list[Finding]:
    async def look() -> list[Finding]:
        return [finding async for finding in SocketCheck(file, ["nobody"], audio_group).run()]

    return asyncio.run(look())


def user(file: SocketFile, audio_group: str | None = None) -> Finding:
    (finding,) = [found for found in findings(file, audio_group) if found.about == "user nobody"]
    return finding


def can_connect(path: Path) -> bool:
    """What the operating system says of it."""
    told = subprocess.run(
        ["test", "-w", str(path)],
        user=NOBODY.pw_uid,
        group=NOBODY.pw_gid,
        extra_groups=(),
        check=False,
        timeout=at_most(10),
    )
    return told.returncode == 0


@as_root
@pytest.mark.parametrize("folder_mode", [0o755, 0o750, 0o711, 0o700])
@pytest.mark.parametrize("mode", [0o660, 0o666, 0o600, 0o606])
@pytest.mark.parametrize("group", [0, NOBODY.pw_gid])
def test_a_user_reaches_the_socket_when_the_operating_system_says_so(
    folder: Path, folder_mode: int, mode: int, group: int
) -> None:
    file = SocketFile(folder / "run/api.sock", mode, group)
    (folder / "run").mkdir()
    (folder / "run").chmod(folder_mode)
    before = user(file)
    with listening(file):
        during = user(file)
        assert (during.level is Level.OK) is can_connect(file.path)
    assert before == during


@as_root
def test_what_is_in_the_way_is_named(folder: Path) -> None:
    (folder / "run").mkdir(mode=0o750)
    file = SocketFile(folder / "run/api.sock", 0o660, NOBODY.pw_gid)
    assert (
        f"cannot enter {folder}/run" in user(file).text,
        f"chmod o+x {folder}/run" in user(file).fix,
    ) == (
        True,
        True,
    )
    (folder / "run").chmod(0o755)
    assert user(file).level is Level.OK
    closed = user(SocketFile(folder / "run/api.sock", 0o660, 0))
    assert ("mode 0660, group root" in closed.text, "socket.group" in closed.fix) == (True, True)


def test_a_user_who_could_read_codes_is_told_of(folder: Path) -> None:
    found = user(SocketFile(folder / "api.sock", 0o666), audio_group=NOGROUP)
    assert (found.level, "can read codes" in found.text) == (Level.ERROR, True)


def test_a_user_is_told_how_to_leave_the_primary_group(folder: Path) -> None:
    found = user(SocketFile(folder / "api.sock", 0o666), audio_group=NOGROUP)
    assert found.fix.startswith(f"usermod --gid OTHER nobody: {NOGROUP} is their primary group")
    assert "gpasswd" not in found.fix


def test_a_user_is_told_how_to_leave_another_group(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = grp.getgrgid(0).gr_name
    monkeypatch.setattr(os, "getgrouplist", lambda _, gid: [gid, 0])
    found = user(SocketFile(folder / "api.sock", 0o666), audio_group=audio)
    assert found.fix.startswith(f"gpasswd --delete nobody {audio}")


def test_a_folder_that_cannot_be_made_is_told_with_the_command_that_makes_it(folder: Path) -> None:
    (folder / "file").touch()
    (finding,) = findings(SocketFile(folder / "file/run/api.sock"))
    assert finding.level is Level.ERROR
    assert f"{folder}/file/run does not exist" in finding.text
    assert finding.fix.endswith(f"-m 0755 {folder}/file/run")
