"""Find what is wrong with a language's prompts: each finding names a file and the fix.

Changes nothing; `build` and `recordings` fix what is found. The limits of loudness lie around `levels`'
target, so far away that no built prompt of any engine comes near them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from voicegate.adapters.speech.build import find_changed
from voicegate.adapters.speech.formats import FORMATS, AudioFormat, Samples
from voicegate.adapters.speech.levels import TARGET_DBFS, loudness
from voicegate.adapters.speech.manifest import HEARD_FILE, MANIFEST_FILE, hash_sounds, read_manifest
from voicegate.adapters.speech.pack import SCRIPT_FILE, Pack
from voicegate.adapters.speech.recordings import find_introductions, find_recorded
from voicegate.domain.errors import SpeechError

_QUIETEST_DBFS: Final = TARGET_DBFS - 8
_LOUDEST_DBFS: Final = TARGET_DBFS + 6
_SILENT_PEAK: Final = 100
# The largest sample of mu-law is 32124, of A-law 32256.
_CLIPPED: Final = 32000
_CLIPPED_RUN: Final = 3
_UNLIKE_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a prompt."""

    language: str
    """The language."""
    file: Path
    """The file."""
    problem: str
    """What is wrong."""
    fix: str
    """The fix."""


def inspect(pack: Pack, recordings: Path) -> list[Finding]:
    """Return what is wrong with a language's built prompts and with the admin's own; blocks."""
    language, own = pack.language, recordings / pack.language
    build, record = f"voicegate prompts build {language}", f"voicegate prompts import {language} FOLDER"
    found = [
        Finding(language, pack.folder / f"{name}.wav", "its words, voice or engine have changed since", build)
        for name in find_changed(pack)
    ]
    for folder, names, fix in (
        (pack.folder, list(pack.scripts), f"{build} --force"),
        (own, [*find_recorded(pack, recordings), *find_introductions(pack, recordings)], record),
    ):
        wanted = _kinds(folder) if folder == pack.folder else FORMATS
        for name in names:
            problems = _inspect_prompt(folder, name, wanted)
            found += [Finding(language, folder / file, problem, fix) for file, problem in problems]
        notes = (SCRIPT_FILE, MANIFEST_FILE, HEARD_FILE)
        known = {*notes, *(f"{name}.{suffix}" for name in names for suffix in FORMATS)}
        unknown = sorted(set(folder.iterdir()) - {folder / name for name in known}) if folder.is_dir() else []
        found += [Finding(language, file, "belongs to no prompt", "remove it") for file in unknown]
    told = {finding.file for finding in found}
    altered = (file for file in _altered(pack) if file not in told)
    return found + [Finding(language, file, "is not what was built", f"{build} --force") for file in altered]


def _altered(pack: Pack) -> Iterator[Path]:
    """Yield the files of prompts that differ from the manifest."""
    for name, made in read_manifest(pack.folder).items():
        for suffix, digest in hash_sounds(pack.folder, name).items():
            if made.sounds.get(suffix) != digest:
                yield pack.folder / f"{name}.{suffix}"


def _kinds(folder: Path) -> Mapping[str, AudioFormat]:
    """Return the formats that a language came in: an image may leave one out, of every prompt."""
    there = {file.suffix.removeprefix(".") for file in folder.iterdir()}
    return {suffix: kind for suffix, kind in FORMATS.items() if suffix in there} or FORMATS


def _inspect_prompt(folder: Path, name: str, wanted: Mapping[str, AudioFormat]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a prompt's files, each with its name."""
    lengths: dict[str, float] = {}
    for suffix, kind in wanted.items():
        file = folder / f"{name}.{suffix}"
        if not file.is_file():
            yield file.name, "is missing"
            continue
        try:
            samples = kind.read(file)
        except SpeechError as error:
            yield file.name, str(error).removeprefix(f"{file}: ")
            continue
        lengths[file.name] = samples.size / kind.rate
        if problem := _judge(samples, kind):
            yield file.name, problem
    yield from _unlike(lengths)


def _judge(samples: Samples, kind: AudioFormat) -> str | None:
    loud = np.abs(samples.astype(np.int32))
    if loud.max() < _SILENT_PEAK:
        return "is silent"
    level = loudness(samples, kind.rate)
    at_limit = np.lib.stride_tricks.sliding_window_view(loud >= _CLIPPED, min(_CLIPPED_RUN, loud.size))
    if at_limit.all(axis=1).any():
        return "is clipped"
    if _QUIETEST_DBFS <= level <= _LOUDEST_DBFS:
        return None
    wrong = "quiet" if level < _QUIETEST_DBFS else "loud"
    return f"is too {wrong}: {level:.0f} dBFS instead of {TARGET_DBFS:.0f}"


def _unlike(lengths: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Yield the formats of a prompt that are not as long as most are."""
    usual = median(lengths.values()) if lengths else 0.0
    for file, length in lengths.items():
        if abs(length - usual) > _UNLIKE_S:
            yield file, f"lasts {length:.2f} s, in other formats {usual:.2f} s"
