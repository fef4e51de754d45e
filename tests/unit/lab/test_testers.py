"""Testers' accounts: passwords made once, readable by nobody else; service numbers to dial."""

import json
from pathlib import Path

import pytest

from voicegate.adapters.speech.pack import load_pack
from voicegate.config import project_folder
from voicegate.lab import services
from voicegate.lab.errors import LabError
from voicegate.lab.services import CODE, all_services
from voicegate.lab.testers import TESTERS, keep_accounts, recall_accounts


def test_passwords_are_made_once_and_only_their_user_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "testers.json"
    made = keep_accounts(file)
    assert keep_accounts(file) == recall_accounts(file) == made
    assert file.stat().st_mode & 0o777 == 0o600
    assert len({account.password for account in made}) == len(TESTERS)
    assert all(len(account.password) == 16 for account in made)


def test_a_tester_who_has_no_password_yet_gets_one_and_the_others_keep_theirs(tmp_path: Path) -> None:
    file = tmp_path / "testers.json"
    file.write_text('{"tester2": "kept"}')
    assert [account.password for account in recall_accounts(file)] == ["kept"]
    passwords = {account.tester.name: account.password for account in keep_accounts(file)}
    assert passwords["tester2"] == "kept"
    assert passwords == json.loads(file.read_text())


def test_before_the_first_start_nobody_has_an_account(tmp_path: Path) -> None:
    assert recall_accounts(tmp_path / "testers.json") == []


@pytest.mark.parametrize("content", ["{", "[]", '{"tester1": 7}'])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: str) -> None:
    file = tmp_path / "testers.json"
    file.write_text(content)
    with pytest.raises(LabError, match=r"testers\.json is damaged"):
        recall_accounts(file)


def test_a_password_shows_in_no_repr(tmp_path: Path) -> None:
    for account in keep_accounts(tmp_path / "testers.json"):
        assert account.password not in repr(account)


def test_every_language_that_is_spoken_has_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    packs = [load_pack(project_folder("sounds"), language) for language in ("de", "en")]
    monkeypatch.setattr(services, "load_spoken", lambda _folder: packs)
    dialed = {service.number: service.name for service in all_services()}
    assert (dialed["811"], dialed["812"]) == ("sample-de", "sample-en")
    assert dialed[CODE.number] == "code"


def test_nothing_that_can_be_dialed_means_two_things() -> None:
    names = [each for service in all_services() for each in (service.number, service.name)]
    names += [each for tester in TESTERS for each in (tester.name, tester.extension)]
    assert len(names) == len(set(names))
