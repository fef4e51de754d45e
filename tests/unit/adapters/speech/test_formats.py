"""The files of every format: made quickly, and the same to the last byte as libsndfile's."""

import io

import numpy as np
import pytest
import soundfile

from voicegate.adapters.speech.formats import FORMATS


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_has_the_bytes_that_libsndfile_writes(suffix: str) -> None:
    kind = FORMATS[suffix]
    every = np.arange(1 << 16, dtype=np.uint16).view(np.int16)
    file = io.BytesIO()
    soundfile.write(file, every, kind.rate, format=kind.container, subtype=kind.subtype)
    assert kind.encode(every) == file.getvalue()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_of_no_sound_can_be_written(suffix: str) -> None:
    assert len(FORMATS[suffix].encode(np.zeros(0, dtype=np.int16))) in (0, 44)
