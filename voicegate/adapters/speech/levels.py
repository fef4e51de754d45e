"""From an engine's raw speech to a prompt: silence trimmed, loudness levelled, rate changed.

Every step is arithmetic on the samples alone, so the same speech always gives the same prompt.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import soxr

from voicegate.adapters.speech.formats import Samples

_Floats = npt.NDArray[np.float64]

_FULL_SCALE: Final = 32768.0
_FRAME_S: Final = 0.010
# Weak beginnings and ends ("five", "six") lie some 40 dB below the vowel.
_SILENCE_DB: Final = -50.0
_MARGIN_S: Final = 0.020
_FADE_S: Final = 0.004
_ACTIVE_DB: Final = -30.0
_TARGET_DBFS: Final = -19.0
_PEAK_DBFS: Final = -3.0


def polish(samples: Samples, rate: int) -> Samples:
    """Return `samples` without the silence around them, at the common loudness, softly cut at both ends."""
    speech = samples.astype(np.float64) / _FULL_SCALE
    return _to_int16(_fade(_level(_trim(speech, rate), rate), rate))


def resample(samples: Samples, rate: int, wanted: int) -> Samples:
    """Return `samples`, which are at `rate`, at the rate `wanted`."""
    if rate == wanted:
        return samples
    return _to_int16(soxr.resample(samples.astype(np.float64) / _FULL_SCALE, rate, wanted, quality="VHQ"))


def _trim(speech: _Floats, rate: int) -> _Floats:
    loudness = _frame_loudness(speech, rate)
    audible = np.flatnonzero(loudness > loudness.max() + _SILENCE_DB)
    frame, margin = int(rate * _FRAME_S), int(rate * _MARGIN_S)
    start = max(0, int(audible[0]) * frame - margin)
    return speech[start : (int(audible[-1]) + 1) * frame + margin]


def _level(speech: _Floats, rate: int) -> _Floats:
    # Only the frames in which something is said count: pauses inside a phrase must not make it louder.
    loudness = _frame_loudness(speech, rate)
    active = loudness[loudness > loudness.max() + _ACTIVE_DB]
    present = 10 * np.log10(np.mean(10 ** (active / 10)))
    peak = 20 * np.log10(np.max(np.abs(speech)))
    gain = min(_TARGET_DBFS - present, _PEAK_DBFS - peak)
    return speech * float(10 ** (gain / 20))


def _fade(speech: _Floats, rate: int) -> _Floats:
    ramp = np.linspace(0.0, 1.0, int(rate * _FADE_S))
    faded = speech.copy()
    faded[: ramp.size] *= ramp[: faded.size]
    faded[-ramp.size :] *= ramp[::-1][-faded.size :]
    return faded


def _frame_loudness(speech: _Floats, rate: int) -> _Floats:
    frame = int(rate * _FRAME_S)
    padded = np.pad(speech, (0, -speech.size % frame))
    power: _Floats = np.mean(padded.reshape(-1, frame) ** 2, axis=1)
    loudness: _Floats = 10 * np.log10(power + 1e-12)
    return loudness


def _to_int16(speech: _Floats) -> Samples:
    return np.clip(np.rint(speech * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
