"""What is found of the settings themselves, and that no wrong one hides what else is wrong."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from voicegate.application.diagnostics import Finding, Level, run, user_name
from voicegate.bootstrap.checks import checks
from voicegate.config import parse

TRUNK = {"pbx": "main", "endpoint": "carrier", "caller_ids": [{"number": "+12025550100"}]}


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "storage": {
            "database": f"{folder}/v.db",
            "key_file": f"{folder}/key",
            "state_folder": f"{folder}/state",
        },
        "socket": {"path": f"{folder}/s/api.sock"},
        "audio": {"folder": f"{folder}/audio"},
        "policy": {"allowed_countries": ["US"]},
        "pbx": {"main": {"kind": "simulator"}},
        "trunks": {"carrier": TRUNK},
    } | changes


def asterisk(secret: str) -> dict[str, Any]:
    return {"main": {"kind": "asterisk", "ami_secret_file": secret, "ami_port": 1}}


def findings(raw: dict[str, Any]) -> list[Finding]:
    async def look() -> list[Finding]:
        return [finding async for finding in run(checks(parse(raw)), lambda _: None)]

    return asyncio.run(look())


def about(found: list[Finding], name: str) -> Finding:
    (finding,) = [one for one in found if one.about == name]
    return finding


def test_no_country_allowed_is_told(tmp_path: Path) -> None:
    assert about(findings(settings(tmp_path)), "allowed countries").level is Level.OK
    told = about(findings(settings(tmp_path, policy={})), "allowed countries")
    assert (told.level, "policy.allowed_countries" in told.fix) == (Level.WARNING, True)


def test_a_caller_id_that_a_law_refuses_from_abroad_is_told(tmp_path: Path) -> None:
    def told(**changes: Any) -> list[Finding]:
        trunk = TRUNK | {"caller_ids": [{"number": "+442079460101"} | changes], "home_country": "US"}
        raw = settings(tmp_path, trunks={"carrier": trunk}, policy={"allowed_countries": ["GB"]})
        return [one for one in findings(raw) if one.about == "caller IDs of carrier"]

    (finding,) = told()
    assert (finding.level, "Ofcom" in finding.text) == (Level.WARNING, True)
    assert "442079460101" not in finding.text
    assert told(is_excepted=True) == []


@pytest.mark.parametrize(("mode", "level"), [(0o600, Level.OK), (0o640, Level.OK), (0o644, Level.ERROR)])
def test_a_secret_that_others_can_read_is_told(tmp_path: Path, mode: int, level: Level) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mumble")
    secret.chmod(mode)
    told = about(findings(settings(tmp_path, pbx=asterisk(str(secret)))), "secret pbx.main.ami_secret_file")
    assert told.level is level
    assert "mumble" not in f"{told.text}{told.fix}"


def test_a_secret_that_cannot_be_read_is_told_and_hides_nothing_else(tmp_path: Path) -> None:
    found = findings(settings(tmp_path, pbx=asterisk(f"{tmp_path}/none")))
    assert about(found, "secret pbx.main.ami_secret_file").level is Level.ERROR
    assert about(found, "PBX main").level is Level.ERROR
    assert {"key file", "database", "socket", "language en", "audio folder"} <= {one.about for one in found}
    assert all(one.fix for one in found if one.level is not Level.OK)


def test_a_user_who_does_not_exist_is_told_and_hides_nothing_else(tmp_path: Path) -> None:
    socket = {"path": f"{tmp_path}/api.sock", "allowed_users": ["nobody", "no-such-user"]}
    found = findings(settings(tmp_path, socket=socket))
    assert "no-such-user" in about(found, "socket").text
    assert "audio folder" in {one.about for one in found}


def secret_finding(folder: Path, file: str) -> Finding:
    found = findings(settings(folder, pbx=asterisk(file)))
    assert {"key file", "audio folder"} <= {one.about for one in found}  # the run goes on
    return about(found, "secret pbx.main.ami_secret_file")


def test_each_way_in_which_a_secret_is_unusable_has_a_fix_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    missing = secret_finding(tmp_path, str(secret))
    assert (missing.level, f"install -o {user_name()} -m 600 /dev/stdin {secret}" in missing.fix) == (
        Level.ERROR,
        True,
    )
    unset = secret_finding(tmp_path, "$NO_SUCH_DIRECTORY/secret")
    assert "as the daemon is started" in unset.fix
    secret.touch(mode=0o600)
    assert "put the secret into" in secret_finding(tmp_path, str(secret)).fix
    secret.write_text("sesame")
    secret.chmod(0o644)
    open_to_others = secret_finding(tmp_path, str(secret))
    assert (open_to_others.level, f"chmod 600 {secret}" in open_to_others.fix) == (Level.ERROR, True)
    secret.chmod(0o600)
    assert secret_finding(tmp_path, str(secret)).level is Level.OK


def test_who_may_not_read_a_secret_is_told_whose_it_must_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sesame")
    secret.chmod(0o600)
    read = Path.read_text

    def refuse(path: Path, *args: Any, **more: Any) -> str:
        if path == secret:
            raise PermissionError(13, "Permission denied", str(secret))
        return read(path, *args, **more)

    real = os.access
    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(os, "access", lambda path, mode: path != secret and real(path, mode))
    told = secret_finding(tmp_path, str(secret))
    assert (told.level, f"chown {user_name()} {secret}" in told.fix) == (Level.ERROR, True)


def test_the_file_of_postgresqls_password_is_a_secret_too(tmp_path: Path) -> None:
    raw = settings(tmp_path)
    raw["storage"] = raw["storage"] | {"database": f"postgresql://a@127.0.0.1:1/a?passfile={tmp_path}/pgpass"}
    told = about(findings(raw), "secret storage.database (passfile)")
    assert (told.level, f"{tmp_path}/pgpass" in told.fix) == (Level.ERROR, True)
