"""The group: help, global options, errors in one line, and a daemon that begins and ends in order."""

import asyncio
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import rich_click as click

from tests.unit.cli.conftest import run
from voicegate import bootstrap
from voicegate.cli.exits import EPILOG, Exit
from voicegate.cli.main import ADDRESSES, DEFAULT_CONFIG
from voicegate.cli.options import Options
from voicegate.cli.place import find_socket
from voicegate.cli.serve import run_until_told
from voicegate.config import DEFAULT_FILE, Settings, project_folder
from voicegate.domain.errors import ConfigError
from voicegate.lab.ports import free_port_base


def test_the_help_page_names_every_command_and_exit_code() -> None:
    page = run("--help").stdout
    assert not [name for name in ADDRESSES if name not in page]
    assert [int(code) for code in re.findall(r"\b(\d) ", EPILOG)] == list(Exit)


def test_the_help_page_imports_no_command() -> None:
    script = (
        "import sys; from voicegate.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "slow = {'httpx', 'aiohttp', 'sqlalchemy', 'numpy', 'phonenumbers', 'msgspec'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.parametrize("name", sorted(ADDRESSES))
def test_a_commands_line_on_the_help_page_is_its_own(name: str) -> None:
    command = ADDRESSES[name].load()
    assert command.get_short_help_str(limit=200) == ADDRESSES[name].help
    assert run(name, "--help").exit_code == 0


def test_the_default_file_on_the_help_page_is_the_one_that_counts() -> None:
    assert str(DEFAULT_FILE) == DEFAULT_CONFIG


def test_the_version_is_told() -> None:
    assert run("--version").stdout.startswith("voicegate, version ")


def test_an_unknown_command_is_wrong_usage() -> None:
    assert run("dance").exit_code == Exit.USAGE


def test_an_unreachable_daemon_is_named_with_the_fix(tmp_path: Path) -> None:
    socket = tmp_path / "none.sock"
    result = run("--socket", str(socket), "trunks")
    assert result.exit_code == Exit.UNREACHABLE
    assert result.stderr == f"voicegate: nothing answers at {socket}: is `voicegate serve` running?\n"


def test_the_socket_is_the_one_in_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "voicegate.toml"
    file.write_text('socket.path = "/run/elsewhere.sock"\n')
    assert find_socket(Options(config=file)) == Path("/run/elsewhere.sock")
    assert find_socket(Options(config=file, socket=Path("/s"))) == Path("/s")


def test_without_a_configuration_the_socket_is_where_it_is_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicegate.cli.place.DEFAULT_FILE", tmp_path / "none.toml")
    assert find_socket(Options()) == Path(Settings().socket.path)


def test_a_configuration_that_was_named_must_be_readable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        find_socket(Options(config=tmp_path / "none.toml"))


def right_configuration(folder: Path) -> Path:
    file = folder / "voicegate.toml"
    file.write_text(
        f'storage = {{database = "{folder}/db", key_file = "{folder}/key", state_folder = "{folder}"}}\n'
        f'audio.folder = "{folder}/audio"\nsocket.path = "{folder}/api.sock"\npbx.main.kind = "simulator"\n'
    )
    return file


def test_a_right_configuration_is_told_to_be(tmp_path: Path) -> None:
    file = right_configuration(tmp_path)
    result = run("config", "check", str(file))
    assert (result.exit_code, result.stdout) == (
        0,
        f"{file}: right; 1 in [pbx], 0 in [trunks], 0 in [internal]\n",
    )
    assert '"ok": true' in run("--config", str(file), "config", "check", "--json").stdout


def test_what_serve_would_refuse_is_no_right_configuration(tmp_path: Path) -> None:
    file = right_configuration(tmp_path)
    file.write_text(file.read_text() + 'socket.allowed_users = ["no-such-user"]\n')
    result = run("config", "check", str(file))
    assert (result.exit_code, result.stdout) == (Exit.CONFIG, "")
    assert result.stderr == f"voicegate: {file}: socket.allowed_users: there is no user no-such-user\n"


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("time_cap_s = 20", "call.time_cap_s: 20 is too short: to say a code of 10 digits 2 times takes "),
        ("time_cap_extension_s = 20", "call.time_cap_extension_s: 20 is too short: "),
        ("human_timeout_s = 4", "call.human_timeout_s: 4 is too short: to ask for the key takes "),
        ("human_timeout_extension_s = 4", "call.human_timeout_extension_s: 4 is too short: "),
    ],
)
def test_times_that_would_cut_a_sound_are_no_right_configuration(
    tmp_path: Path, setting: str, says: str
) -> None:
    file = right_configuration(tmp_path)
    file.write_text(f"{file.read_text()}[call]\n{setting}\n")
    result = run("config", "check", str(file))
    assert result.exit_code == Exit.CONFIG
    assert says in result.stderr


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("language = 'tlh'", "service.language: no prompts for 'tlh'; installed: "),
        ("unjudged_languages = ['tlh']", "service.unjudged_languages: no prompts for 'tlh' in "),
        ("digit_variants = {en = 'zwo'}", "en: has no variant 'zwo' of its digits; it has none"),
        ("digit_variants = {tlh = 'zwo'}", "service.digit_variants: 'tlh' is not spoken; "),
        ("digit_variants = 'zwo'", "service.digit_variants"),
    ],
)
def test_languages_that_cannot_be_spoken_are_no_right_configuration(
    tmp_path: Path, setting: str, says: str
) -> None:
    file = right_configuration(tmp_path)
    file.write_text(f"{file.read_text()}[service]\n{setting}\n")
    result = run("config", "check", str(file))
    assert result.exit_code == Exit.CONFIG
    assert says in result.stderr


def test_a_language_that_nobody_judged_must_be_switched_on(tmp_path: Path) -> None:
    sounds = Path(shutil.copytree(project_folder("sounds") / "en", tmp_path / "sounds" / "en")).parent
    script = Path(shutil.copytree(sounds / "en", sounds / "nl")) / "prompts.toml"
    script.write_text("judged = false\n" + script.read_text("utf-8"), "utf-8")
    file = right_configuration(tmp_path)
    before = f"{file.read_text()}[service]\nsounds = '{sounds}'\nlanguage = 'nl'\n"
    file.write_text(before)
    result = run("config", "check", str(file))
    assert result.exit_code == Exit.CONFIG
    assert "service.language: no prompts for 'nl'; installed: en" in result.stderr
    assert "service.unjudged_languages can switch on 'nl'" in result.stderr
    file.write_text(before + "unjudged_languages = ['nl']\n")
    assert run("config", "check", str(file)).exit_code == 0
    for sound in (sounds / "nl").glob("digit_7.*"):
        sound.unlink()
    result = run("config", "check", str(file))
    assert "no sound of digit_7: voicegate prompts build nl, or voicegate prompts import nl" in result.stderr


def test_a_timeout_needs_no_part_of_the_time_for_the_code(tmp_path: Path) -> None:
    file = right_configuration(tmp_path)
    file.write_text(f"{file.read_text()}[call]\nhuman_timeout_s = 90\n")
    assert run("config", "check", str(file)).exit_code == 0


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "/x/y: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
        (OSError(), "OSError"),
    ],
)
def test_what_the_system_refuses_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, error: OSError, says: str
) -> None:
    def fail(_: Options) -> Settings:
        raise error

    monkeypatch.setattr("voicegate.cli.config.read_settings", fail)
    result = run("config", "show")
    assert (result.exit_code, result.stderr) == (Exit.FAILED, f"voicegate: {says}\n")


def test_a_reader_who_has_gone_is_no_error() -> None:
    script = f"{sys.executable} -m voicegate config show {project_folder('config') / 'voicegate.toml'} | true"
    ended = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert ended.stderr == ""


def test_a_lab_in_an_impossible_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "lab"
    result = run("lab", "up", "--folder", str(folder), "--port-base", str(free_port_base()))
    assert result.exit_code == Exit.FAILED
    assert result.stderr.splitlines()[-1] == (
        f"voicegate: the lab's folder {folder} cannot be written: Not a directory"
    )


def test_a_wrong_setting_is_one_line_with_file_setting_and_fix(tmp_path: Path) -> None:
    file = tmp_path / "voicegate.toml"
    file.write_text("[passcode]\nlenght = 6\n")
    for command in (("config", "check"), ("config", "show"), ("serve",)):
        result = run("--config", str(file), *command)
        assert result.exit_code == Exit.CONFIG
        assert result.stderr == (
            f"voicegate: {file}: passcode.lenght: unknown setting; did you mean passcode.length?\n"
        )


def test_the_settings_that_hold_are_shown_with_their_defaults_marked(tmp_path: Path) -> None:
    file = tmp_path / "voicegate.toml"
    secret = tmp_path / "secret"
    secret.write_text("hush")
    file.write_text(f'[passcode]\nlength = 8\n[pbx.main]\nkind = "asterisk"\nami_secret_file = "{secret}"\n')
    result = run("config", "show", str(file))
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert rows["passcode.length"] == ["8"]
    assert rows["passcode.guesses"] == ["5", "default"]
    assert rows["pbx.main.ami_port"] == ["5038", "default"]
    assert "hush" not in result.stdout
    assert '"passcode.length": {' in run("config", "show", str(file), "--json").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed(shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"_VOICEGATE_COMPLETE={shell}_complete" in result.stdout


def test_commands_and_their_options_are_completed() -> None:
    environment = os.environ | {"_VOICEGATE_COMPLETE": "bash_complete"}

    def complete(words: str, current: int) -> str:
        more = {"COMP_WORDS": words, "COMP_CWORD": str(current)}
        script = "from voicegate.cli.main import main; main(prog_name='voicegate')"
        return subprocess.run(
            [sys.executable, "-c", script], env=environment | more, capture_output=True, text=True, check=True
        ).stdout

    assert complete("voicegate ca", 1).split() == ["plain,call", "plain,call-again", "plain,calls"]
    assert "plain,--watch" in complete("voicegate call --", 2)


async def test_a_signal_ends_the_daemon_when_its_calls_are_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    began, told = asyncio.Event(), []

    async def serve(settings: Settings, signals: bootstrap.Signals, reread: object) -> None:
        began.set()
        await signals.told_to_stop.wait()
        await asyncio.sleep(0)
        told.append("in order")

    monkeypatch.setattr(bootstrap, "serve", serve)
    running = asyncio.create_task(run_until_told(Settings(), Settings))
    await began.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    await running
    assert told == ["in order"]


async def test_a_daemon_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(settings: Settings, signals: bootstrap.Signals, reread: object) -> None:
        raise ConfigError("socket.path: no")

    monkeypatch.setattr(bootstrap, "serve", serve)
    with pytest.raises(ConfigError, match="socket"):
        await run_until_told(Settings(), Settings)


def test_every_command_that_asks_the_daemon_can_print_json() -> None:
    for name in ("call", "check", "trunks"):
        options = [option for parameter in ADDRESSES[name].load().params for option in parameter.opts]
        assert "--json" in options
    for name in ("calls", "config"):
        group = ADDRESSES[name].load()
        assert isinstance(group, click.Group)
        for command in group.commands.values():
            assert "--json" in [option for parameter in command.params for option in parameter.opts]
