"""Which of a language's ten digits a sound is: Whisper must choose among their words.

One digit is heard at a time. A word's score is its likelihood given the sound, less a part of what the model
expects before it hears anything; otherwise rare words would lose to common ones. That part, and the length
that the encoder takes at once, were chosen with recordings of people, not with ours.

Only words that may win are spelt out: no spelling is likelier than its first token, and one step of the
decoder gives that for all words.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from voicegate.lab.hearing.whisper import RATE, load_whisper

Sound = npt.NDArray[np.float32]
"""Mono, -1 to 1, at `whisper.RATE`."""
Scores = npt.NDArray[np.float64]
"""Log likelihoods, in nats."""

DECIDED: Final = 3.0
"""In nats: a word that is further behind the best one is scored by its first token only, which is too high a
score."""
# The encoder takes any length up to 30 s, and costs by it; a digit and its surroundings fit well.
_WINDOW_S: Final = 5.0
_BATCH: Final = 8
_SPELT_FIRST: Final = 2
_PRIOR: Final = 0.3
# They do not set words apart.
_UNSPACED: Final = frozenset(("ja", "zh"))
_HISS: Final = 1e-4


class DigitEar:
    """The recogniser for one language; its methods block. What it has heard is not computed again."""

    def __init__(self, language: str, words: Sequence[str]) -> None:
        model = load_whisper()
        tokenizer = model.hf_tokenizer
        self._model, self._extract = model.model, model.feature_extractor
        self._start = [
            tokenizer.token_to_id(name)
            for name in ("<|startoftranscript|>", f"<|{spoken_language(language)}|>", "<|transcribe|>")
        ]
        self._plain = tokenizer.token_to_id("<|notimestamps|>")
        before = "" if spoken_language(language) in _UNSPACED else " "
        self._spellings: list[list[int]] = [
            tokenizer.encode(before + word, add_special_tokens=False).ids for word in words
        ]
        self._known: dict[bytes, Scores] = {}
        self._expected = np.zeros(len(self._spellings))
        hiss = np.random.default_rng(0).normal(size=RATE) * _HISS
        self._expected = self._score([hiss.astype(np.float32)])[0]
        self._known.clear()

    def score(self, sounds: Sequence[Sound]) -> Scores:
        """Return a row for each sound: how well each digit's word fits; the best one is what is heard."""
        fresh = {key: sound for sound in sounds if (key := _mark(sound)) not in self._known}
        keys = list(fresh)
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            scores = self._score([fresh[key] for key in batch]) - _PRIOR * self._expected
            self._known.update(zip(batch, scores, strict=True))
        return np.stack([self._known[_mark(sound)] for sound in sounds])

    def hear(self, sounds: Sequence[Sound]) -> str:
        """Return the digits that the sounds are."""
        return "".join(str(best) for best in self.score(sounds).argmax(axis=1)) if sounds else ""

    def _score(self, sounds: Sequence[Sound]) -> Scores:
        """Return a row for each sound: the log likelihood of each spelling, exact where it matters."""
        encoded = self._encode(sounds)
        scores = self._first_tokens(encoded)
        spelt = np.array([len(tokens) == 1 for tokens in self._spellings]) | np.zeros_like(scores, bool)
        wanted = _best(scores - _PRIOR * self._expected, _SPELT_FIRST) & ~spelt
        while wanted.any():
            rows, columns = np.nonzero(wanted)
            scores[rows, columns] = self._spell(encoded, rows, columns)
            spelt |= wanted
            fair = scores - _PRIOR * self._expected
            best = np.where(spelt, fair, -np.inf).max(axis=1, keepdims=True)
            wanted = ~spelt & (fair > best - DECIDED)
        return scores

    def _encode(self, sounds: Sequence[Sound]) -> npt.NDArray[np.float32]:
        length = int(_WINDOW_S * RATE)
        windows = [np.pad(sound[:length], (0, max(length - len(sound), 0))) for sound in sounds]
        frames = length // self._extract.hop_length
        features = [self._extract(window.astype(np.float32), padding=0)[:, :frames] for window in windows]
        return np.asarray(self._model.encode(view(np.stack(features)), to_cpu=True))

    def _first_tokens(self, encoded: npt.NDArray[np.float32]) -> Scores:
        """Return the log likelihood of each spelling's first token."""
        prompt = [*self._start, self._plain]
        heard = self._model.generate(
            view(encoded),
            [prompt] * len(encoded),
            beam_size=1,
            max_length=len(prompt),
            return_logits_vocab=True,
            suppress_blank=False,
            suppress_tokens=[],
        )
        logits = np.stack([np.asarray(one.logits[0][0], dtype=np.float64).ravel() for one in heard])
        firsts = [tokens[0] for tokens in self._spellings]
        scores: Scores = logits[:, firsts] - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        return scores

    def _spell(self, encoded: npt.NDArray[np.float32], rows: Any, columns: Any) -> Scores:
        """Return the whole log likelihoods of some spellings of some sounds."""
        frames = int(_WINDOW_S * RATE) // self._extract.hop_length
        spellings = [self._spellings[column] for column in columns]
        heard = self._model.align(view(encoded[rows]), self._start, spellings, frames, median_filter_width=1)
        return np.array([np.log(np.maximum(one.text_token_probs, 1e-12)).sum() for one in heard])


def spoken_language(folder: str) -> str:
    """Return Whisper's name of a language from the name of its folder: "pt" for "pt-BR"."""
    return folder.partition("-")[0].lower()


def margins(scores: Scores, digits: str) -> Scores:
    """Return, in nats, how far each sound's right digit is ahead of the best wrong one; negative: misheard.

    Exact up to `DECIDED`; above that, at least the returned value.
    """
    right = np.array([int(digit) for digit in digits])
    rows = np.arange(len(right))
    others = scores.copy()
    others[rows, right] = -np.inf
    ahead: Scores = scores[rows, right] - others.max(axis=1)
    return ahead


def _best(scores: Scores, count: int) -> npt.NDArray[np.bool_]:
    return scores >= np.sort(scores, axis=1)[:, -count:][:, :1]


def _mark(sound: Sound) -> bytes:
    return blake2b(sound.tobytes(), digest_size=16).digest()


def view(array: npt.NDArray[np.float32]) -> Any:
    """Return an array in the form that the model takes."""
    from ctranslate2 import StorageView  # noqa: PLC0415  # comes with the extra

    return StorageView.from_array(np.ascontiguousarray(array, dtype=np.float32))
