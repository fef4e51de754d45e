"""Takes: the ways in which the same word can be had from an engine, of which an ear picks the best.

An engine says a short word alone less clearly than in company or in the manner of a longer text, and slower
is clearer up to a point; which way is best differs from word to word. What a take sounds like is `tts`'s,
which is best the ear's.
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
    """A way to have some words said."""

    frame: str = _WORD
    """What the engine is given, with "{}" for the words; more than one "{}" and the words are cut out."""
    part: int = 0
    """Which of the frame's "{}" is cut out, from 0."""
    speed: float = 1.0
    """How fast; 1 is the engine's own pace."""
    manner: int = 0
    """For an engine with several manners, which; 0 is the one that it would take of itself."""

    def fill(self, text: str) -> str:
        """Return what the engine is to say."""
        return self.frame.replace(_WORD, text)

    def cut(self, samples: Samples, rate: int) -> Samples:
        """Return the words alone.

        Raises:
            SpeechError: the engine made no pauses, or others than the frame has.
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
"""For engines that make a pause at a comma: the word alone and between others."""
IN_VARIANTS: Final[Sequence[Take]] = (
    *(Take("{}", speed=speed, manner=manner) for manner, speed in product((0, 60), (1.0, 0.8))),
    *(Take("{}", manner=manner) for manner in (20, 150)),
    *(Take("{}.", speed=speed) for speed in (1.0, 0.8)),
)
"""For an engine that makes no pauses, and has manners."""


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
