"""The ear at a page's telephone: takes the sound that its `audio` element gets, as a person would hear it."""

from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from playwright.async_api import Page

from voicegate.lab.listener import RATE, KeyListener, Samples

# By the old ScriptProcessorNode: an AudioWorklet's module would be a script that the page's policy forbids.
_BLOCK: Final = 2048
_RECORD: Final = """([rate, block, heard]) => {
  const context = new AudioContext({ sampleRate: rate });
  const recorder = context.createScriptProcessor(block, 1, 1);
  recorder.onaudioprocess = ({ inputBuffer }) =>
    window[heard](Array.from(inputBuffer.getChannelData(0), sample => Math.round(sample * 32767)));
  context.createMediaStreamSource(document.querySelector("audio").srcObject).connect(recorder);
  recorder.connect(context.destination);
}"""


class Ear:
    """Hears a call from its answer on; 8 kHz, as the lab's other ears."""

    def __init__(self, sounds: Path) -> None:
        self._sounds = sounds
        self._listener = KeyListener(sounds)
        self._heard: list[Samples] = []
        self._fed = 0

    async def attach(self, page: Page) -> None:
        """Begin to listen to a page's call; each call of a page has an ear of its own."""
        name = f"heard{id(self)}"
        await page.expose_function(name, lambda samples: self._heard.append(np.array(samples, np.int16)))
        await page.evaluate(_RECORD, [RATE, _BLOCK, name])

    def asked_key(self) -> str | None:
        """The key that was asked for since the last one; blocks while it is made out."""
        fresh, self._fed = self._heard[self._fed :], len(self._heard)
        for samples in fresh:
            self._listener.feed(samples)
        if key := self._listener.asked_key():
            self._listener = KeyListener(self._sounds)
        return key

    @property
    def peak(self) -> int:
        """The loudest sample."""
        return max((int(np.abs(samples).max()) for samples in self._heard), default=0)

    def keep(self, file: Path) -> Path:
        """Write all that was heard as a WAV."""
        soundfile.write(file, np.concatenate(self._heard), RATE)
        return file
