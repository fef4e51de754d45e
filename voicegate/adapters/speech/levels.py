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
TARGET_DBFS: Final = -19.0
_PEAK_DBFS: Final = -3.0


def polish(samples: Samples, rate: int, *, silence_db: float = _SILENCE_DB) -> Samples:
    """Return `samples` without the silence around them, at the common loudness, softly cut at both ends.

    Silence is what lies `silence_db` below the loudest.
    """
    speech = samples.astype(np.float64) / _FULL_SCALE
    return _to_int16(_fade(_level(_trim(speech, rate, silence_db), rate), rate))


def loudness(samples: Samples, rate: int) -> float:
    """Return how loud `samples` are while something is said, in dB below full scale."""
    return _present(_frame_loudness(samples.astype(np.float64) / _FULL_SCALE, rate))


def resample(samples: Samples, rate: int, wanted: int) -> Samples:
    """Return `samples`, which are at `rate`, at the rate `wanted`."""
    if rate == wanted:
        return samples
    return _to_int16(soxr.resample(samples.astype(np.float64) / _FULL_SCALE, rate, wanted, quality="VHQ"))


def _trim(speech: _Floats, rate: int, silence_db: float) -> _Floats:
    frames = _frame_loudness(speech, rate)
    audible = np.flatnonzero(frames > frames.max() + silence_db)
    frame, margin = int(rate * _FRAME_S), int(rate * _MARGIN_S)
    start = max(0, int(audible[0]) * frame - margin)
    return speech[start : (int(audible[-1]) + 1) * frame + margin]


def _level(speech: _Floats, rate: int) -> _Floats:
    peak = 20 * np.log10(np.max(np.abs(speech)))
    gain = min(TARGET_DBFS - _present(_frame_loudness(speech, rate)), _PEAK_DBFS - peak)
    return speech * float(10 ** (gain / 20))


def _present(frames: _Floats) -> float:
    # Only the frames in which something is said count: pauses inside a phrase must not make it louder.
    active = frames[frames > frames.max() + _ACTIVE_DB]
    return float(10 * np.log10(np.mean(10 ** (active / 10))))


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
    frames: _Floats = 10 * np.log10(power + 1e-12)
    return frames


def _to_int16(speech: _Floats) -> Samples:
    return np.clip(np.rint(speech * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
