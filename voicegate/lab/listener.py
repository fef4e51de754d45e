"""What a person at a lab's telephone understands: which key is requested, and how much of a code was read.

By normalised cross-correlation with the prompts themselves. This is exact about what was played and says
nothing about whether a person would understand it; for that there is `ear`. Samples are 8 kHz mono.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from voicegate.adapters.speech.pack import load_pack, load_spoken
from voicegate.domain.announcement import OPT_OUT_KEY, REPORT_KEY, Asking, PromptName

Samples = np.ndarray[tuple[int], np.dtype[np.int16]]
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Spectrum = np.ndarray[tuple[int], np.dtype[np.complex128]]

RATE: Final = 8000
# Opus leaves 0.84 of "press".
_ALIKE: Final = 0.8
# A digit that lost packets in its loudest part is less like itself, and still more than another digit is.
_DIGIT_ALIKE: Final = 0.72
_SILENCE: Final = 50.0
# Between "press" and the key, at most; the mixer leaves 0.12 s.
_KEY_WITHIN: Final = RATE // 2


@dataclass(frozen=True, slots=True, eq=False)
class _Prompt:
    """A sound to be recognised; compared by identity, so that its spectra can be kept."""

    samples: Floats
    energy: float

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True, slots=True)
class _Language:
    """A language's prompts, as far as a person who wants a code needs them."""

    press: _Prompt
    any_key: _Prompt
    digits: Sequence[_Prompt]
    folder: Path
    """The folder of its prompts."""
    is_key_first: bool
    """Is the key named before "press", instead of after it?"""


class KeyListener:
    """One telephone's ear: it is given the sound that arrives, and tells what was understood.

    It understands the languages in the folder `sounds` that are spoken by default. All of them name the key
    directly after "press" or directly before it.
    """

    def __init__(self, sounds: Path) -> None:
        self._languages = [_learn(pack.folder) for pack in load_spoken(sounds)]
        self._heard = np.zeros(0, np.float64)
        self._sought = 0
        self._spoken: _Language | None = None
        self._press_start = self._press_end = 0
        self._key: str | None = None
        self._phrase_sought = 0

    def feed(self, samples: Samples) -> None:
        """Take the next samples."""
        self._heard = np.concatenate((self._heard, samples.astype(np.float64)))

    def asked_key(self) -> str | None:
        """Return the requested key, "5" if any key will do; None: none was requested yet."""
        if self._key is None:
            self._look_for_prompts()
            if self._spoken is not None and self._key is None:
                self._key = self._find_key(self._spoken)
        return self._key

    def digits_heard_since_key(self) -> int:
        """Return how many digits were read since a key was requested: those of a code, unless the key was
        requested again.

        The words before the code are not needed: a packet that is lost in them would make them
        unrecognisable.
        """
        if self._spoken is None or self._key is None:
            return 0
        digits = self._spoken.digits
        after = 0 if self._spoken.is_key_first else _KEY_WITHIN + len(digits[int(self._key)])
        return len(_read(self._heard[self._press_end + after :], digits))

    def has_heard(self, phrase: PromptName) -> bool:
        """Return whether a phrase was spoken, nearly to its end, in the language of the requested key."""
        if self._spoken is None or self._key is None:
            return False
        prompt = _learn_phrase(self._spoken.folder, phrase)
        # Only what is new, and what may have begun before: a slow machine's people are to react in time.
        start = max(self._press_end, self._phrase_sought - len(prompt))
        self._phrase_sought, fresh = len(self._heard), self._heard[start:]
        return _best_place(_likenesses(fresh, [prompt])[0]) is not None

    def _look_for_prompts(self) -> None:
        """Look for a request for a key in what is new since the last look, and in what may have begun
        before."""
        asking = [prompt for known in self._languages for prompt in (known.press, known.any_key)]
        start = max(self._sought - max(map(len, asking)), 0)
        if self._sought == len(self._heard):
            return
        self._sought, fresh = len(self._heard), self._heard[start:]
        found = [_best_place(likeness) for likeness in _likenesses(fresh, asking)]
        for language, press, any_key in zip(self._languages, found[::2], found[1::2], strict=True):
            if self._spoken is None and press is not None:
                self._spoken, self._press_start = language, start + press
                self._press_end = self._press_start + len(language.press)
            if any_key is not None:
                self._spoken, self._press_end, self._key = language, len(self._heard), "5"

    def _find_key(self, language: _Language) -> str | None:
        within = _KEY_WITHIN + max(map(len, language.digits))
        start = max(self._press_start - within, 0) if language.is_key_first else self._press_end
        named = self._heard[start : start + within]
        # An invitation may end with its key: then no more samples come.
        whole = np.pad(named, (0, within - len(named)))
        scores = [float(likeness.max()) for likeness in _likenesses(whole, language.digits)]
        best = int(np.argmax(scores))
        # "Press nine" is for those who did not ask for the call: who picks up during that hears nothing else.
        is_requested = str(best) not in (REPORT_KEY, OPT_OUT_KEY)
        if scores[best] >= _DIGIT_ALIKE and is_requested:
            return str(best)
        if len(named) < within and is_requested:
            return None
        # Something else sounded like "Press": listen on.
        self._spoken = None
        return None


def hear_digits(heard: Samples, prompts_folder: Path) -> str:
    """Return all digits that were spoken, in order, by the prompts of a language's folder; blocks.

    What looks like a digit within a phrase is ignored if the phrase itself was recognised. A single word such
    as "press" is too similar to a digit for that.
    """
    digits = _learn(prompts_folder).digits
    phrases = [phrase for phrase in _learn_phrases(prompts_folder) if len(phrase) > max(map(len, digits))]
    samples = heard.astype(np.float64)
    for phrase, likeness in zip(phrases, _likenesses(samples, phrases), strict=True):
        for place in np.flatnonzero(likeness >= _ALIKE):
            samples[place : place + len(phrase)] = 0
    return _read(samples, digits)


def find_sound(heard: Samples, sound: Samples) -> int | None:
    """Return the sample at which a sound begins in what was heard; None: it was not heard. Blocks."""
    return _best_place(_likenesses(heard.astype(np.float64), [_known(sound.astype(np.float64))])[0])


@cache
def _learn(folder: Path) -> _Language:
    digits = [_load(folder / f"digit_{digit}.wav") for digit in range(10)]
    order = load_pack(folder.parent, folder.name).phrasing.asking
    is_key_first = order.index(Asking.KEY) < order.index(Asking.PRESS)
    return _Language(
        _load(folder / "press.wav"), _load(folder / "press_any_key.wav"), digits, folder, is_key_first
    )


@cache
def _learn_phrase(folder: Path, name: PromptName) -> _Prompt:
    # Without its end: the last block is written only when more sound follows, and after an offer none does.
    return _known(_load(folder / f"{name}.wav").samples[: -RATE // 2])


@cache
def _learn_phrases(folder: Path) -> Sequence[_Prompt]:
    files = (folder / f"{name}.wav" for name in PromptName)
    return [_load(file) for file in files if file.is_file()]


def _load(file: Path) -> _Prompt:
    return _known(soundfile.read(file, dtype="int16")[0].astype(np.float64))


def _known(samples: Floats) -> _Prompt:
    return _Prompt(samples, float(np.square(samples).sum()))


def _best_place(likeness: Floats) -> int | None:
    """Return where a prompt begins in what was heard; None: it was not heard."""
    if not len(likeness):
        return None
    best = int(np.argmax(likeness))
    return best if likeness[best] >= _ALIKE else None


def _likenesses(heard: Floats, prompts: Sequence[_Prompt]) -> list[Floats]:
    """Return for each prompt its correlation, from -1 to 1, with each part of `heard` of the same length."""
    # As long as what was heard is enough: what wraps around falls on places where no prompt fits.
    size = 1 << len(heard).bit_length()
    spectrum = np.fft.rfft(heard, size)
    power = np.concatenate(([0.0], np.cumsum(np.square(heard))))
    found: list[Floats] = []
    for prompt in prompts:
        places = max(len(heard) - len(prompt) + 1, 0)
        product = np.fft.irfft(spectrum * _spectrum(prompt, size), size)[:places] if places else np.zeros(0)
        # Near silence is like nothing: without a floor, rounding would be compared with rounding.
        energy = power[len(power) - places :] - power[:places]
        found.append(product / np.sqrt(np.maximum(energy, len(prompt) * _SILENCE**2) * prompt.energy))
    return found


# Two prompts a language and ten digits, each in a few sizes.
@lru_cache(maxsize=128)
def _spectrum(prompt: _Prompt, size: int) -> Spectrum:
    return np.conj(np.fft.rfft(prompt.samples, size))


def _read(heard: Floats, digits: Sequence[_Prompt]) -> str:
    """Return the digits in what was heard: where one is similar enough, the most similar one."""
    scores = np.zeros((len(digits), len(heard)), np.float64)
    for row, likeness in zip(scores, _likenesses(heard, digits), strict=True):
        row[: len(likeness)] = likeness
    apart, end, said = min(map(len, digits)), 0, ""
    for place in np.flatnonzero(scores.max(axis=0) >= _DIGIT_ALIKE):
        if place >= end:
            end = int(place) + apart
            said += str(scores[:, place:end].max(axis=1).argmax())
    return said
