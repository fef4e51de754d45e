"""How many words of a phrase are understood: Whisper writes down what it hears, and the words are compared.

A name that is in no dictionary, such as the service's, is seldom spelt right; it counts as wrong, although a
person would have understood it.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from voicegate.lab.hearing.digits import Sound, spoken_language, view
from voicegate.lab.hearing.whisper import RATE, load_whisper

# They do not set words apart: each character counts as one.
_UNSPACED: Final = frozenset(("ja", "zh"))
_WINDOW_S: Final = 30


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was understood of a phrase."""

    heard: str
    """The words that were heard."""
    wrong: int
    """Words missing, added or changed."""
    words: int
    """Words that were said."""


def transcribe(language: str, said: str, sound: Sound) -> Transcript:
    """Return what is written down of a phrase; blocks for a second."""
    model = load_whisper()
    tokenizer = model.hf_tokenizer
    prompt = [
        tokenizer.token_to_id(name)
        for name in (
            "<|startoftranscript|>",
            f"<|{spoken_language(language)}|>",
            "<|transcribe|>",
            "<|notimestamps|>",
        )
    ]
    # The model says what it hears over and over unless silence follows, up to the 30 s that it was taught by.
    features = model.feature_extractor(np.pad(sound, (0, _WINDOW_S * RATE - len(sound))), padding=0)
    (written,) = model.model.generate(view(features[None, :, : _WINDOW_S * 100]), [prompt])
    heard = tokenizer.decode(written.sequences_ids[0]).strip()
    wanted = split_words(language, said)
    return Transcript(heard, count_errors(wanted, split_words(language, heard)), len(wanted))


def split_words(language: str, text: str) -> list[str]:
    """Return the words of a text for comparison: lower case, without punctuation."""
    plain = re.sub(r"[^\w\s]", " ", unicodedata.normalize("NFKC", text).casefold())
    if spoken_language(language) in _UNSPACED:
        return [*"".join(plain.split())]
    return plain.split()


def count_errors(wanted: Sequence[str], heard: Sequence[str]) -> int:
    """Return how many words must be added, removed or changed to get from one text to the other."""
    row = list(range(len(heard) + 1))
    for count, word in enumerate(wanted, start=1):
        above, row[0] = row[0], count
        for place, other in enumerate(heard, start=1):
            changed = above + (word != other)
            above = row[place]
            row[place] = min(changed, above + 1, row[place - 1] + 1)
    return row[-1]
