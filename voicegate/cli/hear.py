"""`voicegate lab hear`: languages read by a speech recogniser that knows none of our recordings, and pages
about it."""

from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from voicegate.adapters.speech.pack import Pack, find_languages, load_pack
from voicegate.config import project_folder
from voicegate.lab.hearing.measuring import CODES, Report, measure
from voicegate.lab.hearing.results import find_unheard, write_heard
from voicegate.lab.hearing.table import write_pages


@click.command()
@click.argument("languages", nargs=-1, metavar="[LANGUAGE]...")
@click.option(
    "--codes",
    type=click.IntRange(min=1),
    default=CODES,
    show_default=True,
    help="Calls over clean G.711 and over the bad line; a third as many over each other line.",
)
@click.option(
    "--sounds",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=lambda: project_folder("sounds"),
    help="Folder with a folder per language.",
)
@click.option(
    "--docs",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("docs"),
    help="Where the pages are written.",
)
def hear(languages: tuple[str, ...], codes: int, sounds: Path, docs: Path) -> None:
    """Measure how well languages are understood: those named, else all judged ones whose prompts changed.

    The results are kept beside the prompts in heard.json, and the pages are written anew.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=console.is_terminal) as bar:
        for pack in _choose(sounds, languages):
            task = bar.add_task(pack.language, total=1.0)

            def report(what: str, share: float, task: TaskID = task) -> None:
                bar.update(task, description=what, completed=share)
                if not console.is_terminal:
                    bar.print(what)

            _hear(pack, codes, report)
            bar.update(task, completed=1.0)
    write_pages(sounds, docs)
    console.print(f"written: {docs}")


def _choose(sounds: Path, languages: tuple[str, ...]) -> list[Pack]:
    packs = [load_pack(sounds, language) for language in languages or find_languages(sounds)]
    return [pack for pack in packs if languages or (pack.is_judged and find_unheard(pack))]


def _hear(pack: Pack, codes: int, report: Report) -> None:
    write_heard(pack.folder, measure(pack.folder.parent, pack.language, codes=codes, report=report))
