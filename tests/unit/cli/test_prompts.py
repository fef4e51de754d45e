"""`voicegate prompts`: play and build from the command line."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from voicegate.cli.main import main
from voicegate.config import project_folder


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["prompts", *arguments])
    return result.exit_code, result.output


def test_a_prompt_can_be_copied_out(tmp_path: Path) -> None:
    copy = tmp_path / "code.wav"
    assert run("play", "en", "your_code_is", "--output", str(copy))[0] == 0
    assert copy.read_bytes()[:4] == b"RIFF"


def test_a_copy_that_cannot_be_written_is_one_line_with_its_path(tmp_path: Path) -> None:
    copy = tmp_path / "none" / "code.wav"
    code, output = run("play", "en", "your_code_is", "--output", str(copy))
    assert (code, output) == (
        6,
        f"voicegate: your_code_is.wav16 cannot be copied: {copy}: No such file or directory\n",
    )


def test_without_a_player_it_says_where_the_prompt_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, output = run("play", "en", "digit_7")
    assert code == 0
    assert "digit_7.wav16" in output


def test_prompts_that_are_up_to_date_are_left_alone(tmp_path: Path) -> None:
    shutil.copytree(project_folder("sounds"), tmp_path / "sounds")
    code, output = run("build", "--sounds", str(tmp_path / "sounds"), "--json")
    assert code == 0
    assert json.loads(output) == {"de": [], "en": [], "es": [], "fr": []}
