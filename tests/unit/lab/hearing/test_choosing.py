"""Of a digit's takes, the one that is understood best is chosen: few hearings of all, more of the best."""

from collections.abc import Sequence

import numpy as np
import pytest

from voicegate.adapters.speech.takes import Take
from voicegate.lab.hearing import choosing
from voicegate.lab.hearing.choosing import TakeChooser
from voicegate.lab.hearing.digits import Scores, Sound

WORDS = ["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"]


class Ear:
    """Hears a seven the better the longer it is, however bad the line."""

    heard = 0

    def __init__(self, language: str, words: Sequence[str]) -> None:
        assert (language, list(words)) == ("es", WORDS)

    def score(self, sounds: Sequence[Sound]) -> Scores:
        type(self).heard += len(sounds)
        scores = np.zeros((len(sounds), 10))
        scores[:, 7] = [np.count_nonzero(np.abs(sound) > 0.1) / 4000 - 1 for sound in sounds]
        return scores


def test_the_take_that_is_furthest_ahead_on_both_lines_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "DigitEar", Ear)
    Ear.heard = 0
    takes = {
        Take(speed=speed): np.full(round(8000 / speed), 8000, np.int16) for speed in (1.0, 0.6, 0.9, 0.8, 0.7)
    }
    assert TakeChooser("es")("siete", WORDS, takes) == Take(speed=0.6)
    assert Ear.heard < 3 * len(takes) + 10
