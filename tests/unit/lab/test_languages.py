"""A telephone tells each language's digits apart on every codec path, over a bad line."""

import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from voicegate.adapters.speech.formats import FORMATS
from voicegate.adapters.speech.levels import resample
from voicegate.adapters.speech.pack import load_pack, load_spoken
from voicegate.adapters.speech.voice import load_voice
from voicegate.config import project_folder
from voicegate.domain.announcement import Digit, Pause, compose_reading
from voicegate.domain.passcode import Passcode
from voicegate.lab.listener import RATE, hear_digits

SOUNDS = project_folder("sounds")
FRAME = RATE // 50
CODES = ("0123456789", "9081726354", "471029", "336985", "5520", "7788")


def over_a_bad_line(heard: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """10 dB from signal to noise, and 3 frames in a hundred lost."""
    spoken = np.mean(heard[np.abs(heard) > 50] ** 2)
    noisy = heard + rng.normal(size=len(heard)) * np.sqrt(spoken / 10)
    for start in range(0, len(noisy), FRAME):
        if rng.random() < 0.03:
            noisy[start : start + FRAME] = 0
    whole: np.ndarray = np.clip(noisy, -32768, 32767).astype(np.int16)
    return whole


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("language", [pack.language for pack in load_spoken(SOUNDS)])
def test_every_digit_is_heard_as_itself(language: str, suffix: str) -> None:
    kind, rng = FORMATS[suffix], np.random.default_rng(5)
    voice = load_voice(load_pack(SOUNDS, language), kind, SOUNDS / "none")
    for code in CODES:
        sound = voice.join(compose_reading(Passcode(code), voice.pack.phrasing)).samples
        narrow = resample(sound, kind.rate, RATE).astype(np.float64)
        assert hear_digits(over_a_bad_line(narrow, rng), SOUNDS / language) == code


def test_a_digit_in_the_midst_of_a_phrase_is_none(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SOUNDS / "en", tmp_path / "en"))
    kind = FORMATS["wav"]
    code_is, eight = (kind.read(folder / f"{name}.wav") for name in ("your_code_is", "digit_8"))
    never_asked = np.concatenate((code_is, eight, code_is))
    (folder / "never_asked.wav").write_bytes(kind.encode(never_asked))
    silence = np.zeros(RATE // 2, np.int16)
    assert hear_digits(np.concatenate((eight, silence, never_asked, silence, eight)), folder) == "88"


@pytest.mark.parametrize("language", [pack.language for pack in load_spoken(SOUNDS)])
@pytest.mark.parametrize("length", range(4, 11))
def test_a_code_of_any_length_is_read_digit_by_digit_with_clear_pauses(language: str, length: int) -> None:
    parts = compose_reading(Passcode("4710293856"[:length]), load_pack(SOUNDS, language).phrasing)
    digits = [place for place, part in enumerate(parts) if isinstance(part, Digit)]
    assert len(digits) == length
    for place in digits:
        pause = parts[place + 1]
        assert isinstance(pause, Pause)
        assert pause.length >= timedelta(milliseconds=400)
