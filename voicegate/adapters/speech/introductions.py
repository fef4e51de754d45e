"""How a service is introduced by a name of the admin's own: "This is <name>.", in each language.

It is a recording if there is one, else spoken by the language's own engine, else by its fallback engine. What
an engine said is kept in the state folder, so it is needed only once.
"""

import asyncio
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog

from voicegate.adapters.speech.build import convert, render, write_whole
from voicegate.adapters.speech.engines import is_installed
from voicegate.adapters.speech.formats import FORMATS, AudioFormat
from voicegate.adapters.speech.pack import Pack, Script
from voicegate.adapters.speech.recordings import FOLDER, introduction_name
from voicegate.domain.announcement import PromptName
from voicegate.domain.errors import SpeechError

log = structlog.get_logger(__name__)

_THIS_IS: Final = PromptName.THIS_IS.value


class Source(StrEnum):
    """Where an introduction comes from."""

    SHIPPED = "shipped"
    """It was shipped with the language."""
    RECORDED = "recorded"
    """The admin's own recording."""
    MADE = "made"
    """An engine spoke it, and the sound is kept."""
    TO_BE_MADE = "to be made"
    """An installed engine will speak it."""
    NOBODY = "nobody"
    """There is neither a recording nor an engine."""

    @property
    def is_spoken(self) -> bool:
        """Does an engine speak it, on the admin's machine?"""
        return self in (Source.MADE, Source.TO_BE_MADE)


@dataclass(frozen=True, slots=True)
class IntroductionFolder:
    """Where introductions are kept."""

    state: Path
    """The state folder; recordings have a folder of their own in it."""
    kind: AudioFormat
    """The format in which they are played; they are kept in all other formats too."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """How a language introduces a service."""

    source: Source
    """Where it comes from."""
    file: Path
    """The file, which need not exist yet."""
    script: Script
    """The script for an engine, which is used if there is no recording."""
    is_fallback: bool = False
    """Does the fallback engine speak it?"""


def find_introduction(
    pack: Pack, service: str, place: IntroductionFolder, *, is_default: bool = False
) -> Introduction:
    """Return who introduces `service`, and whether the sound is ready; blocks.

    For the default service, a recording with the prompt's own name counts too, whatever the service's name.
    """
    scripts = pack.introductions(service)
    recordings, suffix = place.state / FOLDER / pack.language, place.kind.suffix
    for name in (introduction_name(service), _THIS_IS)[: 2 if is_default else 1]:
        if (file := recordings / f"{name}.{suffix}").is_file():
            return Introduction(Source.RECORDED, file, scripts[0])
    if service == pack.service:
        return Introduction(Source.SHIPPED, pack.folder / f"{_THIS_IS}.{suffix}", scripts[0])
    for script in scripts:
        file, is_fallback = _kept(pack, script, place), script is not scripts[0]
        if file.is_file():
            return Introduction(Source.MADE, file, script, is_fallback)
        if is_installed(script.engine):
            return Introduction(Source.TO_BE_MADE, file, script, is_fallback)
    return Introduction(Source.NOBODY, _kept(pack, scripts[0], place), scripts[0])


async def make_introduction(
    pack: Pack, service: str, place: IntroductionFolder, *, is_default: bool = False, force: bool = False
) -> Introduction:
    """Make the introduction of `service`, and return it. An engine speaks it now, unless there is a
    recording, or it was spoken before and `force` is not set.

    Raises:
        SpeechError: no engine is installed, all failed, or the folder cannot be written; names which.
    """
    found = await asyncio.to_thread(find_introduction, pack, service, place, is_default=is_default)
    if found.source in (Source.RECORDED, Source.SHIPPED) or (found.source is Source.MADE and not force):
        return found
    first, *others = pack.introductions(service)
    try:
        return await _make(pack, first, place)
    except SpeechError as error:
        for script in filter(lambda script: is_installed(script.engine), others):
            made = await _make(pack, script, place)
            log.info(
                "service name spoken by the fallback engine",
                language=pack.language,
                engine=script.engine,
                instead_of=first.engine,
                error=str(error),
            )
            return replace(made, is_fallback=True)
        raise


async def _make(pack: Pack, script: Script, place: IntroductionFolder) -> Introduction:
    master, file = await render(script), _kept(pack, script, place)
    for kind in FORMATS.values():
        content = await asyncio.to_thread(convert, master, kind.suffix)
        await asyncio.to_thread(write_whole, file.with_suffix(f".{kind.suffix}"), content)
    return Introduction(Source.MADE, file, script)


def _kept(pack: Pack, script: Script, place: IntroductionFolder) -> Path:
    return place.state / f"{_THIS_IS}-{pack.language}-{script.fingerprint[:16]}.{place.kind.suffix}"
