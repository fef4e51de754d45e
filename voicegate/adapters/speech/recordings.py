"""An admin's own recordings, imported as prompts that replace the built ones.

They are kept in the state folder, `recordings/<language>/`, which an upgrade does not touch; if a prompt's
files are deleted there, the built one is used again. Accepted are all formats that libsndfile reads, and the
headerless ones that Asterisk 22 knows by their suffix: its own digit sets come as `digits/7.wav` or
`digits/7.gsm`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from voicegate.adapters.speech.build import MASTER_RATE, write_prompt
from voicegate.adapters.speech.formats import FORMATS, Samples
from voicegate.adapters.speech.levels import polish, resample
from voicegate.adapters.speech.pack import Pack, digit_name
from voicegate.domain.announcement import PromptName
from voicegate.domain.errors import SpeechError

FOLDER: Final = "recordings"
# The best first: a folder may hold the same recording in several formats.
_SUFFIXES: Final = ("wav", "wav16", "flac", "aiff", "ogg", "mp3", "sln16", "sln", "ulaw", "alaw", "gsm")
_HEADERLESS: Final[Mapping[str, tuple[str, int]]] = {
    "sln16": ("PCM_16", 16000),
    "sln": ("PCM_16", 8000),
    "ulaw": ("ULAW", 8000),
    "alaw": ("ALAW", 8000),
    "gsm": ("GSM610", 8000),
}
_SILENT_PEAK: Final = 0.001
_HALF_SCALE: Final = 16384.0
_LONGEST_S: Final = 30
_INTRODUCTION: Final = re.compile(rf"{PromptName.THIS_IS}-[0-9a-f]{{16}}", re.ASCII)
# A room's noise, or GSM's own, lies above what is silence between an engine's words.
_SILENCE_DB: Final = -40.0


@dataclass(frozen=True, slots=True)
class TakenIn:
    """The result of an import."""

    names: Sequence[str]
    """The prompts that were replaced."""
    left: Sequence[str]
    """Files of the folder that were not used: no prompt has their name, or another format was better."""


def introduction_name(service: str) -> str:
    """Return the file name, without suffix, of a recording that introduces `service`."""
    return f"{PromptName.THIS_IS}-{sha256(service.encode()).hexdigest()[:16]}"


def find_introductions(pack: Pack, recordings: Path) -> Sequence[str]:
    """Return the recordings that introduce services by their names, in any format; blocks."""
    found = (recordings / pack.language).glob(f"{PromptName.THIS_IS}-*")
    return sorted({file.stem for file in found if _INTRODUCTION.fullmatch(file.stem)})


def find_recorded(pack: Pack, recordings: Path) -> Sequence[str]:
    """Return the prompts that have an imported recording, in any format; blocks."""
    own = recordings / pack.language
    return [name for name in pack.scripts if any((own / f"{name}.{suffix}").is_file() for suffix in FORMATS)]


def take_in(pack: Pack, source: Path, recordings: Path, *, service: str | None = None) -> TakenIn:
    """Convert, trim and level the recordings in the folder `source`, or the one file, and keep them; blocks.

    A file is named as its prompt, `goodbye.wav` or `digit_7.flac`; a digit's may be just `7.wav`. For a
    `service` only the one that introduces it is taken: `this_is.wav`, or the file, whatever its name. Nothing
    is kept unless all files can be used.

    Raises:
        SpeechError: none is named as a prompt, one cannot be used, or the folders cannot be read or
            written; names which.
    """
    try:
        is_file = source.is_file()
        among = [source] if is_file else sorted(source.iterdir())
        files = {file.name: file for file in among if file.is_file()}
    except OSError as error:
        raise SpeechError(f"{source}: cannot be read: {error.strerror}") from error
    if service is None:
        chosen = {name: file for name in pack.scripts if (file := _choose(name, files))}
        wanted = f"named as a prompt: {', '.join(pack.scripts)}"
    else:
        found = source if is_file else _choose(PromptName.THIS_IS, files)
        chosen = {introduction_name(service): found} if found else {}
        wanted = f"that introduces {service!r}: {PromptName.THIS_IS}.wav"
    if not chosen:
        raise SpeechError(f"{source}: holds no recording {wanted}")
    masters = {name: _read(file) for name, file in chosen.items()}
    for name, master in masters.items():
        write_prompt(recordings / pack.language, name, master)
    used = {file.name for file in chosen.values()}
    return TakenIn(names=list(masters), left=[name for name in files if name not in used])


def _choose(name: str, files: Mapping[str, Path]) -> Path | None:
    stems = [name, *(digit for digit in "0123456789" if digit_name(digit) == name)]
    names = (f"{stem}.{suffix}" for stem in stems for suffix in _SUFFIXES)
    return next((files[candidate] for candidate in names if candidate in files), None)


def _read(file: Path) -> Samples:
    """Return a recording as a prompt at the rate of masters."""
    subtype, rate = _HEADERLESS.get(file.suffix.removeprefix("."), ("", 0))
    raw = {"samplerate": rate, "channels": 1, "format": "RAW", "subtype": subtype} if subtype else {}
    try:
        channels, rate = soundfile.read(file, dtype="float64", always_2d=True, **raw)
    except (OSError, soundfile.LibsndfileError) as error:
        raise SpeechError(f"{file}: cannot be read as sound: {error}") from error
    sound = channels.mean(axis=1)
    peak = float(np.abs(sound).max(initial=0.0))
    if peak < _SILENT_PEAK:
        raise SpeechError(f"{file}: is silent")
    if sound.size > _LONGEST_S * rate:
        raise SpeechError(f"{file}: is longer than {_LONGEST_S} s")
    samples = np.rint(sound * (_HALF_SCALE / peak)).astype(np.int16)
    return polish(resample(samples, rate, MASTER_RATE), MASTER_RATE, silence_db=_SILENCE_DB)
