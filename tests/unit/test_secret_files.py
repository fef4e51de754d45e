"""A secret's file that others may use is told of at the start, with what to do."""

from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from voicegate.bootstrap.settings_checks import secret_files, warn_of_open_secrets
from voicegate.config import parse

PROVIDER = {"number": "a", "code": "b", "client": "web", "signature": "zitadel"}


def every_secret(folder: Path) -> dict[str, Any]:
    for name in ("ami", "esl", "key.pem", "signature"):
        (folder / name).write_text("secret\n")
        (folder / name).chmod(0o600)
    return {
        "pbx": {
            "one": {"kind": "asterisk", "ami_secret_file": f"{folder}/ami"},
            "two": {"kind": "freeswitch", "esl_password_file": f"{folder}/esl"},
        },
        "tcp": {"enabled": True, "certificate": f"{folder}/cert.pem", "key": f"{folder}/key.pem"},
        "providers": {"zitadel": PROVIDER | {"signature_secret_file": f"{folder}/signature"}},
    }


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o602, 0o666])
def test_every_secret_that_others_may_use_is_told_with_the_fix(tmp_path: Path, mode: int) -> None:
    settings = parse(every_secret(tmp_path))
    assert len(secret_files(settings)) == 4
    for path in secret_files(settings).values():
        Path(path).chmod(mode)
    with structlog.testing.capture_logs() as logs:
        warn_of_open_secrets(settings)
    assert {line["setting"]: line["fix"] for line in logs} == {
        setting: f"chmod 600 {path}" for setting, path in secret_files(settings).items()
    }
    assert {(line["log_level"], line["mode"]) for line in logs} == {("warning", f"{mode:04o}")}
    assert "secret\n" not in str(logs)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440, 0o640])
def test_a_secret_of_the_user_and_its_group_is_nothing_to_tell(tmp_path: Path, mode: int) -> None:
    settings = parse(every_secret(tmp_path))
    for path in secret_files(settings).values():
        Path(path).chmod(mode)
    with structlog.testing.capture_logs() as logs:
        warn_of_open_secrets(settings)
    assert logs == []


def test_a_secret_that_is_missing_is_somebody_elses_to_tell(tmp_path: Path) -> None:
    settings = parse(every_secret(tmp_path))
    (tmp_path / "ami").unlink()
    warn_of_open_secrets(settings)
