"""Building a language: every script spoken by its engine, polished, and written in each format.

What was built from which script is kept in the folder's `manifest.json`, so that only prompts whose
words, voice or engine changed are made again. What a language says is `pack`'s.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegate.adapters.speech.formats import FORMATS, Samples
from voicegate.adapters.speech.levels import polish, resample
from voicegate.adapters.speech.pack import Pack, Script
from voicegate.adapters.speech.tts import speak
from voicegate.domain.errors import SpeechError

MANIFEST_FILE: Final = "manifest.json"
MASTER_RATE: Final = 16000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build has come."""

    language: str
    """Which language."""
    name: str
    """The prompt just made."""
    done: int
    """How many are made, this one included."""
    total: int
    """How many are to be made."""


async def render(script: Script) -> Samples:
    """Return a script's prompt at 16 kHz.

    Raises:
        SpeechError: the engine failed.
    """
    speaking = await speak(script)
    master = await asyncio.to_thread(resample, speaking.samples, speaking.rate, MASTER_RATE)
    return await asyncio.to_thread(polish, master, MASTER_RATE)


def find_stale(pack: Pack) -> Sequence[str]:
    """Return the prompts of `pack` that are missing or were made from other scripts; blocks."""
    changed = find_changed(pack)
    return [name for name in pack.scripts if name in changed or not _has_files(pack, name)]


def is_built(pack: Pack) -> bool:
    """Was any prompt of the language ever made? Blocks."""
    return (pack.folder / MANIFEST_FILE).is_file()


def find_changed(pack: Pack) -> Sequence[str]:
    """Return the prompts of `pack` that were made from other scripts, or that nothing tells of; blocks."""
    made = _read_manifest(pack)
    return [name for name, script in pack.scripts.items() if made.get(name) != script.fingerprint]


async def build(
    pack: Pack, *, force: bool = False, report: Callable[[Progress], None] = lambda _: None
) -> Sequence[str]:
    """Make the stale prompts of a language, or all by `force`; return the names of those made.

    Each file appears whole or not at all, and a build that fails can simply be run again.

    Raises:
        SpeechError: the engine failed or the folder cannot be written; names which.
    """
    names = list(pack.scripts) if force else await asyncio.to_thread(find_stale, pack)
    made = await asyncio.to_thread(_read_manifest, pack)
    for done, name in enumerate(names, start=1):
        master = await render(pack.scripts[name])
        await asyncio.to_thread(write_prompt, pack.folder, name, master)
        made[name] = pack.scripts[name].fingerprint
        await asyncio.to_thread(_write_manifest, pack, made)
        report(Progress(pack.language, name, done=done, total=len(names)))
    return names


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
    """Write `file` so that it appears whole or not at all, for everyone to read; its folder is made when
    missing; blocks.

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


def _read_manifest(pack: Pack) -> dict[str, str]:
    # A manifest that cannot be read proves nothing: then everything counts as stale.
    try:
        made = json.loads((pack.folder / MANIFEST_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(mark) for name, mark in made.items()} if isinstance(made, dict) else {}


def _write_manifest(pack: Pack, made: Mapping[str, str]) -> None:
    known = {name: made[name] for name in sorted(made) if name in pack.scripts}
    write_whole(pack.folder / MANIFEST_FILE, (json.dumps(known, indent=2) + "\n").encode())
