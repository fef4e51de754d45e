"""What service numbers say: a sample of each language's announcement, and fixed English phrases.

Samples are joined from the prompts, as a call's sound is. Phrases are spoken by flite once for each user, not
for each lab: a cache keeps them by their words. The services are in `services`.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from voicegate.adapters.speech.build import MASTER_RATE, convert, write_whole
from voicegate.adapters.speech.formats import FORMATS, Samples
from voicegate.adapters.speech.levels import polish, resample
from voicegate.adapters.speech.pack import Script, load_spoken
from voicegate.adapters.speech.recordings import FOLDER
from voicegate.adapters.speech.voice import Voice, load_voice
from voicegate.config import project_folder
from voicegate.domain.announcement import (
    Digit,
    HumanCheck,
    Pause,
    Prompt,
    PromptName,
    compose_invitation,
    compose_reading,
)
from voicegate.domain.passcode import Passcode
from voicegate.lab.apt import Progress
from voicegate.lab.behaviour import LabNumber
from voicegate.lab.deadlines import at_most
from voicegate.lab.errors import PackageError
from voicegate.lab.numbers import NUMBERS as TABLE
from voicegate.lab.packages import cache_folder, ensure_program, no_progress
from voicegate.lab.services import CODE, ECHO, NUMBERS, sample_name

SAMPLE_CODE: Final = "1234567890"
"""The code in samples: each digit once. It proves nothing."""
SPOKEN: Final = {
    CODE.name: "You will be called back with a code. Please hang up now.",
    ECHO.name: "From now on you hear yourself.",
    NUMBERS.name: "The numbers of the carrier, by their last two digits.",
}
"""The words with which each service begins, by its name."""
_KIND: Final = FORMATS["wav"]
_VOICE: Final = "rms"
_DIGIT_PAUSE: Final = Pause(timedelta(milliseconds=150))
_ROW_PAUSE: Final = Pause(timedelta(milliseconds=700))
_DEADLINE_S: Final = 30


def make_sounds(folder: Path, state: Path, progress: Progress = no_progress) -> None:
    """Make the sound of each service: `<its name>.wav` in `folder`, 8 kHz; the admin's own recordings are in
    `state`.

    Blocks, for a second if nothing was made before.

    Raises:
        PackageError: flite is not there and cannot be fetched, or failed.
        SpeechError: a language's prompts cannot be used, or the folder cannot be written.
    """
    progress("making the service numbers' sounds", 0)
    sounds = project_folder("sounds")
    voices = {pack.language: load_voice(pack, _KIND, state / FOLDER) for pack in load_spoken(sounds)}
    phrases = _speak_all({*SPOKEN.values(), *map(in_words, TABLE)}, progress)
    made = {name: [phrases[words]] for name, words in SPOKEN.items()}
    made[NUMBERS.name] += _table(voices["en"], phrases)
    made |= {sample_name(language): [_sample(voice)] for language, voice in voices.items()}
    for name, pieces in made.items():
        write_whole(folder / f"{name}.wav", _KIND.encode(np.concatenate(pieces)))
    progress("making the service numbers' sounds", 1)


def in_words(number: LabNumber) -> str:
    """Return the description of a number as it is spoken: without the words in parentheses."""
    return re.sub(r" \([^)]*\)", "", number.behaviour)


def _sample(voice: Voice) -> Samples:
    """Return what is said on a call without a human check."""
    phrasing = voice.pack.phrasing
    invitation = compose_invitation(HumanCheck.NONE, "", phrasing)
    reading = compose_reading(Passcode(SAMPLE_CODE), phrasing)
    return voice.join((*invitation, *reading, Prompt(PromptName.GOODBYE))).samples


def _table(voice: Voice, phrases: Mapping[str, Samples]) -> list[Samples]:
    pieces: list[Samples] = []
    for number in TABLE:
        digits = [part for digit in number.digits for part in (Digit(digit), _DIGIT_PAUSE)]
        pieces += [voice.join((_ROW_PAUSE, *digits)).samples, phrases[in_words(number)]]
    return pieces


def _speak_all(texts: Iterable[str], progress: Progress) -> dict[str, Samples]:
    cache = cache_folder().parent / "phrases"
    files = {text: cache / f"{Script('flite', _VOICE, text).fingerprint}.wav" for text in texts}
    missing = [text for text, file in files.items() if not file.is_file()]
    if missing:
        flite = ensure_program("flite", progress=progress)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda text: _speak(flite, text, files[text]), missing))
    return {text: _KIND.read(file) for text, file in files.items()}


def _speak(flite: Sequence[str], text: str, file: Path) -> None:
    # Not by `tts`, which takes an engine from PATH: here it may be one that was only unpacked.
    with tempfile.TemporaryDirectory(prefix="voicegate-") as scratch:
        raw = Path(scratch) / "speech.wav"
        command = [*flite, "-voice", _VOICE, "-f", "-", "-o", str(raw)]
        try:
            subprocess.run(
                command, input=text.encode(), capture_output=True, check=True, timeout=at_most(_DEADLINE_S)
            )
            samples, rate = soundfile.read(raw, dtype="int16")
        except (OSError, subprocess.SubprocessError, soundfile.LibsndfileError) as error:
            raise PackageError(f"flite made no sound of {text!r}: {error}") from error
    master = polish(resample(samples, rate, MASTER_RATE), MASTER_RATE)
    write_whole(file, convert(master, _KIND.suffix))
