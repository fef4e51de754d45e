"""`voicegate lab`: a complete PBX, carrier and telephones on this machine.

The demo is in `demo`, the measuring of voices in `hear`, the testers' accounts in `testers`.
"""

import dataclasses
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from voicegate.cli.demo import demo
from voicegate.cli.hear import hear
from voicegate.cli.printing import json_option, print_json, print_table
from voicegate.cli.testers import describe_testers, show_testers, testers
from voicegate.lab.apt import Progress as Report
from voicegate.lab.behaviour import Expected, LabNumber
from voicegate.lab.browser import page_url
from voicegate.lab.freeswitch import VARIABLE
from voicegate.lab.numbers import NUMBERS
from voicegate.lab.ports import DEFAULT_PORT_BASE
from voicegate.lab.settings import LabSettings, PbxKind, default_folder, recall
from voicegate.lab.trunks import TRUNKS
from voicegate.lab.world import Lab

_folder = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_folder,
    help="Where the lab keeps configuration, logs and recordings.",
)

_port_base = click.option(
    "--port-base",
    type=click.IntRange(1024, 65000),
    help=f"First of its 500 ports; as last time, else {DEFAULT_PORT_BASE}.",
)


@click.group()
def lab() -> None:
    """A complete PBX, carrier and telephones on this machine, for trial and for tests."""


lab.add_command(demo)
lab.add_command(hear)
lab.add_command(testers)


@lab.command()
@_folder
@_port_base
@click.option("--service", help="The name spoken on calls; as last time, else Voicegate.")
@click.option(
    "--listen",
    metavar="ADDRESS",
    help="This machine's IPv4 address for softphones on other hosts; as last time, else loopback only.",
)
@click.option(
    "--trunk",
    "trunks",
    multiple=True,
    type=click.Choice([trunk.name for trunk in TRUNKS]),
    help="A trunk to use; repeated, the order in which they are tried. As last time, else carrier.",
)
@click.option(
    "--pbx",
    "pbxs",
    multiple=True,
    type=click.Choice([kind.value for kind in PbxKind]),
    help=f"The company's PBX, or both; as last time, else asterisk. {VARIABLE} names a FreeSWITCH.",
)
@json_option
def up(
    folder: Path,
    port_base: int | None,
    service: str | None,
    *,
    listen: str | None,
    trunks: tuple[str, ...],
    pbxs: tuple[str, ...],
    as_json: bool,
) -> None:
    """Start the lab, or those parts that do not run; fetches Asterisk once if this machine has none."""
    settings = _settings(folder)
    settings = dataclasses.replace(
        settings,
        port_base=port_base or settings.port_base,
        service=service or settings.service,
        listen=listen or settings.listen,
        trunks=trunks or settings.trunks,
        pbxs=tuple(dict.fromkeys(map(PbxKind, pbxs))) or settings.pbxs,
    )
    _with_progress(Lab(settings).up)
    _show_status(settings, as_json=as_json)


@lab.command()
@_folder
@_port_base
def carrier(folder: Path, port_base: int | None) -> None:
    """Run the carrier and its telephones alone, until Ctrl-C: to try a PBX of your own without a real trunk.

    Your PBX's trunk to it needs no password; `voicegate lab numbers` lists who answers, and how.
    """
    settings = _settings(folder)
    settings = dataclasses.replace(settings, port_base=port_base or settings.port_base)
    started = Lab(settings)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        _with_progress(started.up_carrier)
        click.echo(f"the carrier answers at sip:127.0.0.1:{settings.ports.carrier_sip}")
        ended.wait()
    finally:
        started.down()


@lab.command()
@_folder
@json_option
def status(folder: Path, *, as_json: bool) -> None:
    """Show which parts of the lab run, and where; exit code 1 unless all do."""
    if not _show_status(_settings(folder), as_json=as_json):
        raise SystemExit(1)


@lab.command()
@json_option
def numbers(*, as_json: bool) -> None:
    """List the carrier's numbers, how each behaves, and what Voicegate reports of a call to it."""
    if as_json:
        print_json([_describe(number) for number in NUMBERS])
        return
    table = Table("number", "behaviour", "expected: outcome, evidence, blame", show_lines=True)
    for number in NUMBERS:
        called = f"{number.example}{f' ext. {number.extension}' if number.extension else ''}"
        also = f"\n{number.desk} (desk)" if number.desk else ""
        wrong = f"\nany other extension: {_in_words(number.otherwise)}" if number.otherwise else ""
        table.add_row(called + also, number.behaviour, _in_words(number.expected) + wrong)
    console = Console()
    console.print(table)
    console.print("The last two digits choose: +1 NXX 555 01ss in any area code NXX, +44 20 7946 0xss.")


@lab.command()
@json_option
def trunks(*, as_json: bool) -> None:
    """List the trunks to the carrier, for `lab up --trunk`, and what Voicegate reports of a call over
    each."""
    if as_json:
        print_json([dataclasses.asdict(trunk) | {"expected": _as_facts(trunk.expected)} for trunk in TRUNKS])
        return
    table = Table(
        "trunk", "what is special", "expected: outcome, evidence, blame", "next trunk", show_lines=True
    )
    for trunk in TRUNKS:
        following = "is tried" if trunk.fails_over else ""
        table.add_row(trunk.name, trunk.behaviour, _in_words(trunk.expected), following)
    Console().print(table)


@lab.command()
@_folder
def down(folder: Path) -> None:
    """Stop the lab; its configuration, logs and recordings stay."""
    Lab(_settings(folder)).down()


def _with_progress(start: Callable[[Report], None]) -> None:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("lab", total=1.0)
        start(lambda text, done: bar.update(task, description=text, completed=done))


def _settings(folder: Path) -> LabSettings:
    return recall(folder) or LabSettings(folder.resolve())


def _show_status(settings: LabSettings, *, as_json: bool) -> bool:
    parts = Lab(settings).status()
    runs = all(part.pid for part in parts)
    url = page_url(settings) if runs else None
    if as_json:
        shown = {
            "folder": str(settings.folder),
            "port_base": settings.port_base,
            "socket": str(settings.socket),
            "config": str(settings.config_file),
            "browser": url,
            "parts": [{**dataclasses.asdict(part), "log": str(part.log)} for part in parts],
            **describe_testers(settings),
        }
        print_json(shown)
    else:
        rows = [(part.name, f"runs ({part.pid})" if part.pid else "down", part.where) for part in parts]
        print_table(("part", "state", "where"), rows)
        click.echo(f"configuration {settings.config_file}, logs {settings.processes}")
        show_testers(settings)
        if url:
            click.echo(f"\na telephone in the browser, and a sign-in beside it: {url}")
    return runs


def _describe(number: LabNumber) -> dict[str, object]:
    return {
        "name": number.name,
        "pattern": number.pattern,
        "example": number.example,
        "desk": number.desk,
        "extension": number.extension,
        "behaviour": number.behaviour,
        "person": number.action.value,
        "expected": _as_facts(number.expected),
        "otherwise": number.otherwise and _as_facts(number.otherwise),
    }


def _as_facts(expected: Expected) -> dict[str, str]:
    return {
        "outcome": expected.outcome.value,
        "evidence": expected.evidence.name.lower(),
        "blame": expected.blame.value,
    }


def _in_words(expected: Expected) -> str:
    return ", ".join(_as_facts(expected).values())
