"""The `Speech` port: an announcement's parts joined from ready-made prompts into a call's two files.

Nothing is synthesised for a call, and no engine ever sees a code. Prompts are read once, at the start; a call
costs one write of each file. The words are in `pack`, the files in `files`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import structlog

from voicegate.adapters.speech.files import AudioFolder, CallFiles
from voicegate.adapters.speech.formats import FORMATS, AudioFormat, Samples
from voicegate.adapters.speech.introductions import IntroductionFolder, Source, make_introduction
from voicegate.adapters.speech.pack import load_spoken
from voicegate.adapters.speech.recordings import FOLDER
from voicegate.adapters.speech.voice import Voice, load_voice
from voicegate.application.ports import CallAudio, Clip
from voicegate.domain.announcement import Part, Phrasing, PromptName
from voicegate.domain.errors import SpeechError, UnknownLanguage

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    """The folders of sounds, for Voicegate and for the PBX, and the settings of speech."""

    sounds: Path
    """The folder of the language folders."""
    audio_folder: Path
    """Where the files of calls are written; created if missing."""
    pbx_audio_folder: str
    """The same folder as the PBX sees it, or its URL."""
    pbx_sounds_folder: str
    """`sounds` as the PBX sees it, or its URL."""
    service_name: str
    """The default service's name, in "This is <service name>."."""
    state_folder: Path
    """The folder of the admin's recordings, and of introductions that are not shipped."""
    audio_format: str = "wav"
    """Format of the calls' files: "wav", "wav16", "ulaw" or "alaw"."""
    has_suffixes: bool = False
    """Does the PBX need the names of sounds with the suffix of their format, as in URLs?"""
    group: str | None = None
    """The group that may read the calls' files: the PBX's."""
    service_names: Mapping[str, str] = field(default_factory=dict)
    """The names of other services, by the service."""
    unjudged: Sequence[str] = ()
    """Unjudged languages that are spoken nevertheless."""
    digit_variants: Mapping[str, str] = field(default_factory=dict)
    """Language -> the variant of its digits, such as "zwo"; other languages use the usual words."""


class Mixer:
    """Speech from prompt packs. The constructor blocks while it reads every prompt; then await `prepare`
    once.

    Raises:
        SpeechError: an unknown format, or a pack or a prompt that cannot be used; names it.
    """

    def __init__(self, settings: SpeechSettings) -> None:
        if settings.audio_format not in FORMATS:
            known = ", ".join(FORMATS)
            raise SpeechError(f"{settings.audio_format!r} is not an audio format; known are {known}")
        self._settings = settings
        self._format = FORMATS[settings.audio_format]
        self._folder = AudioFolder(settings.audio_folder, self._format.suffix, settings.group)
        self._voices = _load_voices(settings, self._format)
        self._handed_over: dict[tuple[str, str], str] = {}

    async def prepare(self) -> None:
        """Make the introductions of all names, and copy for the PBX what it cannot find in the packs'
        folders.

        An introduction is shipped, recorded, kept from an earlier start, or made now; a language without one
        is not loaded.

        Raises:
            SpeechError: the audio folder cannot be written; names it.
        """
        for language, voice in list(self._voices.items()):
            try:
                self._voices[language] = introduced = await self._introduce(voice)
            except SpeechError as error:
                del self._voices[language]
                fix = "install its engine, or record this_is"
                log.warning("language not loaded", language=language, error=str(error), fix=fix)
            else:
                await asyncio.to_thread(self._hand_over, introduced)

    def languages(self) -> Sequence[str]:
        """Return the installed languages, as the names of their folders, sorted."""
        return sorted(self._voices)

    def phrasing(self, language: str) -> Phrasing:
        """Return how a language asks for the key and reads a code.

        Raises:
            UnknownLanguage: no such folder.
        """
        return self._voice(language).pack.phrasing

    def has_prompt(self, language: str, name: PromptName) -> bool:
        """Return whether a language has a phrase.

        Raises:
            UnknownLanguage: no such folder.
        """
        return name in self._voice(language).prompts

    def prompt(self, language: str, name: PromptName) -> Clip:
        """Return a phrase as a file of its own; its samples are those of the calls' format.

        Raises:
            UnknownLanguage: no such folder.
        """
        samples = self._voice(language).prompts[name]
        in_pack = f"{self._settings.pbx_sounds_folder}/{language}/{name}"
        return self._clip(self._handed_over.get((language, name), in_pack), samples, code_end=None)

    def length_of(self, language: str, parts: Sequence[Part]) -> timedelta:
        """Return how long an announcement takes to say.

        Raises:
            UnknownLanguage: no such folder.
        """
        samples = self._voice(language).join(parts).samples
        return timedelta(seconds=samples.size / self._format.rate)

    def mix(
        self, language: str, invitation: Sequence[Part], reading: Sequence[Part]
    ) -> AbstractAsyncContextManager[CallAudio]:
        """Write a call's two files under random names; they are removed when the context ends.

        Does not block the loop. The files may be read by the PBX's group only.

        Raises:
            UnknownLanguage: no such folder.
            SpeechError: the audio folder cannot be written; names it.
        """
        return self._mix(self._voice(language), invitation, reading)

    async def sweep(self) -> int:
        """Remove files that a crashed daemon left; return how many.

        Raises:
            SpeechError: the audio folder cannot be read or written; names it.
        """
        return await asyncio.to_thread(self._folder.sweep)

    @asynccontextmanager
    async def _mix(
        self, voice: Voice, invitation: Sequence[Part], reading: Sequence[Part]
    ) -> AsyncIterator[CallAudio]:
        files = CallFiles(self._folder)
        try:
            # Both in one go: to wake a thread takes as long as to write a file.
            yield await asyncio.to_thread(
                self._make_both, files, voice, invitation=invitation, reading=reading
            )
        finally:
            files.close()

    def _make_both(
        self, files: CallFiles, voice: Voice, *, invitation: Sequence[Part], reading: Sequence[Part]
    ) -> CallAudio:
        return CallAudio(
            invitation=self._make(files, voice, invitation), reading=self._make(files, voice, reading)
        )

    def _make(self, files: CallFiles, voice: Voice, parts: Sequence[Part]) -> Clip:
        joined = voice.join(parts)
        name = files.write(self._format.encode(joined.samples))
        path = f"{self._settings.pbx_audio_folder}/{name}"
        clip = self._clip(path, joined.samples, code_end=joined.code_end)
        return replace(clip, key_end=joined.key_end)

    def _clip(self, path: str, samples: Samples, *, code_end: int | None) -> Clip:
        length = timedelta(seconds=samples.size / self._format.rate)
        if self._settings.has_suffixes:
            path = f"{path}.{self._format.suffix}"
        return Clip(path, samples.size, length, code_end=samples.size if code_end is None else code_end)

    def _voice(self, language: str) -> Voice:
        if language not in self._voices:
            known = ", ".join(self.languages()) or "none"
            raise UnknownLanguage(f"No prompts for the language {language!r} are installed; there is {known}")
        return self._voices[language]

    async def _introduce(self, voice: Voice) -> Voice:
        """Return the voice with "This is <name>." for the default service and all others."""
        place, own = (
            IntroductionFolder(self._settings.state_folder, self._format),
            self._settings.service_name,
        )
        own_name = await make_introduction(voice.pack, own, place, is_default=True)
        if own_name.source is not Source.SHIPPED:
            this_is = await asyncio.to_thread(self._format.read, own_name.file)
            voice = voice.with_own(PromptName.THIS_IS.value, this_is)
        others = {}
        for service, name in self._settings.service_names.items():
            if name != own:
                made = await make_introduction(voice.pack, name, place)
                others[service] = await asyncio.to_thread(self._format.read, made.file)
        return voice.with_introductions(others)

    def _hand_over(self, voice: Voice) -> None:
        """Copy phrases into the audio folder that the PBX could not find or read elsewhere."""
        for name in voice.own.keys() & set(PromptName):
            opaque = self._folder.claim()
            self._folder.write(opaque, self._format.encode(voice.own[name]))
            self._handed_over[voice.pack.language, name] = f"{self._settings.pbx_audio_folder}/{opaque}"


def _load_voices(settings: SpeechSettings, kind: AudioFormat) -> dict[str, Voice]:
    packs = load_spoken(settings.sounds, settings.unjudged)
    spoken, variants = [pack.language for pack in packs], settings.digit_variants
    if unknown := sorted(variants.keys() - set(spoken)):
        raise SpeechError(f"service.digit_variants: {unknown[0]!r} is not spoken; {', '.join(spoken)} are")
    recordings = settings.state_folder / FOLDER
    return {
        pack.language: load_voice(pack, kind, recordings, variant=variants.get(pack.language))
        for pack in packs
    }
