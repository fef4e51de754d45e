"""`voicegate lab demo`: one whole sign-in by telephone, in a lab of its own, heard by an independent ear."""

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import rich_click as click
from rich.console import Console

from voicegate.cli.exits import Exit
from voicegate.cli.printing import is_news, label_of
from voicegate.client import Client, Created, Step, Verification
from voicegate.lab.apt import Progress
from voicegate.lab.ear import hear_code
from voicegate.lab.numbers import find_number
from voicegate.lab.ports import reserve_port_base
from voicegate.lab.settings import LabSettings, default_folder
from voicegate.lab.world import Lab

_DIGITS: Final = 6
_RECORDING_WITHIN_S: Final = 10.0
_AT_LAST: Final = "nothing"

Say = Callable[[str], None]


@click.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: default_folder().parent / "demo",
    help="Where the demo's lab lies; emptied first.",
)
@click.option("--keep", is_flag=True, help="Leave the lab running afterwards.")
def demo(folder: Path, *, keep: bool) -> None:
    """Ring an office through a real Asterisk, dial an extension, speak a code, hear it, verify it.

    The last line says what came of it; the exit code is 0 only when the code was delivered, heard and
    verified.
    """
    console = Console(highlight=False, markup=False, soft_wrap=True)
    shutil.rmtree(folder, ignore_errors=True)
    with reserve_port_base() as port_base:
        lab = Lab(LabSettings(folder.resolve(), port_base, name="demo"))
        try:
            _bring_up(lab, console)
            last_line, is_good = _sign_in(lab, console.print)
        finally:
            if not keep:
                lab.down()
    console.print(last_line)
    raise SystemExit(Exit.OK if is_good else Exit.NO)


def _bring_up(lab: Lab, console: Console) -> None:
    began = time.monotonic()
    with console.status("looking for Asterisk") as spinner:
        lab.up(_show(spinner.update, console.print if not console.is_terminal else None))
    console.print(f"lab up in {time.monotonic() - began:.1f} s: a PBX, a carrier, telephones, Voicegate")


def _show(update: Say, say: Say | None) -> Progress:
    """Show progress on a terminal in place, elsewhere a line for each thing begun."""
    told: set[str] = set()

    def progress(text: str, done: float) -> None:
        update(f"{text} {done:.0%}")
        if say and text not in told:
            told.add(text)
            say(text)

    return progress


def _sign_in(lab: Lab, say: Say) -> tuple[str, bool]:
    """Return the demo's last line, and whether all went well."""
    office = find_number("office")
    with Client(socket=lab.settings.socket) as client:
        created = client.create_verification(office.example, extension=office.extension)
        say(f"calling {office.example}, extension {office.extension}: {office.behaviour}")
        verification = _watch(client, created, say)
        call = verification.call
        recording = _recording(lab, office.example)
        heard = hear_code(recording, _DIGITS) if recording else None
        say(f"what the far telephone heard: {recording or _AT_LAST}")
        say(f"what the ear read from it: {heard or _AT_LAST}")
        status = client.check(created.id, heard).status if heard else "unheard"
    outcome = call.outcome if call else None
    evidence = call.evidence.strongest if call else None
    line = f"demo: outcome={outcome} evidence={evidence} heard={heard} status={status}"
    return line, bool(
        re.fullmatch(r"demo: outcome=delivered evidence=announced heard=\d{6} status=verified", line)
    )


def _watch(client: Client, created: Created, say: Say) -> Verification:
    before: Step | None = None
    for step in client.watch(created.id):
        if is_news(step, before):
            say(f"{(step.at - created.call.created_at).total_seconds():6.1f} s  {label_of(step)}")
            before = step
    return client.verification(created.id)


def _recording(lab: Lab, number: str) -> Path | None:
    """Return what the telephone heard; it is written when the far end has hung up, a moment later."""
    deadline = time.monotonic() + _RECORDING_WITHIN_S
    while not (found := lab.recordings(number)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found[-1] if found else None
