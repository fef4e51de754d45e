"""`voicegate prompts`: the spoken phrases of each language: make, list, check, play, replace them."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import msgspec
import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from voicegate.adapters.speech.build import Progress, build, find_stale
from voicegate.adapters.speech.inspection import inspect
from voicegate.adapters.speech.pack import Pack
from voicegate.adapters.speech.recordings import find_recorded, take_in
from voicegate.cli.exits import Exit
from voicegate.cli.naming import name_service, tell
from voicegate.cli.options import Options
from voicegate.cli.packs import (
    complete_services,
    find_packs,
    language_argument,
    languages_argument,
    sounds_option,
)
from voicegate.cli.playing import play
from voicegate.cli.printing import json_option, print_json, print_table
from voicegate.config.shapes import ServiceName
from voicegate.config.wording import explain
from voicegate.domain.shape_errors import read_shape_error
from voicegate.lab.hearing.choosing import TakeChooser

_LEFT_SHOWN: Final = 5
_JUDGED: Final = "yes"


@click.group()
def prompts() -> None:
    """The spoken phrases."""


prompts.add_command(play)


def _check_name(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    try:
        return name if name is None else msgspec.convert(name, ServiceName)
    except msgspec.ValidationError as error:
        raise click.BadParameter(explain(read_shape_error(error))) from None


@prompts.command("build")
@languages_argument
@sounds_option
@click.option(
    "--service",
    metavar="NAME",
    callback=_check_name,
    shell_complete=complete_services,
    help='Make only "This is NAME.", as the daemon would at its next start.',
)
@click.option("--force", is_flag=True, help="Make all of them, not only those whose script changed.")
@click.option(
    "--choose", is_flag=True, help="Make several takes of each digit, of which an ear picks the best."
)
@json_option
@click.pass_obj
def build_prompts(
    options: Options,
    languages: tuple[str, ...],
    sounds: Path | None,
    service: str | None,
    *,
    force: bool,
    choose: bool,
    as_json: bool,
) -> None:
    """Make the prompts of LANGUAGEs from their scripts; if none is named, of all that are spoken.

    Needs the text-to-speech engine that the language's prompts.toml names. A NAME is kept in the state
    folder: make it as the daemon's user, or as root before the daemon starts. If the language's own engine is
    not installed, its fallback engine is used, and this command says so.
    """
    packs = find_packs(options, sounds)
    chosen = packs.load_in_use(languages)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        if service is not None:
            named = list(name_service(packs, service, bar.track(chosen, description=service), force=force))
        else:
            made = {pack.language: _build(pack, bar, force=force, choose=choose) for pack in chosen}
    if service is not None:
        print_json(named) if as_json else tell(named, packs)
        raise SystemExit(Exit.FAILED if any(one.error for one in named) else Exit.OK)
    if as_json:
        print_json(made)
        return
    for language, names in made.items():
        click.echo(f"{language}: made {', '.join(names)}" if names else f"{language}: all up to date")


@prompts.command("list")
@languages_argument
@sounds_option
@json_option
@click.pass_obj
def list_prompts(options: Options, languages: tuple[str, ...], sounds: Path | None, *, as_json: bool) -> None:
    """List the prompts of LANGUAGEs (all, if none is named): where each comes from, and what it says.

    A language that is "unjudged" is spoken only if `service.unjudged_languages` lists it.
    """
    packs = find_packs(options, sounds)
    rows = [row for pack in packs.load(languages) for row in _rows(pack, packs.recordings)]
    if as_json:
        print_json([{**row, "judged": row["judged"] == _JUDGED} for row in rows])
        return
    print_table(list(rows[0]) if rows else (), (list(row.values()) for row in rows))


@prompts.command("check")
@languages_argument
@sounds_option
@json_option
@click.pass_obj
def check_prompts(
    options: Options, languages: tuple[str, ...], sounds: Path | None, *, as_json: bool
) -> None:
    """Check the prompts of LANGUAGEs, recordings too; if none is named, of all that are spoken.

    Finds files that are missing, damaged, silent, clipped, too quiet or too loud, different in their formats,
    made from other words, or not the file of a prompt. The exit code is 1 if anything is found.
    """
    packs = find_packs(options, sounds)
    found = [finding for pack in packs.load_in_use(languages) for finding in inspect(pack, packs.recordings)]
    if as_json:
        print_json([{**asdict(finding), "file": str(finding.file)} for finding in found])
    else:
        for finding in found:
            click.echo(f"{finding.file}: {finding.problem}: {finding.fix}")
        if not found:
            click.echo("all prompts are right")
    raise SystemExit(Exit.NO if found else Exit.OK)


@prompts.command("import")
@language_argument
@click.argument("folder", metavar="FOLDER|FILE", type=click.Path(exists=True, path_type=Path))
@sounds_option
@click.option(
    "--service",
    metavar="NAME",
    callback=_check_name,
    shell_complete=complete_services,
    help='Take in one that says "This is NAME.": FILE, or this_is.wav in FOLDER.',
)
@json_option
@click.pass_obj
def import_recordings(
    options: Options,
    language: str,
    folder: Path,
    sounds: Path | None,
    service: str | None,
    *,
    as_json: bool,
) -> None:
    """Replace prompts of a LANGUAGE by the recordings in FOLDER, of any rate and number of channels.

    A file has the name of its prompt (`voicegate prompts list`): goodbye.wav, digit_7.flac; a digit's file
    may be just 7.wav, as in Asterisk's own sounds: .../sounds/es_MX_f_Allison/digits.
    """
    packs = find_packs(options, sounds)
    taken = take_in(packs.load([language])[0], folder, packs.recordings, service=service)
    if as_json:
        print_json(taken)
        return
    click.echo(f"{language}: took in {', '.join(taken.names)}; spoken from the daemon's next start")
    if taken.left:
        more = ", …" if len(taken.left) > _LEFT_SHOWN else ""
        click.echo(f"not used: {len(taken.left)} files ({', '.join(taken.left[:_LEFT_SHOWN])}{more})")


def _rows(pack: Pack, recordings: Path) -> Iterator[dict[str, str]]:
    recorded, stale = find_recorded(pack, recordings), find_stale(pack)
    for name, script in pack.scripts.items():
        is_recorded = name in recorded
        yield {
            "language": pack.language,
            "prompt": name,
            "from": "own recording" if is_recorded else "to be built" if name in stale else "built",
            "voice": "" if is_recorded else f"{script.engine} {script.voice}",
            "judged": _JUDGED if pack.is_judged else "unjudged",
            "words": script.text,
        }


def _build(pack: Pack, bar: Bar, *, force: bool, choose: bool) -> Sequence[str]:
    task = bar.add_task(pack.language, total=None)
    chooser = TakeChooser(pack.language) if choose else None

    def report(progress: Progress) -> None:
        bar.update(task, completed=progress.done, total=progress.total)

    return asyncio.run(build(pack, force=force, choose=chooser, report=report))
