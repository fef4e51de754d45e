"""A language ready to speak: every prompt in one format, joined into sound; the admin's recordings come
before the built prompts.

`pack` holds the words; `build` and `recordings` made the prompts. Nothing is synthesised here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import assert_never

import numpy as np

from voicegate.adapters.speech.formats import AudioFormat, Samples
from voicegate.adapters.speech.pack import Pack, digit_name
from voicegate.adapters.speech.recordings import find_recorded
from voicegate.domain.announcement import Digit, Part, Pause, Prompt, PromptName, is_key
from voicegate.domain.errors import SpeechError


@dataclass(frozen=True, slots=True)
class Joined:
    """The sound of an announcement."""

    samples: Samples
    """The samples."""
    code_end: int | None
    """The sample at which its code ends; None without one."""
    key_end: int
    """The sample at which the requested key has been named; 0: no key is requested."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A language's prompts in memory."""

    pack: Pack
    """The language's pack."""
    kind: AudioFormat
    """The format of its samples."""
    prompts: Mapping[str, Samples]
    """Prompt file name without suffix -> its sound."""
    own: Mapping[str, Samples]
    """Those prompts that are not in the pack's folder."""
    introductions: Mapping[str, Samples] = field(default_factory=dict)
    """Service -> "This is <its name>."; other services are introduced by the default name."""

    def with_own(self, name: str, samples: Samples) -> "Voice":
        """Return this voice with another sound for one prompt."""
        return replace(self, prompts={**self.prompts, name: samples}, own={**self.own, name: samples})

    def with_introductions(self, introductions: Mapping[str, Samples]) -> "Voice":
        """Return this voice with introductions of services."""
        return replace(self, introductions=introductions)

    def join(self, parts: Sequence[Part]) -> Joined:
        """Return the sound of an announcement."""
        # All as long as the longest: otherwise the length of a file, or of a reading in a log, would
        # narrow the code down.
        slot = max(self.prompts[digit_name(value)].size for value in "0123456789")
        placed: list[tuple[int, Samples]] = []
        position, code_end, key_end = 0, None, 0
        for part in parts:
            if isinstance(part, Pause):
                position += round(part.length.total_seconds() * self.kind.rate)
                continue
            piece, is_code = self._sound(part), isinstance(part, Digit) and part.is_code
            placed.append((position, piece))
            position += slot if is_code else piece.size
            code_end = position if is_code else code_end
            key_end = position if is_key(part) else key_end
        samples = np.zeros(position, dtype=np.int16)
        for begin, piece in placed:
            samples[begin : begin + piece.size] = piece
        return Joined(samples, code_end, key_end)

    def _sound(self, part: Prompt | Digit) -> Samples:
        match part:
            case Prompt(PromptName.THIS_IS, str(service)) if service in self.introductions:
                return self.introductions[service]
            case Prompt(name):
                return self.prompts[name]
            case Digit(value):
                return self.prompts[digit_name(value)]
            case _:
                assert_never(part)


def load_voice(pack: Pack, kind: AudioFormat, recordings: Path, *, variant: str | None = None) -> Voice:
    """Return a language with all its prompts read; `recordings` holds the admin's own. Blocks.

    The digits are said by the words of `variant`, one of the pack's, where it has others.

    Raises:
        SpeechError: a prompt cannot be used, or there is no such variant; names it.
    """
    if variant is not None and variant not in pack.variants:
        known = ", ".join(pack.variants) or "none"
        raise SpeechError(f"{pack.language}: has no variant {variant!r} of its digits; it has {known}")
    said = pack.variants[variant] if variant else {}
    own = {
        name: kind.read(recordings / pack.language / f"{name}.{kind.suffix}")
        for name in find_recorded(pack, recordings)
    }
    needed = (name for name in _needed(pack, said.values()) if name not in own)
    built = {name: pack.folder / f"{name}.{kind.suffix}" for name in needed}
    if missing := [name for name, file in built.items() if not file.is_file()]:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise SpeechError(
            f"{pack.folder}: no sound of {missing[0]}{more}: voicegate prompts build {pack.language}, "
            f"or voicegate prompts import {pack.language} FOLDER"
        )
    prompts = {**{name: kind.read(file) for name, file in built.items()}, **own}
    prompts |= {digit_name(value): prompts[name] for value, name in said.items()}
    return Voice(pack, kind, prompts=prompts, own=own)


def _needed(pack: Pack, chosen: Collection[str]) -> list[str]:
    """Return the prompts without which a language cannot speak, and the words of variants that are there."""
    others = {name for digits in pack.variants.values() for name in digits.values()} - set(chosen)
    return [name for name in pack.scripts if name not in others or any(pack.folder.glob(f"{name}.*"))]
