"""`voicegate prompts play`: what a language says, on this machine's audio player or as a WAV file."""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import rich_click as click

from voicegate.adapters.speech.formats import FORMATS, Samples
from voicegate.adapters.speech.introductions import IntroductionFolder, find_introduction
from voicegate.adapters.speech.voice import Voice, load_voice
from voicegate.cli.exits import Exit, Failure, reason_of
from voicegate.cli.options import Options
from voicegate.cli.packs import Packs, complete_services, find_packs, language_argument, sounds_option
from voicegate.domain.announcement import (
    REPORT_PHRASES,
    HumanCheck,
    Pause,
    PromptName,
    compose_invitation,
    compose_reading,
)
from voicegate.domain.errors import InvalidPasscode, SpeechError
from voicegate.domain.passcode import Passcode

_KIND: Final = FORMATS["wav16"]
_SAMPLE_KEY: Final = "7"
_GAP: Final = Pause(timedelta(milliseconds=700))
_PLAYERS: Final = (
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("play", "-q"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
)


@click.command()
@language_argument
@click.argument("names", nargs=-1, metavar="[PROMPT]...")
@sounds_option
@click.option(
    "--service",
    metavar="NAME",
    shell_complete=complete_services,
    help="Who calls: a name that was spoken or recorded before. The configured one, when not given.",
)
@click.option(
    "--code",
    default="471029",
    show_default=True,
    help="The sample code to be read: not a real one, for a command line can be seen by others.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it there (WAV, 16 kHz) instead of playing it.",
)
@click.pass_obj
def play(
    options: Options,
    language: str,
    names: tuple[str, ...],
    sounds: Path | None,
    service: str | None,
    code: str,
    output: Path | None,
) -> None:
    """Play the PROMPTs of a LANGUAGE, such as `en your_code_is digit_7`; if none is named, a sample call.

    A sample call is the invitation and one reading of a code.
    """
    voice = _load(find_packs(options, sounds), language, service)
    sound = _KIND.encode(_say(voice, names) if names else _say_call(voice, code))
    if output is None:
        _play(sound)
        return
    try:
        output.write_bytes(sound)
    except OSError as error:
        raise Failure(Exit.FAILED, f"it cannot be written: {reason_of(error)}") from error


def _load(packs: Packs, language: str, service: str | None) -> Voice:
    """Return a language's voice as calls use it, with the introduction by a service's name if it has one."""
    pack, own = packs.load([language])[0], packs.settings.service
    voice = load_voice(pack, _KIND, packs.recordings, variant=own.digit_variants.get(language))
    name = service or own.name
    found = find_introduction(
        pack, name, IntroductionFolder(packs.place.state, _KIND), is_default=name == own.name
    )
    if found.file.is_file():
        return voice.with_own(PromptName.THIS_IS, _KIND.read(found.file))
    if service is not None:
        fix = f"voicegate prompts build {language} --service {shlex.quote(service)}"
        raise Failure(Exit.FAILED, f"there is no recording of {service!r} in {language!r} yet: {fix}")
    return voice


def _say(voice: Voice, names: Sequence[str]) -> Samples:
    gap = voice.join([_GAP]).samples
    for name in names:
        if name not in voice.prompts:
            known = ", ".join(voice.prompts)
            raise SpeechError(f"{voice.pack.language}: has no prompt {name!r}; it has {known}")
    return np.concatenate([piece for name in names for piece in (voice.prompts[name], gap)])


def _say_call(voice: Voice, code: str) -> Samples:
    try:
        passcode = Passcode.parse(code)
    except InvalidPasscode as error:
        raise click.BadParameter(str(error), param_hint="--code") from error
    is_reportable = all(name in voice.prompts for name in REPORT_PHRASES)
    invitation = compose_invitation(
        HumanCheck.RANDOM_KEY, _SAMPLE_KEY, voice.pack.phrasing, is_reportable=is_reportable
    )
    return voice.join([*invitation, _GAP, *compose_reading(passcode, voice.pack.phrasing)]).samples


def _play(sound: bytes) -> None:
    """Play a sound with the first audio player found on this machine."""
    found = next((player for player in _PLAYERS if shutil.which(player[0])), None)
    if found is None:
        known = ", ".join(player for player, *_ in _PLAYERS)
        raise Failure(Exit.FAILED, f"no player is installed ({known}); --output FILE writes the sound")
    with tempfile.NamedTemporaryFile(prefix="voicegate-", suffix=".wav") as file:
        file.write(sound)
        file.flush()
        done = subprocess.run([*found, file.name], check=False)  # noqa: S603
    if done.returncode:
        raise Failure(Exit.FAILED, f"{found[0]} ended with {done.returncode}; --output FILE writes the sound")
