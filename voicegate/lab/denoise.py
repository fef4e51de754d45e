"""Removes steady noise (hum, tones, hiss) from what a telephone heard, before speech recognition.

A Wiener filter over short-time spectra: the noise is what is there in the quiet fifth of the recording. It
knows nothing about words or our recordings.
"""

from typing import Final

import numpy as np

Samples = np.ndarray[tuple[int], np.dtype[np.float64]]
Powers = np.ndarray[tuple[int, int], np.dtype[np.float64]]

_WINDOW: Final = 256
_HOP: Final = _WINDOW // 2
_QUIET_SHARE: Final = 0.2
# Digital silence, such as a lost packet, says nothing about the noise.
_NOTHING: Final = 4.0 * _WINDOW
# How much of the last stretch's speech is expected in the next; keeps weak ends of words.
_LINGERING: Final = 0.7
_LEAST_GAIN: Final = 0.03


def quieten(heard: Samples) -> Samples:
    """Return what was heard without its steady noise; of the same length, and unchanged if there is none."""
    if not heard.any():
        return heard
    window = np.sqrt(np.hanning(_WINDOW + 1)[:_WINDOW])
    padded = np.pad(heard, (_HOP, 2 * _WINDOW))
    segments = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    spectra = np.fft.rfft(segments * window, axis=1)
    powers = np.square(np.abs(spectra))
    quiet = np.fft.irfft(spectra * _gains(powers, _noise(powers)), axis=1) * window
    joined = np.zeros(len(padded))
    for index, segment in enumerate(quiet):
        joined[index * _HOP : index * _HOP + _WINDOW] += segment
    return joined[_HOP : _HOP + len(heard)]


def _noise(powers: Powers) -> Samples:
    """Return the power of the noise at each frequency."""
    whole = powers.sum(axis=1)
    live = whole[whole > _NOTHING]
    if not live.size:
        return np.zeros(powers.shape[1])
    quiet = (whole > _NOTHING) & (whole <= np.quantile(live, _QUIET_SHARE))
    noise: Samples = powers[quiet].mean(axis=0)
    return noise


def _gains(powers: Powers, noise: Samples) -> Powers:
    """Return how much of each segment's frequencies is speech, from 0 to 1."""
    heard = powers / (noise + 1e-9)
    gains = np.empty_like(powers)
    lingering = np.zeros(powers.shape[1])
    for index, ratio in enumerate(heard):
        speech = np.maximum(_LINGERING * lingering, ratio - 1)
        gains[index] = np.maximum(speech / (1 + speech), _LEAST_GAIN)
        lingering = np.minimum(np.square(gains[index]) * ratio, 1e6)
    return gains
