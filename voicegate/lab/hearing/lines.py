"""What a telephone line does to a call's sound: codecs, lost packets, noise, voices of other people.

Noise and loss come from a given generator, so that a measurement can be repeated. A lost packet is silence;
telephones that repeat the last packet do better. Opus and G.722 are FFmpeg's, by PyAV.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from voicegate.adapters.speech.formats import Samples
from voicegate.adapters.speech.levels import loudness, resample

Floats = npt.NDArray[np.float64]
Change = Callable[[Floats, int, np.random.Generator], Floats]
"""From a sound of 16-bit scale, its rate and a random generator to what is left of it."""

_PACKET_S: Final = 0.02
_FULL_SCALE: Final = 32768.0
_TALKERS: Final = 6
_FRAME: Final = 400
_HUSH: Final = 300.0
_OPUS_RATE: Final = 48000


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of line."""

    name: str
    """Its name in the tables."""
    rate: int
    """Samples a second of the sound that it carries: 8000 as with G.711, 16000 as with wideband codecs."""
    changes: Sequence[Change]
    """What happens on the line, in order."""

    @property
    def suffix(self) -> str:
        """Return the format of the prompts that are played into it."""
        return "ulaw" if self.rate == 8000 else "wav16"

    def carry(self, sound: Samples, chance: np.random.Generator) -> Samples:
        """Return what is heard at the other end of a sound at `rate`; of the same length."""
        heard = sound.astype(np.float64)
        for change in self.changes:
            heard = change(heard, self.rate, chance)
        return np.clip(np.rint(heard), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)


def lose(share: float, *, burst: int = 1) -> Change:
    """Return a change that loses a share of the packets of 20 ms, `burst` of them in a row."""

    def change(sound: Floats, rate: int, chance: np.random.Generator) -> Floats:
        packet = round(rate * _PACKET_S)
        count = -(-len(sound) // packet)
        begins = chance.random(count) < share / burst
        is_lost = np.zeros(count + burst, bool)
        for later in range(burst):
            is_lost[later : later + count] |= begins
        kept: Floats = np.where(np.repeat(is_lost[:count], packet)[: len(sound)], 0.0, sound)
        return kept

    return change


def add_noise(below_db: float) -> Change:
    """Return a change that adds white noise, so many dB below the speech."""

    def change(sound: Floats, rate: int, chance: np.random.Generator) -> Floats:
        return sound + chance.normal(size=len(sound)) * _level(sound, rate) * 10 ** (-below_db / 20)

    return change


def add_babble(below_db: float) -> Change:
    """Return a change that adds other people's talk, so many dB below the speech: six talkers, who use the
    call's words."""

    def change(sound: Floats, rate: int, chance: np.random.Generator) -> Floats:
        babble = sum(_talk(sound, chance) for _ in range(_TALKERS))
        gain = _level(sound, rate) / _level(np.asarray(babble), rate) * 10 ** (-below_db / 20)
        return sound + np.asarray(babble) * gain

    return change


def code_wide(codec: str) -> Change:
    """Return a change that codes and decodes by "g722" or "opus"."""

    def change(sound: Floats, rate: int, _chance: np.random.Generator) -> Floats:
        through = _through_opus if codec == "opus" else _through_g722
        carried = through(np.clip(sound, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16), rate)
        return np.pad(carried[: len(sound)], (0, max(len(sound) - len(carried), 0))).astype(np.float64)

    return change


LINES: Final = (
    Line("G.711", 8000, ()),
    Line("3 % lost", 8000, (lose(0.03),)),
    Line("5 % lost", 8000, (lose(0.05),)),
    Line("bursts of 3 lost", 8000, (lose(0.03, burst=3),)),
    Line("noise 20 dB", 8000, (add_noise(20),)),
    Line("noise 20 dB, 3 % lost", 8000, (add_noise(20), lose(0.03))),
    Line("babble 10 dB", 8000, (add_babble(10),)),
    Line("G.722", 16000, (code_wide("g722"),)),
    Line("Opus", 16000, (code_wide("opus"),)),
)
"""Every line that `make hear` measures."""


def find_line(name: str) -> Line:
    """Return the line of that name.

    Raises:
        KeyError: there is none.
    """
    return {line.name: line for line in LINES}[name]


def _level(sound: Floats, rate: int) -> float:
    """Return the root mean square of a sound while something is said."""
    samples = np.clip(sound, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    return float(_FULL_SCALE * 10 ** (loudness(samples, rate) / 20))


def _talk(sound: Floats, chance: np.random.Generator) -> Floats:
    """Return another talker: the same words at another pitch and speed, with another beginning, without
    pauses."""
    frames = sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME)
    spoken = frames[np.abs(frames).max(axis=1) > _HUSH].ravel()
    begin, pace = chance.integers(len(spoken)), chance.uniform(0.85, 1.2)
    places = (begin + np.arange(len(sound)) * pace) % (len(spoken) - 1)
    voice: Floats = np.interp(places, np.arange(len(spoken)), spoken)
    return voice


def _through_g722(sound: Samples, rate: int) -> Samples:
    # FFmpeg's encoder takes any number of samples, but whole pairs.
    return _recode(np.pad(sound, (0, len(sound) % 2)), rate, codecs=("g722", "g722"), frame=rate // 50)


def _through_opus(sound: Samples, rate: int) -> Samples:
    wide = resample(sound, rate, _OPUS_RATE)
    whole = np.pad(wide, (0, -len(wide) % (_OPUS_RATE // 50)))
    heard = _recode(whole, _OPUS_RATE, codecs=("libopus", "libopus"), frame=_OPUS_RATE // 50)
    return resample(heard, _OPUS_RATE, rate)


def _recode(sound: Samples, rate: int, *, codecs: tuple[str, str], frame: int) -> Samples:
    """Return a sound that was coded frame by frame, and decoded."""
    import av  # noqa: PLC0415  # comes with the extra

    coders: Any = av.CodecContext
    encoder, decoder = (coders.create(name, mode) for name, mode in zip(codecs, "wr", strict=True))
    for coder in (encoder, decoder):
        coder.sample_rate, coder.layout, coder.format = rate, "mono", "s16"
    if codecs[0] == "libopus":
        encoder.bit_rate, encoder.options = 24000, {"application": "voip", "frame_duration": "20"}
    packets = []
    for start in range(0, len(sound), frame):
        piece = av.AudioFrame.from_ndarray(sound[None, start : start + frame], format="s16", layout="mono")
        piece.sample_rate, piece.pts = rate, start
        packets += encoder.encode(piece)
    packets += encoder.encode(None)
    heard = [piece.to_ndarray().ravel() for packet in packets for piece in decoder.decode(packet)]
    return np.concatenate(heard).astype(np.int16)
