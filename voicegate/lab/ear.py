"""A speech recogniser that knows none of our recordings: reads a spoken English code from what a telephone
heard.

It is pocketsphinx 5.1, whose acoustic model is in its wheel; for exactly what was played, there is
`listener`. It finds the code by its rhythm: N short words with pauses, after something longer, and before
something longer or the end. It reads all readings and takes the digits that most of them agree on. Steady
noise is removed by `denoise`.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
import pocketsphinx
import soundfile
import soxr

from voicegate.lab.denoise import quieten

Samples = np.ndarray[tuple[int], np.dtype[np.float64]]
Segment = tuple[float, float]

RATE: Final = 8000
_MODEL_RATE: Final = 16000
_WORDS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_FRAME: Final = RATE // 50
_FRAME_S: Final = 0.02
# Shorter silences are within a word, such as before the last sound of "eight".
_WITHIN_WORD_S: Final = 0.28
_SHORTEST_WORD_S: Final = 0.06
_DIGIT_S: Final = (0.1, 0.85)
_GAP_S: Final = (0.3, 1.5)
_INTRODUCTION_S: Final = 0.6
_PAUSE_BEFORE_CODE_S: Final = 0.75
_AFTERWORD_S: Final = 1.2
_MARGIN_S: Final = 0.25
# A recogniser holds the utterance in progress; making one takes longer than waiting for it.
_ONE_AT_A_TIME: Final = Lock()
# The recogniser's features are undefined in digital silence.
_HISS: Final = 20.0


def hear_code(recording: Path, digits: int) -> str | None:
    """Return the code of `digits` digits in a recording, 8 kHz mono; None: none was recognised.

    Blocks for about a second of computing.
    """
    samples, rate = soundfile.read(recording, dtype="int16")
    if rate != RATE:
        raise ValueError(f"{recording}: {rate} Hz; the ear hears {RATE}")
    hiss = np.random.default_rng(0).normal(size=len(samples)) * _HISS
    heard = quieten(samples.astype(np.float64)) + hiss
    runs = find_readings(find_words(heard), digits)
    with _ONE_AT_A_TIME:
        readings = [_read(heard, words) for words in runs]
    votes = [Counter(filter(None, column)) for column in zip(*readings, strict=True)]
    if not votes or not all(votes):
        return None
    return "".join(vote.most_common(1)[0][0] for vote in votes)


def find_words(heard: Samples) -> list[Segment]:
    """Return where sound is, in seconds: single words, or several that run into each other."""
    count = len(heard) // _FRAME
    if not count:
        return []
    power = np.square(heard[: count * _FRAME]).reshape(count, _FRAME).mean(axis=1)
    level = 10 * np.log10(power + 1)
    floor, top = np.percentile(level, 10), np.percentile(level, 95)
    loud = np.flatnonzero(level > max(floor + 6, floor + (top - floor) * 0.35))
    words: list[list[float]] = []
    for frame in loud:
        begin, end = float(frame) * _FRAME_S, float(frame + 1) * _FRAME_S
        if words and begin - words[-1][1] <= _WITHIN_WORD_S:
            words[-1][1] = end
        else:
            words.append([begin, end])
    return [(begin, end) for begin, end in words if end - begin > _SHORTEST_WORD_S]


def find_readings(words: Sequence[Segment], digits: int) -> list[Sequence[Segment]]:
    """Return each run of `digits` words that has the rhythm of a code."""
    starts = range(1, len(words) - digits + 1)
    return [words[start : start + digits] for start in starts if _is_reading(words, start, digits)]


def _is_reading(words: Sequence[Segment], start: int, digits: int) -> bool:
    """Return whether the `digits` words from `start` are a code, by their lengths and the silences around
    them."""
    run = words[start : start + digits]
    before, after = words[start - 1], words[start + digits : start + digits + 1]
    gaps = [second[0] - first[1] for first, second in pairwise((before, *run))]
    return (
        _length(before) >= _INTRODUCTION_S
        and gaps[0] >= _PAUSE_BEFORE_CODE_S
        and all(_GAP_S[0] <= gap <= _GAP_S[1] for gap in gaps)
        and all(_DIGIT_S[0] <= _length(word) <= _DIGIT_S[1] for word in run)
        and all(_length(word) >= _AFTERWORD_S for word in after)
    )


def _length(segment: Segment) -> float:
    return segment[1] - segment[0]


def _read(heard: Samples, words: Sequence[Segment]) -> list[str]:
    """Return the digits of a run of words, one by one; an empty one was not recognised.

    The colour of the channel (cepstral mean) is taken from all words: one word is too short for it.
    """
    sounds = [_sharpen(heard, begin - _MARGIN_S, end + _MARGIN_S) for begin, end in words]
    whole = _recogniser("<digit>+", "batch")
    _hear(whole, b"".join(sounds), is_whole=True)
    colour = whole.get_cmn(False)
    single = _recogniser("<digit>", "live")
    spoken = []
    for sound in sounds:
        single.set_cmn(colour)
        spoken.append(_hear(single, sound, is_whole=False)[:1])
    return spoken


def _sharpen(heard: Samples, begin: float, end: float) -> bytes:
    """Return a part of what was heard, at the sample rate of the model."""
    cut = heard[max(int(begin * RATE), 0) : int(end * RATE)]
    sharp = soxr.resample(cut, RATE, _MODEL_RATE)
    return bytes(np.clip(sharp, -32768, 32767).astype("<i2").tobytes())


def _hear(recogniser: pocketsphinx.Decoder, sound: bytes, *, is_whole: bool) -> str:
    """Return the digits recognised in a sound."""
    recogniser.start_utt()
    recogniser.process_raw(sound, full_utt=is_whole)
    recogniser.end_utt()
    hypothesis = recogniser.hyp()
    spoken = hypothesis.hypstr.split() if hypothesis else []
    return "".join(str(_WORDS.index(word)) for word in spoken if word in _WORDS)


@cache
def _recogniser(said: str, colour: str) -> pocketsphinx.Decoder:
    grammar = f"#JSGF V1.0;\ngrammar code;\npublic <code> = {said};\n<digit> = {' | '.join(_WORDS)};\n"
    recogniser = pocketsphinx.Decoder(samprate=_MODEL_RATE, loglevel="FATAL", cmn=colour)
    recogniser.add_jsgf_string("code", grammar)
    recogniser.activate_search("code")
    return recogniser
