"""Build a language: each script is spoken by its engine, polished, and written in each format.

The folder's manifest records what was built from which script, so that only prompts whose words, voice or
engine changed are built again. `pack` says what a language says. Digits carry the code: several takes of each
can be made, of which an ear chooses; the choice is kept as long as the script is unchanged.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegate.adapters.speech.engines import ENGINES, licence_of, version_of
from voicegate.adapters.speech.formats import FORMATS, Samples
from voicegate.adapters.speech.levels import polish, resample
from voicegate.adapters.speech.manifest import (
    MANIFEST_FILE,
    Made,
    encode_manifest,
    hash_sounds,
    read_manifest,
)
from voicegate.adapters.speech.pack import Pack, Script, digit_name
from voicegate.adapters.speech.takes import AS_IT_IS, Chooser, Take
from voicegate.adapters.speech.tts import Speaking, speak_takes
from voicegate.domain.errors import SpeechError

MASTER_RATE: Final = 16000


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a build."""

    language: str
    """Which language."""
    name: str
    """The prompt just made."""
    done: int
    """How many are made, including this one."""
    total: int
    """How many are to be made."""


async def render(script: Script, take: Take = AS_IT_IS) -> Samples:
    """Return a script's prompt at 16 kHz.

    Raises:
        SpeechError: the engine failed.
    """
    return (await _record(script, (take,)))[take]


async def _record(script: Script, takes: Sequence[Take]) -> dict[Take, Samples]:
    """Return a script's prompt at 16 kHz, in each of the takes that the engine can do."""
    spoken = await speak_takes(script, takes)
    return {take: await asyncio.to_thread(_master, speaking) for take, speaking in spoken.items()}


def _master(speaking: Speaking) -> Samples:
    return polish(resample(speaking.samples, speaking.rate, MASTER_RATE), MASTER_RATE)


def find_stale(pack: Pack) -> Sequence[str]:
    """Return the prompts of `pack` that are missing or were built from other scripts; blocks."""
    changed = find_changed(pack)
    return [name for name in pack.scripts if name in changed or not _has_files(pack, name)]


def is_built(pack: Pack) -> bool:
    """Return whether any prompt of the language was built; blocks."""
    return (pack.folder / MANIFEST_FILE).is_file()


def find_changed(pack: Pack) -> Sequence[str]:
    """Return the prompts of `pack` that were built from other scripts, or are not in the manifest; blocks."""
    made = read_manifest(pack.folder)
    return [
        name
        for name, script in pack.scripts.items()
        if name not in made or made[name].script != script.fingerprint
    ]


async def build(
    pack: Pack,
    *,
    force: bool = False,
    choose: Chooser | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> Sequence[str]:
    """Build the stale prompts of a language, or with `force` all; return the names of those built.

    With `choose`, all digits are built, each in the take that it chooses. Each file is written completely or
    not at all, so a failed build can be run again.

    Raises:
        SpeechError: the engine failed or the folder cannot be written; names which.
    """
    stale = list(pack.scripts) if force else await asyncio.to_thread(find_stale, pack)
    names = [name for name in pack.scripts if name in stale or (choose and _rivals(pack, name))]
    made = await asyncio.to_thread(read_manifest, pack.folder)
    for done, name in enumerate(names, start=1):
        made[name] = await _make(pack, name, earlier=made.get(name), choose=choose)
        known = {name: made[name] for name in pack.scripts if name in made}
        await asyncio.to_thread(write_whole, pack.folder / MANIFEST_FILE, encode_manifest(known))
        report(Progress(pack.language, name, done=done, total=len(names)))
    return names


async def _make(pack: Pack, name: str, *, earlier: Made | None, choose: Chooser | None) -> Made:
    script, rivals = pack.scripts[name], _rivals(pack, name)
    if earlier is not None and earlier.script != script.fingerprint:
        earlier = None
    take, chosen = (earlier.take, earlier.chosen) if earlier else (AS_IT_IS, False)
    if choose and rivals:
        takes = await _record(script, ENGINES[script.engine].takes)
        take, chosen = await asyncio.to_thread(choose, script.text, rivals, takes), True
        master = takes[take]
    else:
        master = await render(script, take)
    await asyncio.to_thread(write_prompt, pack.folder, name, master)
    licence = licence_of(script.engine, script.voice)
    return Made(
        script=script.fingerprint,
        engine=script.engine,
        voice=script.voice,
        version=await asyncio.to_thread(version_of, script.engine),
        licence=licence.name,
        take=take,
        chosen=chosen,
        sounds=await asyncio.to_thread(hash_sounds, pack.folder, name),
        licence_source=licence.source,
    )


def _rivals(pack: Pack, name: str) -> Sequence[str]:
    """Return the words of all digits from which the digit `name` must be distinguished; empty for a
    phrase."""
    usual = {value: digit_name(value) for value in "0123456789"}
    for digits in ({}, *pack.variants.values()):
        names = {**usual, **digits}
        if name in names.values():
            return [pack.scripts[names[value]].text for value in "0123456789"]
    return ()


def convert(master: Samples, suffix: str) -> bytes:
    """Return the bytes of the file that holds a 16 kHz prompt in the format `suffix`."""
    kind = FORMATS[suffix]
    return kind.encode(resample(master, MASTER_RATE, kind.rate))


def write_prompt(folder: Path, name: str, master: Samples) -> None:
    """Write a 16 kHz prompt into `folder` in every format; blocks.

    Raises:
        SpeechError: the folder cannot be written; names it.
    """
    for suffix in FORMATS:
        write_whole(folder / f"{name}.{suffix}", convert(master, suffix))


def write_whole(file: Path, content: bytes) -> None:
    """Write `file` completely or not at all, readable by everyone; a missing folder is created; blocks.

    Raises:
        SpeechError: the folder cannot be written; names it.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".voicegate-")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
            Path(name).chmod(0o644)
            Path(name).replace(file)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SpeechError(f"{file.parent}: cannot be written: {error.strerror}") from error


def _has_files(pack: Pack, name: str) -> bool:
    return all((pack.folder / f"{name}.{suffix}").is_file() for suffix in FORMATS)
