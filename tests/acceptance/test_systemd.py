"""What systemd is given and told: the unit, the users and groups, and the daemon's words to it."""

import asyncio
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.acceptance.test_daemon import SETTINGS, start
from voicegate.cli.main import main
from voicegate.config import project_folder
from voicegate.lab.deadlines import at_most
from voicegate.lab.errors import PackageError
from voicegate.lab.packages import ensure_packages, unpacked_command

UNIT = project_folder("config") / "voicegate.service"


def systemd(program: str) -> tuple[str, ...]:
    """The command of one of systemd's programs, of Debian's package, which is fetched once."""
    try:
        root = ensure_packages(("systemd",), suites=(), progress=lambda _text, _done: None)
    except PackageError as error:
        pytest.skip(f"systemd's package cannot be fetched: {error}")
    folder = "usr/bin" if (root / "usr/bin" / program).is_file() else "bin"
    loader, option, libraries, path = unpacked_command(root, f"{folder}/{program}")
    # Its programs look for a library of its own below /lib.
    own = ":".join(str(place) for place in (root / "lib/systemd", root / "usr/lib/systemd"))
    return loader, option, f"{libraries}:{own}", path


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=at_most(60), check=False)


@pytest.fixture(params=["config", "init"])
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The unit, or the one that `voicegate init` writes, with a program that is there on every machine."""
    if request.param == "init":
        asked = ("--caller-id", "+12025550100", "--program", "/bin/true", "--credentials")
        made = CliRunner().invoke(main, ("init", str(tmp_path), *asked))
        assert made.exit_code == 0, made.output
        return tmp_path / "systemd/voicegate.service"
    text = UNIT.read_text()
    assert "ExecStart=/usr/local/bin/voicegate serve\n" in text
    file = tmp_path / "voicegate.service"
    file.write_text(text.replace("/usr/local/bin/voicegate ", "/bin/true "))
    return file


def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    verified = run(*systemd("systemd-analyze"), "--man=no", "verify", str(unit))
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    judged = run(
        *systemd("systemd-analyze"), "security", "--offline=true", "--no-pager", "--threshold=20", str(unit)
    )
    assert judged.returncode == 0, judged.stdout  # an exposure of 2.0 at most


def test_the_users_and_groups_keep_backends_from_the_sounds(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    rules = project_folder("config") / "sysusers.conf"
    made = run(
        *systemd("systemd-sysusers"), f"--root={tmp_path}", "--replace=/etc/sysusers.d/v.conf", str(rules)
    )
    assert made.returncode == 0, made.stderr
    groups = [line.split(":") for line in (tmp_path / "etc/group").read_text().split()]
    members = {name: people for name, _, _, people in groups}
    assert members == {"voicegate": "", "voicegate-audio": "voicegate", "voicegate-clients": "voicegate"}
    folders = (project_folder("config") / "tmpfiles.conf").read_text().splitlines()
    rights = {line.split()[1]: line.split()[2:5] for line in folders if line.startswith("d ")}
    assert rights == {
        "/run/voicegate": ["0755", "voicegate", "voicegate"],
        "/run/voicegate-audio": ["0750", "voicegate", "voicegate-audio"],
    }


async def test_the_daemon_tells_systemd_that_it_serves_runs_and_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "voicegate.toml"
    settings.write_text(SETTINGS.format(folder=tmp_path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemds:
        systemds.bind(str(tmp_path / "notify"))
        systemds.settimeout(at_most(30))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "100000")
        process = start(settings, subprocess.DEVNULL)
        try:
            told: list[bytes] = []
            while not {b"READY=1", b"WATCHDOG=1"} <= set(told):
                told.append(await asyncio.to_thread(systemds.recv, 200))
            os.kill(process.pid, signal.SIGTERM)
            while told[-1] != b"STOPPING=1":
                told.append(await asyncio.to_thread(systemds.recv, 200))
            assert await asyncio.to_thread(process.wait, at_most(20)) == 0
        finally:
            process.kill()
            await asyncio.to_thread(process.wait)
