"""How a service is introduced by a name of the admin's own: "This is <name>.", in each language.

By a recording of it, else by the language's own engine, else by its fallback engine; what an engine said is
kept in the state folder, so that it is needed once.
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
    """It came with the language."""
    RECORDED = "recorded"
    """A recording of the admin's own."""
    MADE = "made"
    """An engine said it, and it was kept."""
    TO_BE_MADE = "to be made"
    """An engine that is there will say it."""
    NOBODY = "nobody"
    """There is neither a recording nor an engine."""

    @property
    def is_spoken(self) -> bool:
        """Does an engine say it, at the admin's?"""
        return self in (Source.MADE, Source.TO_BE_MADE)


@dataclass(frozen=True, slots=True)
class IntroductionFolder:
    """Where introductions are kept."""

    state: Path
    """The state folder, in which recordings have one of their own."""
    kind: AudioFormat
    """The format in which they are spoken; they are kept in every other one too."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """How a language introduces a service."""

    source: Source
    """Where it comes from."""
    file: Path
    """Where it lies, or would."""
    script: Script
    """What an engine says, or would if there were no recording."""
    is_fallback: bool = False
    """Is that engine another than the language's own?"""


def find_introduction(
    pack: Pack, service: str, place: IntroductionFolder, *, is_default: bool = False
) -> Introduction:
    """Return who introduces `service`, and whether that is ready; blocks.

    Of the house itself a recording counts that is named as the prompt is, whatever its name.
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
    """Have `service` introduced; return how. An engine says it now, unless a recording does, or it was said
    before and `force` does not ask for it anew.

    Raises:
        SpeechError: no engine is there that could, each failed, or the folder cannot be written; names which.
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
