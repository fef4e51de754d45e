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


class EarForNoise(Ear):
    """Hears the short seven on bad lines only, and the long one better on good ones."""

    def score(self, sounds: Sequence[Sound]) -> Scores:
        scores = np.zeros((len(sounds), 10))
        for row, sound in enumerate(sounds):
            is_bad, is_short = bool(np.any(sound[:1000])), len(sound) < 17000
            scores[row, 7] = {(False, True): -0.2, (False, False): 0.2, (True, True): 3.0}.get(
                (is_bad, is_short), -1.0
            )
        return scores


def test_a_take_that_is_misheard_on_a_good_line_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "DigitEar", EarForNoise)
    short, long = Take(), Take(speed=0.8)
    takes = {short: np.full(8000, 8000, np.int16), long: np.full(10000, 8000, np.int16)}
    assert TakeChooser("es")("siete", WORDS, takes) == long
    assert TakeChooser("es")("siete", WORDS, {short: takes[short]}) == short
