"""Takes: the ways in which an engine can say the same word, of which an ear picks the best.

An engine says a short word less clearly alone than between other words or in the manner of a longer text, and
slower is clearer up to a point; the best way differs from word to word. `tts` makes the sound of a take, and
the ear chooses.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from voicegate.adapters.speech.formats import Samples
from voicegate.domain.errors import SpeechError

_WORD: Final = "{}"
_FRAME_S: Final = 0.010
_SILENCE_DB: Final = -40.0
# Longer than the silence inside a word, as before the "t" of "acht".
_PAUSE_S: Final = 0.070
_BEFORE_S: Final = 0.030
_AFTER_S: Final = 0.050


@dataclass(frozen=True, slots=True)
class Take:
    """A way to say some words."""

    frame: str = _WORD
    """The engine's text, with "{}" for the words; with more than one "{}", one of them is cut out of the
    sound."""
    part: int = 0
    """Which of the frame's "{}" is cut out, from 0."""
    speed: float = 1.0
    """How fast; 1 is the engine's own pace."""
    manner: int = 0
    """The manner, for an engine with several; 0 is its own choice."""

    def fill(self, text: str) -> str:
        """Return the engine's text."""
        return self.frame.replace(_WORD, text)

    def cut(self, samples: Samples, rate: int) -> Samples:
        """Return the sound of the words alone.

        Raises:
            SpeechError: the engine made no pauses, or not those of the frame.
        """
        count = self.frame.count(_WORD)
        if count == 1:
            return samples
        found = _find_words(samples, rate)
        if len(found) != count:
            raise SpeechError(f"{self.frame!r}: {len(found)} words are heard, not {count}")
        start, end = found[self.part]
        return samples[start:end]


Chooser = Callable[[str, Sequence[str], Mapping[Take, Samples]], Take]
"""A digit's word, all digits' words and the takes of it as masters -> the best take; may block."""

AS_IT_IS: Final = Take()
IN_COMPANY: Final[Sequence[Take]] = tuple(
    Take(frame, part, speed)
    for (frame, part), speed in product(
        (("{}.", 0), ("{}, {}, {}.", 0), ("{}, {}, {}.", 1)), (1.0, 0.8, 0.65, 0.5)
    )
)
"""For engines that pause at a comma: the word alone and between others."""
IN_VARIANTS: Final[Sequence[Take]] = (
    *(Take("{}", speed=speed, manner=manner) for manner, speed in product((0, 60), (1.0, 0.8))),
    *(Take("{}", manner=manner) for manner in (20, 150)),
    *(Take("{}.", speed=speed) for speed in (1.0, 0.8)),
)
"""For an engine that makes no pauses but has several manners."""


def _find_words(samples: Samples, rate: int) -> list[tuple[int, int]]:
    """Return where each stretch of sound between two pauses begins and ends."""
    frame = int(rate * _FRAME_S)
    whole = samples[: samples.size // frame * frame].astype(np.float64).reshape(-1, frame)
    loudness = 10 * np.log10(np.mean(whole**2, axis=1) + 1e-12)
    audible = np.flatnonzero(loudness > loudness.max() + _SILENCE_DB)
    pauses = np.flatnonzero(np.diff(audible) > _PAUSE_S / _FRAME_S)
    starts = audible[np.concatenate(([0], pauses + 1))]
    ends = audible[np.concatenate((pauses, [audible.size - 1]))] + 1
    before, after = int(rate * _BEFORE_S), int(rate * _AFTER_S)
    return [
        (max(0, int(start) * frame - before), int(end) * frame + after)
        for start, end in zip(starts, ends, strict=True)
    ]
