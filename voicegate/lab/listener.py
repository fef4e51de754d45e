"""What a person at a lab's telephone understands: which key is asked for, how much of a code was read.

By normalised cross-correlation with the prompts themselves, which is exact about what was played and says
nothing of whether a person would understand it; for that there is `ear`. Samples are 8 kHz mono.
"""

from pathlib import Path
from typing import Final

import numpy as np
import soundfile

Samples = np.ndarray[tuple[int], np.dtype[np.int16]]
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]

RATE: Final = 8000
_ALIKE: Final = 0.85
_SILENCE: Final = 50.0
# From the end of "Press" to the start of the key, at most; the mixer leaves 0.12 s.
_KEY_WITHIN: Final = RATE // 2


class KeyListener:
    """One telephone's ear: feed it what arrives, ask it what was understood.

    `prompts_folder` is a language's folder, such as `sounds/en`.
    """

    def __init__(self, prompts_folder: Path) -> None:
        self._press = _load(prompts_folder / "press.wav")
        self._any_key = _load(prompts_folder / "press_any_key.wav")
        self._digits = [_load(prompts_folder / f"digit_{digit}.wav") for digit in range(10)]
        self._heard = np.zeros(0, np.float64)
        self._sought = 0
        self._press_end: int | None = None
        self._key: str | None = None

    def feed(self, samples: Samples) -> None:
        """Hear the next samples."""
        self._heard = np.concatenate((self._heard, samples.astype(np.float64)))

    def asked_key(self) -> str | None:
        """Return the key that was asked for, "5" where any will do; None until one was."""
        if self._key is None:
            self._look_for_prompts()
            if self._press_end is not None and self._key is None:
                self._key = self._find_key()
        return self._key

    def digits_heard_since_key(self) -> int:
        """Return how many digits were read since a key was asked for: a code's, unless it was asked again.

        The words before the code are not waited for: a packet lost in them would make them unlike themselves.
        """
        if self._press_end is None or self._key is None:
            return 0
        rest = self._heard[self._press_end + _KEY_WITHIN + len(self._digits[int(self._key)]) :]
        scores = np.zeros(len(rest), np.float64)
        for digit in self._digits:
            likeness = _likeness(rest, digit)
            np.maximum(scores[: len(likeness)], likeness, out=scores[: len(likeness)])
        return _count_peaks(scores, apart=min(map(len, self._digits)))

    def _look_for_prompts(self) -> None:
        """Look for what asks for a key in what is new since the last look, and where it may have begun."""
        start = max(self._sought - max(len(self._press), len(self._any_key)), 0)
        self._sought, fresh = len(self._heard), self._heard[start:]
        if self._press_end is None:
            found = _find(fresh, self._press)
            self._press_end = None if found is None else start + found + len(self._press)
        if _find(fresh, self._any_key) is not None:
            self._key, self._press_end = "5", len(self._heard)

    def _find_key(self) -> str | None:
        assert self._press_end is not None  # noqa: S101 - `_find_press` said so
        longest = max(map(len, self._digits))
        after = self._heard[self._press_end : self._press_end + _KEY_WITHIN + longest]
        if len(after) < _KEY_WITHIN + longest:
            return None
        scores = [float(_likeness(after, digit).max()) for digit in self._digits]
        best = int(np.argmax(scores))
        if scores[best] >= _ALIKE:
            return str(best)
        # Something else sounded like "Press": listen on.
        self._press_end = None
        return None


def _load(file: Path) -> Floats:
    samples: Floats = soundfile.read(file, dtype="int16")[0].astype(np.float64)
    return samples


def _find(heard: Floats, prompt: Floats) -> int | None:
    """Return where `prompt` begins in what was heard; None when it was not."""
    likeness = _likeness(heard, prompt)
    if not len(likeness):
        return None
    best = int(np.argmax(likeness))
    return best if likeness[best] >= _ALIKE else None


def _likeness(heard: Floats, prompt: Floats) -> Floats:
    """Return the correlation, -1 to 1, of `prompt` with each stretch of `heard` as long as itself."""
    places = len(heard) - len(prompt) + 1
    if places <= 0:
        return np.zeros(0, np.float64)
    size = 1 << (len(heard) + len(prompt) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(prompt, size)), size)[:places]
    power = np.concatenate(([0.0], np.cumsum(np.square(heard, dtype=np.float64))))
    # Near silence is like nothing: without a floor, rounding would be compared with rounding.
    energy = np.maximum(power[len(prompt) :] - power[: -len(prompt)], len(prompt) * _SILENCE**2)
    likeness: Floats = product / np.sqrt(energy * float(np.square(prompt).sum()))
    return likeness


def _count_peaks(scores: Floats, *, apart: int) -> int:
    """Return how many places, `apart` samples from each other, are alike enough."""
    count, position = 0, 0
    while position < len(scores):
        if scores[position] >= _ALIKE:
            count += 1
            position += apart
        else:
            position += 1
    return count
