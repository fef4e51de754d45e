"""A language folder's `manifest.json`: of each prompt, who said it, how, under which licence, and its sounds.

It proves which script a prompt was made from, so that only what changed is made again, and that its files are
still the ones that were made. Written by `build`; what it tells of voices is credited in NOTICE.
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from voicegate.adapters.speech.formats import FORMATS
from voicegate.adapters.speech.takes import Take

MANIFEST_FILE: Final = "manifest.json"
HEARD_FILE: Final = "heard.json"
"""What an ear made of the prompts, which the lab writes beside them."""


class Made(Struct, frozen=True):
    """How a prompt was made."""

    script: str
    """The fingerprint of its script."""
    engine: str
    """Who said it."""
    voice: str
    """With which of the engine's voices."""
    version: str
    """The engine's."""
    licence: str
    """Under which the sounds may be given on, as an SPDX expression; NOASSERTION: nobody looked it up."""
    take: Take
    """How it was had from the engine."""
    chosen: bool
    """Did an ear choose the take among others?"""
    sounds: Mapping[str, str]
    """Format -> SHA-256 of the file."""
    licence_source: str = ""
    """Where its authors say so."""


def read_manifest(folder: Path) -> dict[str, Made]:
    """Return how each prompt was made; blocks. What cannot be read proves nothing, and is left out."""
    try:
        content = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(_read(content)) if isinstance(content, dict) else {}


def encode_manifest(made: Mapping[str, Made]) -> bytes:
    """Return the file that tells how each prompt was made."""
    content = {name: msgspec.to_builtins(made[name]) for name in sorted(made)}
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def hash_sounds(folder: Path, name: str) -> dict[str, str]:
    """Return format -> SHA-256 of a prompt's files, those that are there; blocks."""
    files = {suffix: folder / f"{name}.{suffix}" for suffix in FORMATS}
    return {suffix: sha256(file.read_bytes()).hexdigest() for suffix, file in files.items() if file.is_file()}


def _read(content: Mapping[str, object]) -> Iterator[tuple[str, Made]]:
    for name, told in content.items():
        try:
            yield name, msgspec.convert(told, Made)
        except msgspec.ValidationError:
            continue
