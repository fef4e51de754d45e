"""Check what is spoken: languages and their prompts, who says the services' names, and the audio folder.

The PBX's own check finds out whether it can play the files. Source: proc(5), `/proc/self/mounts`.
"""

import asyncio
import shlex
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from voicegate.adapters.speech.engines import ENGINES
from voicegate.adapters.speech.formats import FORMATS, AudioFormat
from voicegate.adapters.speech.inspection import inspect
from voicegate.adapters.speech.introductions import (
    Introduction,
    IntroductionFolder,
    Source,
    find_introduction,
)
from voicegate.adapters.speech.mixer import SpeechSettings
from voicegate.adapters.speech.pack import Pack, load_spoken
from voicegate.adapters.speech.recordings import FOLDER
from voicegate.application.diagnostics import Finding, doubtful, failed, look_at_own_folder, passed
from voicegate.domain.announcement import AFTER_NAME, SCREENED, PromptName
from voicegate.domain.errors import SpeechError, UnknownLanguage
from voicegate.domain.language import match_language

_IN_MEMORY: Final = frozenset(("tmpfs", "ramfs"))
_MOUNTS: Final = Path("/proc/self/mounts")


class SpeechCheck:
    """Fills the port `Check` for sounds."""

    subject = "sounds"

    def __init__(self, settings: SpeechSettings, default_language: str) -> None:
        self._settings = settings
        self._default = default_language

    async def run(self) -> AsyncIterator[Finding]:
        """Yield the findings."""
        for finding in await asyncio.to_thread(self._look_at_languages):
            yield finding
        yield await asyncio.to_thread(_look_at_folder, self._settings.audio_folder)

    def _look_at_languages(self) -> list[Finding]:
        sounds = self._settings.sounds
        try:
            packs = load_spoken(sounds, self._settings.unjudged)
            match_language((self._default,), [pack.language for pack in packs])
        except UnknownLanguage as error:
            return [
                failed(
                    "languages", str(error), "service.language, service.unjudged_languages, or service.sounds"
                )
            ]
        except SpeechError as error:
            return [failed("languages", str(error), "service.sounds, or the file it names")]
        return [*(self._look_at_prompts(pack) for pack in packs), *self._look_at_names(packs)]

    def _look_at_prompts(self, pack: Pack) -> Finding:
        about = f"language {pack.language}"
        suffix = self._settings.audio_format
        missing = [name for name in pack.scripts if not (pack.folder / f"{name}.{suffix}").is_file()]
        if missing:
            build = f"voicegate prompts build {pack.language}"
            return failed(about, f"no sound in {pack.folder} of: {', '.join(missing)}", build)
        if wrong := inspect(pack, self._settings.state_folder / FOLDER):
            more = f", and {len(wrong) - 1} more" if wrong[1:] else ""
            text = f"{wrong[0].file}: {wrong[0].problem}{more}"
            return doubtful(
                about, text, f"{wrong[0].fix}; all of them: voicegate prompts check {pack.language}"
            )
        if not pack.is_judged:
            fix = "hear it: voicegate prompts play; or take it out of service.unjudged_languages"
            return doubtful(about, "is spoken, although nobody could judge whether it is understood", fix)
        return passed(about, f"all {len(pack.scripts)} prompts are there")

    def _look_at_names(self, packs: Sequence[Pack]) -> list[Finding]:
        """Yield the findings about the names that introduce calls."""
        settings = self._settings
        names = dict.fromkeys((settings.service_name, *settings.service_names.values()))
        place = IntroductionFolder(settings.state_folder, FORMATS[settings.audio_format])
        found = []
        for name in names:
            own = name == settings.service_name
            how = {pack.language: find_introduction(pack, name, place, is_default=own) for pack in packs}
            found.append(_look_at_name(name, how, packs))
            slow = [pack.language for pack in packs if _takes_long(pack, how[pack.language], place.kind)]
            if slow:
                limit = f"{SCREENED.total_seconds():g} s"
                text = f"in {', '.join(slow)} it takes more than {limit} to say who calls and why"
                fix = "a shorter name, or a recording of it: telephones that screen calls decide by then"
                found.append(doubtful(f"name {name!r}", text, fix))
        return found


def _takes_long(pack: Pack, introduction: Introduction, kind: AudioFormat) -> bool:
    """Return whether a name is so long that a telephone that screens calls does not hear the purpose of the
    call."""
    why = pack.folder / f"{PromptName.TO_HEAR_YOUR_CODE}.{kind.suffix}"
    if introduction.source is Source.SHIPPED or not (introduction.file.is_file() and why.is_file()):
        return False
    try:
        length = (kind.read(introduction.file).size + kind.read(why).size) / kind.rate
    except SpeechError:
        return False  # a faulty file is reported with the prompts
    return AFTER_NAME.total_seconds() + length > SCREENED.total_seconds()


def _look_at_name(name: str, how: Mapping[str, Introduction], packs: Sequence[Pack]) -> Finding:
    """Return the finding about a name: who speaks it in each language."""
    own = {pack.language: pack.this_is.engine for pack in packs}
    about = f"name {name!r}"
    text = "; ".join(f"{language} {_in_words(introduction)}" for language, introduction in how.items())
    sources = {introduction.source for introduction in how.values()}
    if Source.NOBODY in sources:
        missing = [language for language, one in how.items() if one.source is Source.NOBODY]
        record = f"voicegate prompts import {missing[0]} FILE --service {shlex.quote(name)}"
        fix = f"{_needs(own[language] for language in missing)}; or record it: {record}"
        return failed(about, f"nobody says it in {', '.join(missing)}, which will be left out: {text}", fix)
    if others := [language for language, one in how.items() if one.is_fallback]:
        build = f"voicegate prompts build --service {shlex.quote(name)}"
        fix = f"{_needs(own[language] for language in others)}; and then: {build}"
        return doubtful(about, text, fix)
    return passed(about, text)


def _needs(engines: Iterable[str]) -> str:
    """Return what to install for these engines."""
    return "; ".join(dict.fromkeys(ENGINES[engine].needs for engine in engines))


def _in_words(introduction: Introduction) -> str:
    engine = introduction.script.engine
    if introduction.is_fallback:
        engine += ", the fallback engine"
    return {
        Source.SHIPPED: "as it came",
        Source.RECORDED: "recorded",
        Source.MADE: f"spoken by {engine}",
        Source.TO_BE_MADE: f"will be spoken by {engine}",
        Source.NOBODY: f"by nobody: {engine} is not installed",
    }[introduction.source]


def _look_at_folder(folder: Path) -> Finding:
    about = "audio folder"
    kind = file_system_of(folder)
    finding = look_at_own_folder(about, folder, setting="audio.folder", mode="0750 -g <audio.group>")
    if finding is not None:
        return finding
    if kind not in _IN_MEMORY:
        fix = "audio.folder on a tmpfs, such as /run: a disk can keep what was erased"
        return doubtful(about, f"{folder} lies on {kind}: codes are written to a disk", fix)
    return passed(about, f"{folder} lies in memory ({kind})")


def file_system_of(path: Path, mounts: Path = _MOUNTS) -> str:
    """Return the type of the file system that holds `path`, which need not exist; blocks for moments."""
    holder, kind = Path("/"), "an unknown file system"
    real = path.resolve()
    for line in mounts.read_text("utf-8", "replace").splitlines():
        place, found = line.split(" ")[1:3]
        # Spaces and the like stand in octal.
        point = Path(place.encode().decode("unicode_escape"))
        if real.is_relative_to(point) and len(point.parts) >= len(holder.parts):
            holder, kind = point, found
    return kind
