"""Settings by their old names: taken for a release with a warning, and rewritten with all else as it was."""

import importlib
import tomllib
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.unit.cli.conftest import run
from voicegate import config
from voicegate.cli.exits import Exit
from voicegate.config.renames import RENAMES, Renamed, rename, rewrite
from voicegate.domain.errors import ConfigError

# The package has a command of the same name.
serve = importlib.import_module("voicegate.cli.serve")
GUESSES = Renamed("passcode.attempts", "passcode.guesses")
WAYS = {
    "table": "# attempts = 1\n[passcode] # ours\n  attempts=3   # attempts = 4\n[log]\nlevel = 'info'\n",
    "dotted": "passcode.attempts = 3\n",
    "quoted": '[passcode]\n"attempts" = 3\n',
    "inline": "passcode = { length = 6, attempts = 3 }\n",
    "other tables and values": (
        '[service]\nname = """\nattempts = 9"""\n[other]\nattempts = 9\n[passcode]\nattempts = 3\n'
    ),
    "other line ends": "[passcode]\r\n# a\r\nattempts = 3\r\n",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "voicegate.toml"
    file.write_text(WAYS["table"])
    return file


def test_each_new_name_is_a_setting_in_the_same_table_and_no_old_one_is() -> None:
    for old, new in RENAMES.items():
        assert old.rpartition(".")[0] == new.rpartition(".")[0]
        table = getattr(config.Settings(), new.partition(".")[0])
        assert hasattr(table, new.rpartition(".")[2])
        assert not hasattr(table, old.rpartition(".")[2])


def test_an_old_name_is_taken_and_told(file: Path) -> None:
    told: list[Renamed] = []
    assert config.load(file, told.append).passcode.guesses == 3
    assert told == [GUESSES]


def test_a_new_name_is_taken_and_nothing_told(file: Path) -> None:
    told: list[Renamed] = []
    file.write_text("[passcode]\nguesses = 4\n")
    assert config.load(file, told.append).passcode.guesses == 4
    assert told == []


def test_both_names_at_once_are_refused(file: Path) -> None:
    file.write_text("[passcode]\nguesses = 4\nattempts = 3\n")
    with pytest.raises(ConfigError, match=r"passcode\.attempts: is the old name of passcode\.guesses"):
        config.load(file)


@pytest.mark.parametrize("wrong", ["passcode = 3\n", "[[passcode]]\nattempts = 3\n"])
def test_a_table_that_is_none_is_refused_as_ever(file: Path, wrong: str) -> None:
    file.write_text(wrong)
    with pytest.raises(ConfigError, match="must be a table"):
        config.load(file)


@pytest.mark.parametrize("way", WAYS)
def test_a_rewritten_file_differs_in_the_name_only(way: str) -> None:
    before = WAYS[way]
    after, renamed = rewrite(before)
    assert renamed == [GUESSES]
    assert tomllib.loads(after) == rename(tomllib.loads(before))[0]
    changed = after.replace("guesses", "attempts")
    assert changed == before
    assert after.count("guesses") == 1


def test_a_name_that_cannot_be_found_is_left_to_its_author() -> None:
    with pytest.raises(ConfigError, match="only you can change"):
        rewrite('[passcode]\n"att\\u0065mpts" = 3\n')


def test_migrating_rewrites_the_file_in_place_and_keeps_a_copy(file: Path) -> None:
    file.chmod(0o640)
    before, inode = file.read_text(), file.stat().st_ino
    result = run("config", "migrate", str(file))
    assert (result.exit_code, result.stderr) == (Exit.OK, "")
    assert result.stdout == (
        f"{file}: passcode.attempts is called passcode.guesses now; as it was: {file}.bak\n"
    )
    assert file.read_text() == before.replace("attempts=3", "guesses=3")
    assert (file.stat().st_ino, file.stat().st_mode & 0o777) == (inode, 0o640)
    assert Path(f"{file}.bak").read_text() == before
    again = run("--config", str(file), "config", "migrate")
    assert (again.exit_code, again.stdout) == (Exit.OK, f"{file}: all names are right\n")
    assert len(list(file.parent.iterdir())) == 2


def test_an_older_copy_is_never_overwritten(file: Path) -> None:
    Path(f"{file}.bak").write_text("older")
    assert run("config", "migrate", str(file)).stdout.endswith(f"as it was: {file}.bak1\n")
    assert Path(f"{file}.bak").read_text() == "older"


def test_a_dry_run_shows_a_diff_and_changes_nothing(file: Path) -> None:
    before = file.read_text()
    result = run("config", "migrate", "--dry-run", str(file))
    assert result.exit_code == Exit.OK
    assert "-  attempts=3   # attempts = 4\n+  guesses=3   # attempts = 4\n" in result.stdout
    assert file.read_text() == before
    assert list(file.parent.iterdir()) == [file]


def test_what_was_renamed_is_told_as_json(file: Path) -> None:
    renamed = '"renamed": {\n    "passcode.attempts": "passcode.guesses"\n  }'
    tried = run("config", "migrate", str(file), "--dry-run", "--json").stdout
    assert renamed in tried
    assert '"backup": null' in tried
    assert f'"backup": "{file}.bak"' in run("config", "migrate", str(file), "--json").stdout


@pytest.mark.parametrize("text", [None, "[passcode\n", "[passcode]\nguesses = 4\nattempts = 3\n"])
def test_a_file_that_cannot_be_migrated_is_named_and_left_as_it_is(file: Path, text: str | None) -> None:
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    result = run("config", "migrate", str(file))
    assert result.exit_code == Exit.CONFIG
    assert result.stderr.startswith(f"voicegate: {file}: ")
    assert result.stderr.count("\n") == 1
    assert [path.read_text() for path in file.parent.iterdir()] == ([] if text is None else [text])


def test_commands_say_the_old_name_on_standard_error_and_what_to_do(file: Path) -> None:
    result = run("config", "show", str(file), "--json")
    assert result.stderr == (
        f"voicegate: {file}: passcode.attempts is called passcode.guesses now; the old name is taken until"
        " the next release: `voicegate config migrate` rewrites the file\n"
    )
    assert '"passcode.guesses": {\n    "value": 3,' in result.stdout


def test_the_daemon_logs_the_old_name_once_its_log_is_set_up(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    monkeypatch.setattr(serve, "process", Mock())
    monkeypatch.setattr(serve, "signal", Mock())
    monkeypatch.setattr(
        serve, "logs", Mock(configure=lambda *_: steps.append("set up"), in_background=nullcontext)
    )
    monkeypatch.setattr(serve, "run_until_told", lambda settings, reread: reread())
    monkeypatch.setattr(
        serve, "uvloop", Mock(run=lambda settings: steps.append(f"{settings.passcode.guesses} guesses"))
    )
    monkeypatch.setattr(
        serve.log, "warning", lambda event, **facts: steps.append(f"{event}: {facts['new_name']}")
    )
    result = run("--config", str(file), "serve")
    assert (result.exit_code, result.stderr) == (Exit.OK, "")
    told = "setting has an old name: passcode.guesses"
    # At the start, and when the file is read again.
    assert steps == ["set up", told, told, "3 guesses"]
