"""Which recording of a digit is understood best: the one whose word is most certain, on a good line and a bad
one.

Most calls have a good line; so no recording is chosen that is misheard there, if another one is not.
`measuring` judges the result with other random values, so that no recording wins by chance.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from voicegate.adapters.speech.build import MASTER_RATE
from voicegate.adapters.speech.formats import FORMATS, Samples
from voicegate.adapters.speech.levels import resample
from voicegate.adapters.speech.takes import Take
from voicegate.lab.hearing.digits import DECIDED, DigitEar, Sound, margins
from voicegate.lab.hearing.lines import Line, find_line
from voicegate.lab.hearing.whisper import RATE

_BAD: Final = "noise 20 dB, 3 % lost"
_GOOD: Final = "G.711"
_CHECKED: Final = (_GOOD, *(_BAD,) * 3)
_CHECK: Final = 2
_SEED: Final = 20
_AROUND_S: Final = (0.3, 0.2)


class TakeChooser:
    """The recogniser that chooses, for one language; implements `takes.Chooser`. Blocks for seconds for each
    digit."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._ears: dict[tuple[str, ...], DigitEar] = {}

    def __call__(self, word: str, words: Sequence[str], takes: Mapping[Take, Samples]) -> Take:
        """Return the best recording. All are tried on the good line, those that pass once on the bad line,
        and the best of them again on both."""
        key = tuple(words)
        ear = self._ears.setdefault(key, DigitEar(self._language, words))
        digit = str(key.index(word))
        ahead = _judge(ear, digit, takes=takes, lines=(_GOOD,))
        clear = {take: takes[take] for take in takes if ahead[take] > 0} or takes
        first = _judge(ear, digit, takes=clear, lines=(_BAD,))
        best = sorted(first, key=first.__getitem__, reverse=True)[:_CHECK]
        checked = _judge(ear, digit, takes={take: takes[take] for take in best}, lines=_CHECKED)
        return max(checked, key=checked.__getitem__)


def _judge(
    ear: DigitEar, digit: str, *, takes: Mapping[Take, Samples], lines: Sequence[str]
) -> dict[Take, float]:
    """Return how certain each recording's word is over these lines, in nats, at most `DECIDED`."""
    heard = [
        _carry(samples, find_line(name), np.random.default_rng([_SEED, number]))
        for samples in takes.values()
        for number, name in enumerate(lines)
    ]
    ahead = np.clip(margins(ear.score(heard), digit * len(heard)), -DECIDED, DECIDED)
    return dict(zip(takes, ahead.reshape(len(takes), -1).mean(axis=1).tolist(), strict=True))


def _carry(samples: Samples, line: Line, chance: np.random.Generator) -> Sound:
    kind = FORMATS[line.suffix]
    before, after = (round(seconds * kind.rate) for seconds in _AROUND_S)
    sent = np.pad(resample(samples, MASTER_RATE, kind.rate), (before, after))
    return resample(line.carry(sent, chance), kind.rate, RATE).astype(np.float32) / np.float32(32768)
