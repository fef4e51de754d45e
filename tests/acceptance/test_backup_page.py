"""docs/operate/backup.md, word by word: a new machine goes on from the backup of another one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.test_install import APART, installing, may_unshare
from tests.pages import ROOT, blocks
from voicegate.lab.deadlines import at_most

BACKUP, RESTORE, LOOK, UPGRADE, PRUNE = blocks(ROOT / "docs/operate/backup.md", "sh")
MACHINE = """
systemctl() {{
    if test "$1" = stop; then
        if test -n "$serving"; then kill $serving; wait $serving || true; serving=; fi
        return
    fi
    runuser -u voicegate -- /usr/local/bin/voicegate serve >> {folder}/log 2>&1 & serving=$!
    while kill -0 $serving && ! test -S /run/voicegate/voicegate.sock; do sleep 0.1; done
    test -S /run/voicegate/voicegate.sock
}}
serving=; trap 'test -z "$serving" || kill $serving' EXIT
"""
# A call of which there is a receipt, and one whose code, which is checked with the key file, is known.
OLD_MACHINE = r"""
sed -i "/^a[mg]i_/d; s/^kind = .*/kind = \"simulator\"/" /etc/voicegate/voicegate.toml
sed -i "/^\[test_numbers\]/,/^\[/s/^# enabled = false/enabled = true/" /etc/voicegate/voicegate.toml
sed -i "/^\[receipts\]/,/^\[/s/^# enabled = false/enabled = true/" /etc/voicegate/voicegate.toml
sed -i '/^\[passcode\]/,/^\[/s/^# lifetime_s = 300/lifetime_s = 3000/' /etc/voicegate/voicegate.toml
mkdir -p /var/backups; mount -t tmpfs tmpfs /var/backups
systemctl start voicegate
voicegate call +12025550107 --watch || test $? = 1
voicegate call +15005550101 --watch --json | tail -n 1 > {folder}/verification
"""
NEW_MACHINE = """
systemctl stop voicegate
rm -rf /var/lib/voicegate /etc/voicegate/voicegate.toml
install -d -o voicegate -m 0700 /var/lib/voicegate
"""
ENTERED = """
id=$({python} -c 'import json,sys; print(json.load(open(sys.argv[1]))["id"])' {folder}/verification)
echo 123456 | voicegate check "$id" > {folder}/checked
"""


@pytest.mark.skipif(not may_unshare(), reason="needs root, and mounts of its own")
def test_a_new_machine_goes_on_from_the_backup_of_another_one(tmp_path: Path) -> None:
    own = {"folder": tmp_path, "python": sys.prefix + "/bin/python"}
    apart = APART.format(folder=tmp_path, python=sys.base_prefix, environment=sys.prefix)
    steps = (OLD_MACHINE.format(**own), BACKUP, UPGRADE, PRUNE, NEW_MACHINE, RESTORE, ENTERED.format(**own))
    looks = "\n".join(f"{line} || test $? = 1" if "doctor" in line else line for line in LOOK.splitlines())
    script = apart + installing() + MACHINE.format(**own) + "\n".join(steps) + looks
    tmp_path.chmod(0o755)
    (tmp_path / "script").write_text(script)
    ran = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "bash", str(tmp_path / "script")],
        capture_output=True,
        text=True,
        check=False,
        timeout=at_most(60),
    )
    log = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}\n{log}"
    assert "verified" in (tmp_path / "checked").read_text()
    assert "1 receipts proven" in ran.stdout
