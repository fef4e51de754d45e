"""Whole calls for the recogniser: mixed as the daemon mixes them, and read from a recording as a person reads
them.

In a call that was mixed here, the places of the digits are known; in a recording they are found by their
rhythm, as in `lab.ear`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from voicegate.adapters.speech.formats import Samples
from voicegate.adapters.speech.levels import resample
from voicegate.adapters.speech.pack import Pack, digit_name, load_pack
from voicegate.adapters.speech.voice import Voice
from voicegate.domain.announcement import Digit, HumanCheck, Part, compose_invitation, compose_reading
from voicegate.domain.passcode import Passcode
from voicegate.lab.denoise import quieten
from voicegate.lab.ear import find_readings, find_words, hear_code
from voicegate.lab.hearing.digits import DigitEar, Sound, spoken_language
from voicegate.lab.hearing.whisper import RATE

Ear = Callable[[Path, int], str | None]
"""From a recording of a call and the code's length to the code; None: it was not recognised."""

READINGS: Final = 2
"""How often a call says its code."""
# As much as the shortest pause between digits allows without a neighbour in it.
_AROUND_S: Final = 0.25
_ANSWER_S: Final = 1.5
_FULL_SCALE: Final = 32768.0


@dataclass(frozen=True, slots=True)
class Call:
    """The sound of a call, and the places of its code's digits."""

    samples: Samples
    """All of it, at `rate`."""
    rate: int
    """Samples a second."""
    digits: Sequence[tuple[int, int]]
    """First and last sample of each digit, reading after reading."""


def mix_call(voice: Voice, code: str, key: str) -> Call:
    """Return a call that asks for `key`, waits for it, and speaks `code` twice."""
    phrasing, rate = voice.pack.phrasing, voice.kind.rate
    reading = compose_reading(Passcode(code), phrasing)
    invitation = voice.join(compose_invitation(HumanCheck.RANDOM_KEY, key, phrasing)).samples
    said = voice.join(reading).samples
    opening = np.concatenate((invitation, np.zeros(int(_ANSWER_S * rate), np.int16)))
    starts = [len(opening) + len(said) * count for count in range(READINGS)]
    digits = [(at + begin, at + end) for at in starts for begin, end in _places(voice, reading)]
    return Call(np.concatenate((opening, *[said] * READINGS)), rate, digits)


def cut_digits(call: Call, heard: Samples) -> list[Sound]:
    """Return each digit of a call as it was heard, with what is around it."""
    around = round(_AROUND_S * call.rate)
    return [sharpen(heard[max(begin - around, 0) : end + around], call.rate) for begin, end in call.digits]


def read_code(ear: DigitEar, sounds: Sequence[Sound]) -> str:
    """Return the code that a person recognises from all its readings together."""
    scores = ear.score(sounds).reshape(READINGS, -1, 10)
    return "".join(str(best) for best in scores.sum(axis=0).argmax(axis=1))


def hear_call(ear: DigitEar, recording: Path, digits: int) -> str | None:
    """Return the code of `digits` digits in a recording, 8 kHz mono; None: none was found.

    Blocks for about a second of computing.
    """
    samples, rate = soundfile.read(recording, dtype="int16")
    if rate != 8000:
        raise ValueError(f"{recording}: {rate} Hz; calls are recorded at 8000")
    runs = find_readings(find_words(quieten(samples.astype(np.float64))), digits)
    if not runs:
        return None
    sounds = [sharpen(_around(samples, *word), rate) for run in runs for word in run]
    scores = ear.score(sounds).reshape(len(runs), digits, 10)
    return "".join(str(best) for best in scores.sum(axis=0).argmax(axis=1))


def choose_ear(sounds: Path, language: str) -> Ear:
    """Return the recogniser for calls in a language; English has its own. Blocks while it is loaded.

    Raises:
        UnknownLanguage, SpeechError: there is no such language, or it cannot be used.
        PackageError: the extra [hear] is not installed.
    """
    if spoken_language(language) == "en":
        return hear_code
    return partial(hear_call, DigitEar(language, words_of(load_pack(sounds, language))))


def sharpen(samples: Samples, rate: int) -> Sound:
    """Return samples in the form that the recogniser takes."""
    return (resample(samples, rate, RATE) / _FULL_SCALE).astype(np.float32)


def words_of(pack: Pack, variant: str | None = None) -> list[str]:
    """Return the words of a language's digits from zero on; with `variant`, those of that variant."""
    other = pack.variants[variant] if variant else {}
    return [pack.scripts[other.get(value, digit_name(value))].text for value in "0123456789"]


def _around(samples: Samples, begin: float, end: float) -> Samples:
    return samples[max(int((begin - _AROUND_S) * 8000), 0) : int((end + _AROUND_S) * 8000)]


def _places(voice: Voice, reading: Sequence[Part]) -> Iterator[tuple[int, int]]:
    """Yield where the digits of a reading begin and end."""
    for place, part in enumerate(reading):
        if isinstance(part, Digit) and part.is_code:
            begin = len(voice.join(reading[:place]).samples)
            yield begin, begin + len(voice.prompts[digit_name(part.value)])
