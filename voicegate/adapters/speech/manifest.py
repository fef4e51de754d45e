"""A language folder's `manifest.json`: for each prompt, its voice and engine, its licence, and its files.

It records from which script a prompt was made, so that only changed prompts are made again, and shows whether
its files are unchanged. `build` writes it; the voices in it are credited in NOTICE.
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
"""The results of listening tests, which the lab writes beside the prompts."""


class Made(Struct, frozen=True):
    """How a prompt was made."""

    script: str
    """The fingerprint of its script."""
    engine: str
    """The engine."""
    voice: str
    """The engine's voice."""
    version: str
    """The engine's."""
    licence: str
    """Under which the sounds may be given on, as an SPDX expression; NOASSERTION: nobody looked it up."""
    take: Take
    """The take that was used."""
    chosen: bool
    """Did an ear choose this take among several?"""
    sounds: Mapping[str, str]
    """Format -> SHA-256 of the file."""
    licence_source: str = ""
    """Where its authors say so."""


def read_manifest(folder: Path) -> dict[str, Made]:
    """Return how each prompt was made; blocks. Entries that cannot be read are left out."""
    try:
        content = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(_read(content)) if isinstance(content, dict) else {}


def encode_manifest(made: Mapping[str, Made]) -> bytes:
    """Return the manifest's file."""
    content = {name: msgspec.to_builtins(made[name]) for name in sorted(made)}
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def hash_sounds(folder: Path, name: str) -> dict[str, str]:
    """Return format -> SHA-256 of a prompt's existing files; blocks."""
    files = {suffix: folder / f"{name}.{suffix}" for suffix in FORMATS}
    return {suffix: sha256(file.read_bytes()).hexdigest() for suffix, file in files.items() if file.is_file()}


def _read(content: Mapping[str, object]) -> Iterator[tuple[str, Made]]:
    for name, told in content.items():
        try:
            yield name, msgspec.convert(told, Made)
        except msgspec.ValidationError:
            continue
