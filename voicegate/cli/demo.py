"""`voicegate lab demo`: enroll a telephone and sign in with it, in its own lab; a speech recogniser hears the
code."""

import re
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import Final

import rich_click as click
from rich.console import Console

from voicegate.adapters.speech.pack import find_languages
from voicegate.cli.exits import Exit
from voicegate.cli.printing import is_news, label_of
from voicegate.client import ApiError, Client, Factor, FactorJudgement, Step, Verification
from voicegate.config import project_folder
from voicegate.lab.apt import Progress
from voicegate.lab.browser import page_url
from voicegate.lab.hearing.calls import Ear, choose_ear
from voicegate.lab.numbers import find_number
from voicegate.lab.ports import reserve_port_base
from voicegate.lab.settings import LabSettings, default_folder
from voicegate.lab.world import Lab

_DIGITS: Final = 6
_SUBSCRIBER: Final = "alice"
_OFFICE: Final = find_number("office")
_LISTEN_S: Final = 0.3
_RECORDING_WITHIN_S: Final = 10.0
_SIGNALED: Final = 128
"""Added to a signal's number it is the exit code of who ends by it, as shells have it."""
_AT_LAST: Final = "nothing"

Say = Callable[[str], None]
Enter = Callable[[str], FactorJudgement]


@click.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: default_folder().parent / "demo",
    help="Where the demo's lab lies; emptied first.",
)
@click.option(
    "--language",
    type=click.Choice(find_languages(project_folder("sounds"))),
    default="en",
    show_default=True,
    help="What is spoken and heard; other than English by the ear of the extra [hear].",
)
@click.option("--keep", is_flag=True, help="Leave the lab running afterwards.")
def demo(folder: Path, language: str, *, keep: bool) -> None:
    """Call an office through a real Asterisk, dial an extension, speak a code, hear it, activate by it; then
    once more for a sign-in.

    The last line tells the result of the sign-in; the exit code is 0 only if its code was delivered, heard
    and verified.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end_in_order)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    ear = choose_ear(project_folder("sounds"), language)
    spoken = {"service.language": language, "service.unjudged_languages": [language]}
    shutil.rmtree(folder, ignore_errors=True)
    with reserve_port_base() as port_base:
        lab = Lab(LabSettings(folder.resolve(), port_base, name="demo", overrides=spoken))
        try:
            _bring_up(lab, console)
            told = "" if keep else ", until the demo ends (with --keep, after it too)"
            console.print(f"a telephone in the browser{told}: {page_url(lab.settings)}")
            last_line, is_good = _sign_in(lab, ear, console.print)
        finally:
            if not keep:
                lab.down()
    console.print(last_line)
    raise SystemExit(Exit.OK if is_good else Exit.NO)


def _end_in_order(number: int, _frame: object) -> None:
    """End as by Ctrl-C: what the demo has started goes with it. A second signal ends it at once."""
    signal.signal(number, signal.SIG_DFL)
    raise SystemExit(_SIGNALED + number)


def _bring_up(lab: Lab, console: Console) -> None:
    began = time.monotonic()
    with console.status("looking for Asterisk") as spinner:
        lab.up(_show(spinner.update, console.print if not console.is_terminal else None))
    console.print(f"lab up in {time.monotonic() - began:.1f} s: a PBX, a carrier, telephones, Voicegate")


def _show(update: Say, say: Say | None) -> Progress:
    """Show progress: on a terminal in place, elsewhere one line for each step."""
    told: set[str] = set()

    def progress(text: str, done: float) -> None:
        update(f"{text} {done:.0%}")
        if say and text not in told:
            told.add(text)
            say(text)

    return progress


def _sign_in(lab: Lab, ear: Ear, say: Say) -> tuple[str, bool]:
    """Return the demo's last line, and whether all went well."""
    with Client(socket=lab.settings.socket) as client, ThreadPoolExecutor(1) as person:
        desk = _Desk(lab, client, person, ear=ear, say=say)
        say(f"enrolling {_OFFICE.example}, extension {_OFFICE.extension}: {_OFFICE.behaviour}")
        factor = client.factors.enroll(_SUBSCRIBER, _OFFICE.example, extension=_OFFICE.extension)
        proof = desk.prove(factor, partial(client.factors.activate, _SUBSCRIBER, factor.id))
        if proof.endswith("status=verified"):
            say(f"the telephone is {client.factors.get(_SUBSCRIBER, factor.id).status}; a sign-in with it:")
            challenge = _challenge(client, factor.id)
            proof = desk.prove(challenge, partial(client.factors.verify, _SUBSCRIBER, factor.id))
    line = f"demo: {proof}"
    return line, bool(
        re.fullmatch(r"demo: outcome=delivered evidence=announced heard=\d{6} status=verified", line)
    )


def _challenge(client: Client, factor_id: str) -> Verification:
    """Issue a challenge as soon as the person may be called again."""
    while True:
        try:
            return client.factors.challenge(_SUBSCRIBER, factor_id)
        except ApiError as error:
            if error.problem.retry_after_s is None:
                raise
            time.sleep(error.problem.retry_after_s)


class _Desk:
    """The person of the demo: at the telephone, and at the screen that asks for the code."""

    def __init__(self, lab: Lab, client: Client, person: Executor, *, ear: Ear, say: Say) -> None:
        self._lab = lab
        self._client = client
        self._person = person
        self._ear = ear
        self._say = say
        self._calls = 0

    def prove(self, told: Factor | Verification, enter: Enter) -> str:
        """Follow a call; the person enters its code as soon as it was heard. Return the result."""
        code = told.verification if isinstance(told, Factor) else told
        if code is None or told.call is None:
            return "outcome=None evidence=None heard=None status=unheard"
        self._calls += 1
        is_over = Event()
        entering = self._person.submit(self._enter_when_heard, enter, is_over)
        before: Step | None = None
        try:
            for step in self._client.watch(code.id):
                if is_news(step, before):
                    self._say(f"{(step.at - told.call.created_at).total_seconds():6.1f} s  {label_of(step)}")
                    before = step
        finally:
            is_over.set()
        heard, status = entering.result()
        call = self._client.call(told.call.id)
        return f"outcome={call.outcome} evidence={call.evidence.strongest} heard={heard} status={status}"

    def _enter_when_heard(self, enter: Enter, is_over: Event) -> tuple[str | None, str]:
        """Enter the code when the recogniser has read it twice alike; after the call, from the whole
        recording."""
        so_far, before, denied = self._lab.settings.folder / "so-far.wav", None, None
        while not is_over.wait(_LISTEN_S):
            heard = self._ear(so_far, _DIGITS) if self._lab.listen_in(_OFFICE.example, so_far) else None
            if heard and heard == before and heard != denied:
                self._say(f"          the ear read {heard}, entered while the call goes on")
                if enter(heard).status == "verified":
                    return heard, "verified"
                denied = heard
            before = heard
        recording = self._recording()
        self._say(f"what the far telephone heard: {recording or _AT_LAST}")
        heard = self._ear(recording, _DIGITS) if recording else None
        self._say(f"what the ear read from it: {heard or _AT_LAST}")
        return heard, enter(heard).status if heard else "unheard"

    def _recording(self) -> Path | None:
        """Return the recording of what the telephone heard; it is written a moment after the far end hung
        up."""
        deadline = time.monotonic() + _RECORDING_WITHIN_S
        while time.monotonic() < deadline:
            if len(found := self._lab.recordings(_OFFICE.example)) == self._calls:
                return found[-1]
            time.sleep(0.05)
        return None
