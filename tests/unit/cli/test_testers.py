"""`voicegate lab testers`, and what `lab` says of softphones."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import run
from voicegate.cli.exits import Exit
from voicegate.lab.services import all_services
from voicegate.lab.settings import LabSettings
from voicegate.lab.testers import TESTERS, Account, keep_accounts


@pytest.fixture
def accounts(tmp_path: Path) -> list[Account]:
    """A lab that was up once, and does not run."""
    settings = LabSettings(tmp_path, 14000, listen="192.0.2.7")
    settings.save()
    return list(keep_accounts(settings.accounts_file))


def test_accounts_and_service_numbers_are_printed(tmp_path: Path, accounts: list[Account]) -> None:
    lines = run("lab", "testers", "--folder", str(tmp_path)).stdout.splitlines()
    rows = [line.split() for line in lines]
    for account in accounts:
        tester = account.tester
        assert [f"sip:{tester.name}@192.0.2.7:14007", tester.extension, account.password] in rows
    assert {(service.number, service.name) for service in all_services()} <= {tuple(row[:2]) for row in rows}


@pytest.mark.parametrize("command", ["testers", "status"])
def test_programs_get_them_as_json(tmp_path: Path, accounts: list[Account], command: str) -> None:
    shown = json.loads(run("lab", command, "--folder", str(tmp_path), "--json").stdout)
    assert shown["registrar"] == "192.0.2.7:14007"
    assert shown["testers"][0] == {
        "name": "tester1",
        "extension": "4101",
        "uri": "sip:tester1@192.0.2.7:14007",
        "password": accounts[0].password,
    }
    assert len(shown["testers"]) == len(TESTERS)
    assert {"number": "801", "name": "code"}.items() <= shown["services"][0].items()


def test_a_lab_that_never_was_has_no_testers(tmp_path: Path) -> None:
    result = run("lab", "testers", "--folder", str(tmp_path))
    assert result.exit_code == Exit.FAILED
    assert result.stderr == f"voicegate: there is no lab in {tmp_path}: voicegate lab up\n"
