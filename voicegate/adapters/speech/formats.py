"""The sound files a PBX plays without transcoding: their suffixes, rates, and bytes.

`build` and `mixer` make the sounds. Suffixes are those of Asterisk's format modules (format_wav, format_pcm;
Asterisk 22): there `.wav16` is a WAV at 16 kHz, and `.ulaw` and `.alaw` have no header. The G.711 coding is
libsndfile's.
"""

import io
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile

from voicegate.domain.errors import SpeechError

Samples = npt.NDArray[np.int16]
"""Mono sound, 16 bits a sample."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """One kind of sound file."""

    suffix: str
    """The suffix without its dot; also the format's name in settings."""
    rate: int
    """Samples a second."""
    container: str
    """libsndfile's name of the container."""
    subtype: str
    """libsndfile's name of the coding."""

    def encode(self, samples: Samples) -> bytes:
        """Return the bytes of a file that holds `samples`, which are at `rate`."""
        # libsndfile, asked for a file in memory, takes tens of times as long for the same bytes.
        if self.container == "RAW":
            return _codes(self.subtype)[samples.view(np.uint16)].tobytes()
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setparams((1, samples.itemsize, self.rate, samples.size, "NONE", ""))
            file.writeframesraw(np.ascontiguousarray(samples).data)
        return buffer.getvalue()

    def read(self, file: Path) -> Samples:
        """Return the samples in `file`; blocks.

        Raises:
            SpeechError: it is missing, unreadable, empty, or of another kind; names the file.
        """
        shape = {"samplerate": self.rate, "channels": 1, "format": "RAW", "subtype": self.subtype}
        try:
            raw = shape if self.container == "RAW" else {}
            with soundfile.SoundFile(io.BytesIO(file.read_bytes()), **raw) as sound:
                found = (sound.samplerate, sound.channels, sound.format, sound.subtype)
                samples = sound.read(dtype="int16")
        except OSError as error:
            raise SpeechError(f"{file}: cannot be read: {error.strerror}") from error
        except soundfile.LibsndfileError as error:
            raise SpeechError(f"{file}: is not a sound file: {error.error_string}") from error
        if found != (self.rate, 1, self.container, self.subtype):
            raise SpeechError(f"{file}: is not mono {self.container} ({self.subtype}) at {self.rate} Hz")
        if not samples.size:
            raise SpeechError(f"{file}: is empty")
        return np.asarray(samples, dtype=np.int16)


@cache
def _codes(subtype: str) -> npt.NDArray[np.uint8]:
    """Return libsndfile's code of every sample, by the sample's bits."""
    every, buffer = np.arange(1 << 16, dtype=np.uint16).view(np.int16), io.BytesIO()
    soundfile.write(buffer, every, 8000, format="RAW", subtype=subtype)
    return np.frombuffer(buffer.getvalue(), dtype=np.uint8)


FORMATS: Final[Mapping[str, AudioFormat]] = {
    kind.suffix: kind
    for kind in (
        AudioFormat(suffix="wav", rate=8000, container="WAV", subtype="PCM_16"),
        AudioFormat(suffix="wav16", rate=16000, container="WAV", subtype="PCM_16"),
        AudioFormat(suffix="ulaw", rate=8000, container="RAW", subtype="ULAW"),
        AudioFormat(suffix="alaw", rate=8000, container="RAW", subtype="ALAW"),
    )
}
"""Every kind, by suffix; a prompt is shipped in each."""
