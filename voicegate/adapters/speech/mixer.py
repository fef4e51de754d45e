"""The `Speech` port: an announcement's parts joined from ready-made prompts into a call's two files.

Nothing is synthesised for a call, and no engine ever sees a code. Prompts are read once, at start; a
call costs one write of each file. The words are `pack`'s, the files `files`'s.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import assert_never

import numpy as np

from voicegate.adapters.speech.build import convert, render, write_whole
from voicegate.adapters.speech.files import AudioFolder, CallFiles
from voicegate.adapters.speech.formats import FORMATS, AudioFormat, Samples
from voicegate.adapters.speech.pack import Pack, digit_name, find_languages, load_pack
from voicegate.application.ports import CallAudio, Clip
from voicegate.domain.announcement import Digit, Part, Pause, Phrasing, Prompt, PromptName
from voicegate.domain.errors import SpeechError, UnknownLanguage


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    """Where sounds lie, for us and for the PBX, and who speaks."""

    sounds: Path
    """The folder of the language folders."""
    audio_folder: Path
    """Where the files of calls are written; made when missing."""
    pbx_audio_folder: str
    """The same folder as the PBX sees it."""
    pbx_sounds_folder: str
    """`sounds` as the PBX sees it."""
    service_name: str
    """Who calls: "This is <service name>."."""
    state_folder: Path
    """Where the introduction is kept when the service has another name than the shipped one."""
    audio_format: str = "wav"
    """Format of the calls' files: "wav", "wav16", "ulaw" or "alaw"."""
    group: str | None = None
    """The group that may read the calls' files: the PBX's."""


@dataclass(frozen=True, slots=True)
class _Voice:
    """A language ready to speak."""

    pack: Pack
    prompts: Mapping[str, Samples]

    @property
    def slot(self) -> int:
        """Samples of the longest digit."""
        return max(self.prompts[digit_name(value)].size for value in "0123456789")


class Mixer:
    """Speech from prompt packs. Making one blocks on reading every prompt; then await `prepare` once.

    Raises:
        SpeechError: an unknown format, or a pack or a prompt that cannot be used; names it.
    """

    def __init__(self, settings: SpeechSettings) -> None:
        if settings.audio_format not in FORMATS:
            known = ", ".join(FORMATS)
            raise SpeechError(f"{settings.audio_format!r} is no audio format; known are {known}")
        self._settings = settings
        self._format = FORMATS[settings.audio_format]
        self._folder = AudioFolder(settings.audio_folder, self._format.suffix, settings.group)
        self._voices = {
            language: _load_voice(load_pack(settings.sounds, language), self._format)
            for language in find_languages(settings.sounds)
        }

    async def prepare(self) -> None:
        """Have the introductions for the service's name: shipped, kept from an earlier start, or made now.

        Raises:
            SpeechError: the language's engine failed or the state folder cannot be written.
        """
        for language, voice in self._voices.items():
            if not self._is_shipped(voice.pack):
                introduction = {PromptName.THIS_IS.value: await self._introduce(voice.pack)}
                self._voices[language] = _Voice(voice.pack, {**voice.prompts, **introduction})

    def languages(self) -> Sequence[str]:
        """Return the installed languages, as the names of their folders, sorted."""
        return sorted(self._voices)

    def phrasing(self, language: str) -> Phrasing:
        """Return how a language asks for the key and reads a code.

        Raises:
            UnknownLanguage: no such folder.
        """
        return self._voice(language).pack.phrasing

    def prompt(self, language: str, name: PromptName) -> Clip:
        """Return a phrase as it lies in the pack; its samples are those of the calls' format.

        Raises:
            UnknownLanguage: no such folder.
            SpeechError: the phrase is in no pack: the introduction of a service with a name of its own.
        """
        voice = self._voice(language)
        if name is PromptName.THIS_IS and not self._is_shipped(voice.pack):
            raise SpeechError(f"{voice.pack.folder}: {name} is mixed into calls only for this service name")
        path = f"{self._settings.pbx_sounds_folder}/{language}/{name}"
        return self._clip(path, voice.prompts[name], code_end=None)

    def mix(
        self, language: str, invitation: Sequence[Part], reading: Sequence[Part]
    ) -> AbstractAsyncContextManager[CallAudio]:
        """Make a call's two files under opaque names; leaving the context removes them.

        Does not block the loop. The files may be read by the PBX's group only.

        Raises:
            UnknownLanguage: no such folder.
            SpeechError: the audio folder cannot be written; names it.
        """
        return self._mix(self._voice(language), invitation, reading)

    async def sweep(self) -> int:
        """Remove files that a crash left behind; return how many.

        Raises:
            SpeechError: the audio folder cannot be read or written; names it.
        """
        return await asyncio.to_thread(self._folder.sweep)

    @asynccontextmanager
    async def _mix(
        self, voice: _Voice, invitation: Sequence[Part], reading: Sequence[Part]
    ) -> AsyncIterator[CallAudio]:
        files = CallFiles(self._folder)
        try:
            yield CallAudio(
                invitation=await asyncio.to_thread(self._make, files, voice, invitation),
                reading=await asyncio.to_thread(self._make, files, voice, reading),
            )
        finally:
            files.close()

    def _make(self, files: CallFiles, voice: _Voice, parts: Sequence[Part]) -> Clip:
        samples, code_end = _join(voice, parts, rate=self._format.rate)
        name = files.write(self._format.encode(samples))
        return self._clip(f"{self._settings.pbx_audio_folder}/{name}", samples, code_end=code_end)

    def _clip(self, path: str, samples: Samples, *, code_end: int | None) -> Clip:
        length = timedelta(seconds=samples.size / self._format.rate)
        return Clip(path, samples.size, length, code_end=samples.size if code_end is None else code_end)

    def _voice(self, language: str) -> _Voice:
        if language not in self._voices:
            known = ", ".join(self.languages()) or "none"
            raise UnknownLanguage(f"No prompts for the language {language!r} are installed; there is {known}")
        return self._voices[language]

    def _is_shipped(self, pack: Pack) -> bool:
        return self._settings.service_name == pack.service

    async def _introduce(self, pack: Pack) -> Samples:
        script = pack.introduce(self._settings.service_name)
        kept = self._settings.state_folder / f"this_is-{pack.language}-{script.fingerprint[:16]}"
        file = kept.with_name(f"{kept.name}.{self._format.suffix}")
        if not await asyncio.to_thread(os.path.isfile, file):
            content = convert(await render(script), self._format.suffix)
            await asyncio.to_thread(write_whole, file, content)
        return await asyncio.to_thread(self._format.read, file)


def _load_voice(pack: Pack, kind: AudioFormat) -> _Voice:
    prompts = {name: kind.read(pack.folder / f"{name}.{kind.suffix}") for name in pack.scripts}
    return _Voice(pack, prompts)


def _join(voice: _Voice, parts: Sequence[Part], *, rate: int) -> tuple[Samples, int | None]:
    pieces: list[Samples] = [_silence(timedelta(), rate)]
    position, code_end = 0, None
    for part in parts:
        piece = _sound(voice, part, rate=rate)
        if isinstance(part, Digit) and part.is_code:
            # All as long as the longest: otherwise the length of a file, or of a reading in a log, would
            # narrow the code down.
            piece = np.pad(piece, (0, voice.slot - piece.size))
        pieces.append(piece)
        position += piece.size
        if isinstance(part, Digit) and part.is_code:
            code_end = position
    return np.concatenate(pieces), code_end


def _sound(voice: _Voice, part: Part, *, rate: int) -> Samples:
    match part:
        case Prompt(name):
            return voice.prompts[name]
        case Digit(value):
            return voice.prompts[digit_name(value)]
        case Pause(length):
            return _silence(length, rate)
        case _:
            assert_never(part)


def _silence(length: timedelta, rate: int) -> Samples:
    return np.zeros(round(length.total_seconds() * rate), dtype=np.int16)
