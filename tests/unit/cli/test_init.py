"""`voicegate init`: files of an installation in a folder of its own, which replace nothing."""

import json
import shlex
import stat
from pathlib import Path

import pytest
from click.testing import Result

from tests.unit.cli.conftest import run
from voicegate.config import load, read_secret
from voicegate.config.shapes import AsteriskPbxSettings, FreeSwitchPbxSettings

ASKED = ("--caller-id", "+1 202 555 0100", "--trunk", "mycarrier", "--backend-user", "web")


def init(folder: Path, *words: str) -> Result:
    return run("init", str(folder), *ASKED, *words)


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_the_answers_are_in_the_settings(tmp_path: Path) -> None:
    made = init(
        tmp_path / "own", "--language", "de", "--service", "ACME", "--country", "DE", "--country", "AT"
    )
    assert made.exit_code == 0, made.output
    settings = load(tmp_path / "own/voicegate.toml")
    trunk = settings.trunks["carrier"]
    assert (trunk.endpoint, trunk.caller_ids[0].number) == ("mycarrier", "+12025550100")
    assert settings.policy.allowed_countries == ("DE", "AT")
    assert (settings.service.language, settings.service.name) == ("de", "ACME")
    assert settings.socket.allowed_users == ("web",)
    assert (settings.socket.group, settings.audio.group) == ("voicegate-clients", "voicegate-audio")
    pbx = settings.pbx["main"]
    assert isinstance(pbx, AsteriskPbxSettings)
    assert pbx.ami_secret_file == str(tmp_path / "own/ami-secret")


def test_the_secret_is_new_private_and_the_same_on_both_sides(tmp_path: Path) -> None:
    secrets = set()
    for name in ("one", "two"):
        assert init(tmp_path / name).exit_code == 0
        secret = (tmp_path / name / "ami-secret").read_text().strip()
        assert f"secret = {secret}\n" in (tmp_path / name / "asterisk/manager.conf").read_text()
        assert mode(tmp_path / name / "ami-secret") == 0o600
        assert mode(tmp_path / name / "asterisk/manager.conf") == 0o640
        secrets.add(secret)
    assert len(secrets) == 2
    others = [file for file in (tmp_path / "one").rglob("*") if file.is_file() and mode(file) & 0o004]
    assert not [file for file in others if any(secret in file.read_text() for secret in secrets)]


def test_a_second_time_changes_nothing_and_says_what_would_differ(tmp_path: Path) -> None:
    own = tmp_path / "own"
    assert init(own).exit_code == 0
    before = {file: file.read_bytes() for file in own.rglob("*") if file.is_file()}
    again = init(own, "--json")
    assert again.exit_code == 0
    told = json.loads(again.stdout)
    assert (told["new"], told["different"]) == ([], [])
    with (own / "voicegate.toml").open("a") as settings:
        settings.write("# mine\n")
    changed = init(own, "--language", "de")
    assert changed.exit_code == 1
    assert "-# mine" in changed.stderr
    assert '+language = "de"' in changed.stderr
    before[own / "voicegate.toml"] += b"# mine\n"
    assert {file: file.read_bytes() for file in own.rglob("*") if file.is_file()} == before


def test_the_unit_runs_every_command_with_the_settings_that_were_written(tmp_path: Path) -> None:
    own = tmp_path / "own"
    assert init(own, "--program", "/opt/voicegate/bin/voicegate").exit_code == 0
    lines = (own / "systemd/voicegate.service").read_text().splitlines()
    commands = [line.partition("=")[2] for line in lines if line.startswith("Exec")]
    assert len(commands) == 2
    for command in commands:
        assert command.startswith(f"/opt/voicegate/bin/voicegate --config {own}/voicegate.toml ")


def test_freepbx_gets_lines_for_the_files_that_it_never_writes(tmp_path: Path) -> None:
    own = tmp_path / "own"
    made = init(own, "--pbx", "freepbx", "--json")
    steps = json.loads(made.stdout)["next"]
    for name in ("extensions_custom.conf", "manager_custom.conf", "pjsip.endpoint_custom_post.conf"):
        line = (own / "freepbx" / name).read_text().strip()
        assert any(name in step and step.endswith(line) for step in steps)
        included = Path(shlex.split(line)[1])
        assert included.is_file()
    assert "[mycarrier](+)" in (own / "asterisk/pjsip.conf").read_text()
    # Its Asterisk is in this one group alone.
    assert load(own / "voicegate.toml").audio.group == "asterisk"
    assert "usermod --append --groups asterisk voicegate\n" in (own / "install.sh").read_text()
    assert "d /run/voicegate-audio 0750 voicegate asterisk " in (own / "systemd/tmpfiles.conf").read_text()


def test_a_pbx_on_another_machine_is_told_where_this_one_is(tmp_path: Path) -> None:
    own = tmp_path / "own"
    made = init(own, "--pbx-host", "192.0.2.7", "--own-address", "192.0.2.1", "--json")
    pbx = load(own / "voicegate.toml").pbx["main"]
    assert isinstance(pbx, AsteriskPbxSettings)
    assert (pbx.ami_host, pbx.agi_host, pbx.agi_allowed_peers) == (
        "192.0.2.7",
        "192.0.2.1",
        ("192.0.2.7/32",),
    )
    assert "permit = 192.0.2.1/255.255.255.255" in (own / "asterisk/manager.conf").read_text()
    steps = json.loads(made.stdout)["next"]
    assert f"copy {own}/asterisk to the PBX, as /etc/asterisk/voicegate" in steps
    assert any(step.endswith('#include "/etc/asterisk/voicegate/manager.conf"') for step in steps)


def test_freeswitch_gets_its_files(tmp_path: Path) -> None:
    own = tmp_path / "own"
    assert init(own, "--pbx", "freeswitch", "--domain", "pbx.example").exit_code == 0
    settings = load(own / "voicegate.toml")
    pbx = settings.pbx["second"]
    assert list(settings.pbx) == ["second"]
    assert isinstance(pbx, FreeSwitchPbxSettings)
    assert pbx.esl_user == "voicegate@pbx.example"
    password = (own / "esl-password").read_text().strip()
    assert f'name="esl-password" value="{password}"' in (own / "freeswitch/directory.xml").read_text()


def test_systemd_can_give_the_daemon_a_secret_whose_file_stays_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    made = init(own, "--credentials", "--json")
    assert (
        f"\nLoadCredential=ami-secret:{own}/ami-secret\n" in (own / "systemd/voicegate.service").read_text()
    )
    assert "chown voicegate" not in (own / "install.sh").read_text()
    assert any("LoadCredential" in step and "doctor" in step for step in json.loads(made.stdout)["next"])
    pbx = load(own / "voicegate.toml").pbx["main"]
    assert isinstance(pbx, AsteriskPbxSettings)
    # systemd makes a folder of copies, and says where.
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(own))
    assert read_secret(pbx.ami_secret_file, "ami_secret_file") == (own / "ami-secret").read_text().strip()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Number to show"),
        (("--caller-id", "4000"), "country code"),
        (("--caller-id", "+12025550100", "--pbx-host", "192.0.2.7"), "This machine's address"),
        (("--caller-id", "+12025550100", "--pbx", "freeswitch"), "domain"),
    ],
)
def test_what_nobody_can_be_asked_is_wrong_usage(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    made = run("init", str(tmp_path / "own"), *words)
    assert made.exit_code == 2
    assert said in " ".join(made.stderr.replace("│", "").split())
    assert not (tmp_path / "own").exists()
