"""What service numbers say: a sample of each language's announcement, and fixed English phrases.

Samples are joined by the same mixer as a call's sound. Phrases are spoken by flite once a user, not once
a lab: a cache keeps them by their words. Which services there are is `services`' business.
"""

import asyncio
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from voicegate.adapters.speech.build import convert, write_whole
from voicegate.adapters.speech.formats import FORMATS, Samples
from voicegate.adapters.speech.levels import polish, resample
from voicegate.adapters.speech.mixer import Mixer, SpeechSettings
from voicegate.adapters.speech.pack import Script, digit_name
from voicegate.config import project_folder
from voicegate.domain.announcement import (
    HumanCheck,
    Part,
    Prompt,
    PromptName,
    compose_invitation,
    compose_reading,
)
from voicegate.domain.passcode import Passcode
from voicegate.lab.apt import Progress
from voicegate.lab.behaviour import LabNumber
from voicegate.lab.errors import PackageError
from voicegate.lab.numbers import NUMBERS as TABLE
from voicegate.lab.packages import cache_folder, ensure_program, no_progress
from voicegate.lab.services import CODE, ECHO, NUMBERS, sample_name

SAMPLE_CODE: Final = "1234567890"
"""What samples read out: each digit once. It proves nothing."""
SPOKEN: Final = {
    CODE.name: "You will be called back with a code. Please hang up now.",
    ECHO.name: "From now on you hear yourself.",
    NUMBERS.name: "The numbers of the carrier, by their last two digits.",
}
"""Service's name -> the words with which it begins."""
_KIND: Final = FORMATS["wav"]
_MASTER_RATE: Final = 16000
_VOICE: Final = "rms"
_DIGIT_PAUSE: Final = timedelta(milliseconds=150)
_ROW_PAUSE: Final = timedelta(milliseconds=700)
_DEADLINE_S: Final = 30


def make_sounds(folder: Path, progress: Progress = no_progress) -> None:
    """Make what each service plays: `<its name>.wav` in `folder`, 8 kHz; blocks.

    Raises:
        PackageError: flite is not there and cannot be fetched, or failed.
        SpeechError: a language's prompts cannot be used, or the folder cannot be written.
    """
    progress("making the service numbers' sounds", 0)
    phrases = _speak_all({*SPOKEN.values(), *map(in_words, TABLE)}, progress)
    for name, words in SPOKEN.items():
        sound = [phrases[words]]
        if name == NUMBERS.name:
            sound += _table(phrases)
        write_whole(folder / f"{name}.wav", _KIND.encode(np.concatenate(sound)))
    asyncio.run(_make_samples(folder))
    progress("making the service numbers' sounds", 1)


def in_words(number: LabNumber) -> str:
    """Return how a number behaves, as it is said aloud: without what stands in parentheses."""
    return re.sub(r" \([^)]*\)", "", number.behaviour)


def sample_parts(mixer: Mixer, language: str) -> Sequence[Part]:
    """Return a sample of what is said on a call."""
    reading = compose_reading(Passcode(SAMPLE_CODE), mixer.phrasing(language))
    return (*compose_invitation(HumanCheck.NONE, ""), *reading, Prompt(PromptName.GOODBYE))


async def _make_samples(folder: Path) -> None:
    sounds = project_folder("sounds")
    with tempfile.TemporaryDirectory(prefix="voicegate-") as scratch:
        here = SpeechSettings(
            sounds=sounds,
            audio_folder=Path(scratch),
            pbx_audio_folder=scratch,
            pbx_sounds_folder=str(sounds),
            service_name="Voicegate",
            state_folder=Path(scratch),
        )
        mixer = Mixer(here)
        for language in mixer.languages():
            async with mixer.mix(language, sample_parts(mixer, language), ()) as audio:
                made = Path(f"{audio.invitation.path}.wav")
                await asyncio.to_thread(shutil.copyfile, made, folder / f"{sample_name(language)}.wav")


def _table(phrases: Mapping[str, Samples]) -> list[Samples]:
    english = project_folder("sounds") / "en"
    digits = {value: _KIND.read(english / f"{digit_name(value)}.wav") for value in "0123456789"}
    pieces: list[Samples] = []
    for number in TABLE:
        pieces.append(_silence(_ROW_PAUSE))
        for digit in number.digits:
            pieces += [digits[digit], _silence(_DIGIT_PAUSE)]
        pieces.append(phrases[in_words(number)])
    return pieces


def _silence(length: timedelta) -> Samples:
    return np.zeros(round(length.total_seconds() * _KIND.rate), np.int16)


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
            subprocess.run(command, input=text.encode(), capture_output=True, check=True, timeout=_DEADLINE_S)
            samples, rate = soundfile.read(raw, dtype="int16")
        except (OSError, subprocess.SubprocessError, soundfile.LibsndfileError) as error:
            raise PackageError(f"flite made no sound of {text!r}: {error}") from error
    master = polish(resample(samples, rate, _MASTER_RATE), _MASTER_RATE)
    write_whole(file, convert(master, _KIND.suffix))
