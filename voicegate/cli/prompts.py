"""`voicegate prompts`: make the spoken phrases of a language from its scripts, and listen to them."""

import asyncio
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from voicegate.adapters.speech.build import Progress, build, find_stale
from voicegate.adapters.speech.pack import Pack, find_languages, load_pack
from voicegate.cli.exits import Exit, Failure, reason_of
from voicegate.cli.printing import json_option, print_json
from voicegate.config import project_folder
from voicegate.domain.errors import SpeechError

_PLAYERS: Final = (
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("play", "-q"),
    ("ffplay", "-nodisp", "-autoexit"),
)

_sounds = click.option(
    "--sounds",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=lambda: project_folder("sounds"),
    help="Folder with a folder per language; the one that came with Voicegate when not given.",
)


@click.group()
def prompts() -> None:
    """The spoken phrases."""


@prompts.command("build")
@click.argument("languages", nargs=-1, metavar="[LANGUAGE]...")
@_sounds
@click.option("--force", is_flag=True, help="Make all of them, not only those whose script changed.")
@json_option
def build_prompts(languages: tuple[str, ...], sounds: Path, *, force: bool, as_json: bool) -> None:
    """Make the prompts of LANGUAGEs (all, when none is named) from their scripts.

    Needs the text-to-speech engine that the language's prompts.toml names.
    """
    packs = [load_pack(sounds, language) for language in languages or find_languages(sounds)]
    made: dict[str, Sequence[str]] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        for pack in packs:
            made[pack.language] = _build(pack, bar, force=force)
    if as_json:
        print_json(made)
        return
    for language, names in made.items():
        click.echo(f"{language}: made {', '.join(names)}" if names else f"{language}: all up to date")


@prompts.command()
@click.argument("language")
@click.argument("name")
@_sounds
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Copy the prompt (WAV, 16 kHz) there instead of playing it.",
)
def play(language: str, name: str, sounds: Path, output: Path | None) -> None:
    """Play the prompt NAME of a LANGUAGE, such as `en your_code_is` or `en digit_7`."""
    pack = load_pack(sounds, language)
    if name not in pack.scripts:
        raise SpeechError(f"{pack.folder}: has no prompt {name!r}; it has {', '.join(pack.scripts)}")
    file = pack.folder / f"{name}.wav16"
    if not file.is_file():
        raise SpeechError(f"{file}: is not there; make it by `voicegate prompts build {language}`")
    if output is not None:
        _copy(file, output)
    else:
        _play(file, pack.folder / f"{name}.wav")
    if name in find_stale(pack):
        click.echo(f"its script has changed since: voicegate prompts build {language}", err=True)


def _copy(file: Path, output: Path) -> None:
    try:
        shutil.copyfile(file, output)
    except OSError as error:
        raise Failure(Exit.FAILED, f"{file.name} cannot be copied: {reason_of(error)}") from error


def _build(pack: Pack, bar: Bar, *, force: bool) -> Sequence[str]:
    task = bar.add_task(pack.language, total=None)

    def report(progress: Progress) -> None:
        bar.update(task, completed=progress.done, total=progress.total)

    return asyncio.run(build(pack, force=force, report=report))


def _play(file: Path, narrow: Path) -> None:
    """Play a sound by the first player of this machine, or say where it lies."""
    for player, *options in _PLAYERS:
        program = shutil.which(player)
        if program is not None:
            # Players go by the suffix, and know none of Asterisk's `wav16`.
            subprocess.run([program, *options, str(narrow)], check=False)  # noqa: S603
            return
    click.echo(f"no player is installed ({', '.join(player for player, *_ in _PLAYERS)}); it lies in {file}")
