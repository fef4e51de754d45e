"""docs/install/daemon.md, word by word, on this machine with other folders for the system's."""

import configparser
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import ROOT, blocks
from voicegate.cli.exits import Exit
from voicegate.lab.deadlines import at_most

ALL, _LOCKED, DAEMON, ASKING, *_, UNINSTALL = blocks(ROOT / "docs/install/daemon.md", "sh")

# What the system's folders are for these commands. Python and the checkout may lie where only root comes.
APART = """
set -eu
mkdir {folder}/etc {folder}/python && cp -a /etc/. {folder}/etc && mount --bind {folder}/etc /etc
mount --bind {python} {folder}/python
case {python} in /root/*) mount -t tmpfs -o mode=755 tmpfs /root; mkdir -p {python};; esac
mount --bind {folder}/python {python}
for one in /run /opt /var/lib /usr/local/bin; do mount -t tmpfs -o mode=755 tmpfs $one; done
useradd --system asterisk; useradd --system web
ln -s {environment} /opt/voicegate
# No systemd runs for these mounts.
systemctl() {{ echo "systemctl $*"; }}; export -f systemctl
mkdir -p /run/systemd
"""


def installing() -> str:
    """The commands of the first block, but for what this test's own environment stands for."""
    own = (" -m venv ", "/pip install ")
    lines = [line.strip() for line in ALL.splitlines() if not any(word in line for word in own)]
    return f"cd {ROOT}\n" + "\n".join(lines).replace("sh /etc", "bash /etc") + "\n"


def json_of(file: Path) -> list[dict[str, str]]:
    return list(json.loads(file.read_text()))


def running(command: str) -> str:
    (line,) = [str(line).partition("#")[0].strip() for line in DAEMON.splitlines() if command in line]
    return line


def may_unshare() -> bool:
    tools = all(shutil.which(name) for name in ("unshare", "runuser", "systemd-tmpfiles"))
    return (
        os.geteuid() == 0
        and tools
        and subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0
    )


@pytest.mark.skipif(not may_unshare(), reason="needs root, and mounts of its own")
def test_the_steps_of_the_page_make_a_daemon_that_a_backend_can_ask(tmp_path: Path) -> None:
    apart = APART.format(folder=tmp_path, python=sys.base_prefix, environment=sys.prefix)
    trying = f"""
{running("config check")}
{running("doctor")} --json > {tmp_path}/doctor || true
{running("serve")} > {tmp_path}/log 2>&1 & serving=$!
trap 'kill $serving' EXIT
for _ in $(seq 600); do test -S /run/voicegate/voicegate.sock && break; sleep 0.1; done
{ASKING.strip().splitlines()[0]}
runuser -u web -- voicegate trunks
runuser -u asterisk -- ls /run/voicegate-audio
if runuser -u web -- ls /run/voicegate-audio; then exit 9; fi
if runuser -u asterisk -- voicegate trunks; then exit 8; fi
trap - EXIT; kill $serving; wait $serving || true
cd /etc/systemd/system
grep "^ExecStart=/usr/local/bin/voicegate --config /etc/voicegate/voicegate.toml serve$" voicegate.service
bash{UNINSTALL.strip().removeprefix("sh")}
test -e /var/lib/voicegate/key
test ! -e /etc/systemd/system/voicegate.service
test ! -e /run/voicegate-audio
"""
    tmp_path.chmod(0o755)
    script = tmp_path / "script"
    script.write_text(apart + installing() + trying)
    ran = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "bash", str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=at_most(20),
    )
    log = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}\n{log}"
    found = json_of(tmp_path / "doctor")
    assert {entry["about"] for entry in found if entry["level"] == "error"} == {"AMI"}
    assert "user web" in {entry["about"] for entry in found if entry["level"] == "ok"}


def test_the_unit_starts_the_daemon_that_the_page_installs(tmp_path: Path) -> None:
    text = (ROOT / "config/voicegate.service").read_text()
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    unit.read_string(text)
    service = unit["Service"]
    program = service["ExecStart"].split()[0]
    assert f"ln -s /opt/voicegate/bin/voicegate {program}" in ALL
    assert f"u {service['User']} " in (ROOT / "config/sysusers.conf").read_text()
    assert int(service["RestartPreventExitStatus"]) == Exit.CONFIG
    if (systemd := shutil.which("systemd-analyze")) is None:
        return
    file = tmp_path / "voicegate.service"
    file.write_text(text.replace(program, str(Path(sys.executable).with_name("voicegate"))))
    ran = subprocess.run(
        [systemd, "verify", "--recursive-errors=no", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=at_most(20),
    )
    assert ran.returncode == 0, ran.stderr
    assert file.name not in ran.stderr
