"""`voicegate prompts`: played, checked, replaced and built from the command line."""

import json
import shutil
from pathlib import Path

import pytest
import soundfile
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from voicegate.adapters.speech.levels import resample
from voicegate.cli.main import main
from voicegate.config import project_folder
from voicegate.lab.listener import hear_digits


def run(*arguments: str, config: str | None = None) -> tuple[int, str]:
    before = ["--config", config] if config else []
    result = CliRunner().invoke(main, [*before, "prompts", *arguments])
    return result.exit_code, result.output


def test_a_prompt_can_be_copied_out(tmp_path: Path) -> None:
    copy = tmp_path / "code.wav"
    assert run("play", "en", "your_code_is", "--output", str(copy))[0] == 0
    assert copy.read_bytes()[:4] == b"RIFF"


def test_a_copy_that_cannot_be_written_is_one_line_with_its_path(tmp_path: Path) -> None:
    copy = tmp_path / "none" / "code.wav"
    code, output = run("play", "en", "your_code_is", "--output", str(copy))
    assert (code, output) == (6, f"voicegate: it cannot be written: {copy}: No such file or directory\n")


def test_what_is_played_is_given_to_the_machines_player(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = tmp_path / "aplay"
    player.write_text(f'#!/bin/sh\n/bin/cp "$2" {tmp_path}/played\n')
    player.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run("play", "de", "digit_7")[0] == 0
    assert (tmp_path / "played").read_bytes()[:4] == b"RIFF"


def test_without_a_player_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, output = run("play", "en", "digit_7")
    assert code == 6
    assert "--output FILE" in output


@pytest.mark.parametrize("language", ["de", "en", "es", "fr"])
def test_a_sample_call_reads_the_sample_code(tmp_path: Path, language: str) -> None:
    call = tmp_path / "call.wav"
    assert run("play", language, "--code", "38520", "--output", str(call))[0] == 0
    wide, rate = soundfile.read(call, dtype="int16")
    heard = hear_digits(resample(wide, rate, 8000), project_folder("sounds") / language)
    assert heard.endswith("738520")


def test_a_sample_code_that_is_none_is_wrong_usage() -> None:
    code, output = run("play", "en", "--code", "12")
    assert code == 2
    assert "4 to 10" in output


def test_a_prompt_that_is_none_is_named() -> None:
    code, output = run("play", "en", "good_bye")
    assert code == 6
    assert "no prompt 'good_bye'; it has this_is, " in output


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A copy of the shipped prompts."""
    return Path(shutil.copytree(project_folder("sounds"), tmp_path / "sounds"))


@pytest.fixture
def config(tmp_path: Path, sounds: Path) -> str:
    file = tmp_path / "voicegate.toml"
    file.write_text(f'[service]\nsounds = "{sounds}"\n[storage]\nstate_folder = "{tmp_path}/state"\n')
    return str(file)


def test_shipped_prompts_are_right() -> None:
    assert run("check") == (0, "all prompts are right\n")


def test_what_is_wrong_is_printed_with_its_fix_and_ends_with_1(sounds: Path, config: str) -> None:
    file = sounds / "fr" / "goodbye.ulaw"
    file.unlink()
    fix = "voicegate prompts build fr --force"
    assert run("check", "fr", config=config) == (1, f"{file}: is missing: {fix}\n")
    code, output = run("check", "--json", config=config)
    found = [{"language": "fr", "file": str(file), "problem": "is missing", "fix": fix}]
    assert (code, json.loads(output)) == (1, found)


def test_recordings_are_taken_in_and_listed(tmp_path: Path, sounds: Path, config: str) -> None:
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(sounds / "de" / "digit_7.wav", own / "7.wav")
    (own / "notes.txt").write_text("mine")
    code, output = run("import", "de", str(own), config=config)
    assert code == 0
    assert output.splitlines() == [
        "de: took in digit_7; spoken from the daemon's next start",
        "not used: 1 files (notes.txt)",
    ]
    listed = json.loads(run("list", "de", "--json", config=config)[1])
    assert [row["prompt"] for row in listed if row["from"] == "own recording"] == ["digit_7"]
    assert {row["from"] for row in listed} == {"own recording", "built"}
    assert run("check", "de", config=config)[0] == 0


def test_prompts_that_are_up_to_date_are_left_alone(sounds: Path) -> None:
    code, output = run("build", "--sounds", str(sounds), "--json")
    assert code == 0
    made = json.loads(output)
    assert {"de", "en", "es", "fr"} <= made.keys()
    assert not any(made.values())


def test_what_nobody_judged_is_listed_as_such_and_built_when_it_is_named_or_switched_on(
    sounds: Path, config: str
) -> None:
    script = sounds / "fr" / "prompts.toml"
    script.write_text("judged = false\n" + script.read_text("utf-8"), "utf-8")
    (sounds / "fr" / "manifest.json").unlink()
    listed = json.loads(run("list", "--json", config=config)[1])
    assert {row["judged"] for row in listed if row["language"] == "fr"} == {False}
    assert {row["judged"] for row in listed if row["language"] == "de"} == {True}
    assert "unjudged" in run("list", "fr", config=config)[1]
    assert run("check", config=config)[0] == 0
    assert run("check", "fr", config=config)[0] == 1
    file = Path(config)
    file.write_text(file.read_text().replace("[service]", '[service]\nunjudged_languages = ["fr"]'))
    assert run("check", config=config)[0] == 1


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which a "flite" says a fixed sound, and nothing else does."""
    folder = tmp_path / "bin"
    folder.mkdir()
    sound = project_folder("sounds") / "en" / "this_is.wav"
    (folder / "flite").write_text(
        "#!/bin/sh\n"
        'if [ "$1" = -lv ]; then echo "Voices available: rms"; exit; fi\n'
        f'for last; do :; done\nexec /bin/cp {sound} "$last"\n'
    )
    (folder / "flite").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_a_name_is_spoken_before_the_daemon_needs_it(engines: Path, tmp_path: Path, config: str) -> None:
    code, output = run("build", "en", "--service", "Example Bank", config=config)
    assert code == 0
    assert output.splitlines() == [
        "en: 'Example Bank' is spoken by flite",
        "no call uses this name yet, only 'Voicegate': service.name, or friendly_name of a [twilio.NAME]",
    ]
    named = json.loads(run("build", "en", "--service", "Example Bank", "--json", config=config)[1])
    (made,) = named
    assert (made["language"], made["source"], made["engine"]) == ("en", "made", "flite")
    assert Path(made["file"]).parent == tmp_path / "state"
    (engines / "flite").unlink()
    assert run("build", "en", "--service", "Example Bank", config=config)[0] == 0
    call = tmp_path / "call.wav"
    assert run("play", "en", "--service", "Example Bank", "--output", str(call), config=config)[0] == 0


def test_a_name_that_is_none_is_told_in_plain_words(config: str) -> None:
    code, output = run("build", "en", "--service", "", config=config)
    assert code == 2
    assert "must have at least 1 character" in output


def test_a_name_that_nobody_can_say_ends_with_6_and_the_way_out(
    engines: Path, tmp_path: Path, config: str
) -> None:
    code, output = run("build", "en", "de", "--service", "Example Bank", config=config)
    assert code == 6
    assert "en: 'Example Bank' is spoken by flite" in output
    assert "de: 'Example Bank' was not made: pico: is not installed" in output
    assert "voicegate prompts import de FILE --service NAME" in output
    code, output = run("play", "de", "--service", "Example Bank", config=config)
    assert code == 6
    assert "voicegate prompts build de --service 'Example Bank'" in output


def test_a_state_folder_that_cannot_be_written_is_named(engines: Path, tmp_path: Path, config: str) -> None:
    (tmp_path / "state").touch()
    code, output = run("build", "en", "--service", "Example Bank", config=config)
    assert code == 6
    assert f"en: 'Example Bank' was not made: {tmp_path}/state: cannot be written" in output
    assert "record it" not in output


def test_a_recording_of_a_name_is_taken_in(tmp_path: Path, config: str) -> None:
    file = project_folder("sounds") / "de" / "this_is.wav"
    code, output = run("import", "de", str(file), "--service", "Example Bank", config=config)
    assert code == 0
    assert output.startswith("de: took in this_is-")
    assert run("build", "de", "--service", "Example Bank", config=config)[1].startswith(
        "de: 'Example Bank' is recorded\n"
    )
    assert run("check", "de", config=config)[0] == 0


@pytest.mark.parametrize("name", ["", "x" * 61])
def test_a_name_that_no_setting_takes_is_wrong_usage(name: str) -> None:
    assert run("build", "en", "--service", name)[0] == 2


def test_shells_complete_languages_and_names(config: str) -> None:
    file = Path(config)
    file.write_text(file.read_text().replace("[service]", '[service]\nname = "Example Bank"'))

    def complete(line: list[str], incomplete: str) -> list[str]:
        shell = ShellComplete(main, {}, "voicegate", "_VOICEGATE_COMPLETE")
        return [item.value for item in shell.get_completions(["--config", config, *line], incomplete)]

    assert complete(["prompts", "play"], "d") == ["de"]
    assert complete(["call", "--language"], "e") == ["en", "es"]
    assert complete(["factors", "enroll", "--language"], "e") == ["en", "es"]
    assert complete(["prompts", "build"], "e") == ["en", "es"]
    assert complete(["prompts", "import", "de", "x", "--service"], "Ex") == ["Example Bank"]
    assert complete(["--config", "/nowhere", "prompts", "build", "--service"], "Ex") == []
