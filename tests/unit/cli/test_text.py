"""Bytes that are not UTF-8, which a shell can hand over anywhere, are wrong usage that names the place."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import rich_click as click

from tests.unit.cli.conftest import run
from voicegate.cli.exits import Exit
from voicegate.cli.main import main

NO_TEXT = os.fsdecode(b"12\xff")


def parameters(
    command: click.Command, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Parameter]]:
    """Yield every parameter that takes words as they are, and the words that lead to it."""
    for parameter in command.params:
        is_flag = isinstance(parameter, click.Option) and parameter.is_flag
        if not is_flag and isinstance(parameter.type, type(click.STRING) | click.Path):
            yield words, parameter
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from parameters(inner, (*words, name))


def words_of(command_words: tuple[str, ...], parameter: click.Parameter) -> list[str]:
    command: click.Command = main
    for word in command_words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    given = [parameter.opts[0], NO_TEXT] if isinstance(parameter, click.Option) else []
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    after = [*command_words, *given, *(NO_TEXT if one is parameter else "1" for one in arguments)]
    # The root's own options stand before a command's name.
    return after if command_words else [*given, "trunks"]


ALL = list(parameters(main))


@pytest.mark.parametrize(
    ("words", "parameter"), ALL, ids=[" ".join((*words, str(one.name))) for words, one in ALL]
)
def test_an_argument_that_is_no_text_is_named(
    words: tuple[str, ...], parameter: click.Parameter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if isinstance(parameter.type, click.Path) and parameter.type.exists:
        there = tmp_path / NO_TEXT
        there.mkdir() if parameter.type.dir_okay else there.touch()
    result = run(*words_of(words, parameter))
    assert result.exit_code == Exit.USAGE, result.output
    shown = " ".join(result.stderr.replace("│", " ").split())
    name = parameter.make_metavar(click.Context(main)) if isinstance(parameter, click.Argument) else None
    assert f"Invalid value for '{name or parameter.opts[0]}'" in shown
    assert "it holds bytes that are not UTF-8" in shown


def test_arguments_that_are_words_were_found() -> None:
    named = {(words, str(parameter.name)) for words, parameter in ALL}
    assert {(("calls", "list"), "number"), (("factors", "enroll"), "subscriber"), ((), "config")} <= named


@pytest.mark.parametrize("arguments", [(NO_TEXT,), ("calls", NO_TEXT), ("calls", "list", f"--{NO_TEXT}")])
def test_a_command_or_an_option_that_is_no_text_is_unknown(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == Exit.USAGE
    assert "No such" in result.stderr


@pytest.mark.parametrize("variable", ["VOICEGATE_CONFIG", "VOICEGATE_SOCKET"])
def test_an_environment_that_is_no_text_is_named(variable: str) -> None:
    result = run("trunks", env={variable: NO_TEXT})
    assert result.exit_code == Exit.USAGE
    assert variable in result.stderr
    assert "UTF-8" in result.stderr


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
@pytest.mark.parametrize(
    "words",
    [("check", "ver_1"), ("call", "+12025550143", "--passcode-stdin")],
    ids=lambda words: words[0],
)
def test_a_code_that_is_no_text_is_told(tmp_path: Path, words: tuple[str, ...], locale: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "voicegate", "--socket", tmp_path / "none.sock", *words],
        input=b"47\xff1\n",
        env=os.environ | {"LC_ALL": locale},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == Exit.USAGE
    assert ended.stderr == b"voicegate: the code on standard input holds bytes that are not UTF-8\n"
