"""What was understood of a language, as it is kept beside the prompts: `sounds/<language>/heard.json`.

It has the hash of every prompt that was heard: a prompt that has changed since counts as not heard.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from voicegate.adapters.speech.build import write_whole
from voicegate.adapters.speech.formats import FORMATS
from voicegate.adapters.speech.manifest import HEARD_FILE
from voicegate.adapters.speech.pack import Pack
from voicegate.domain.errors import SpeechError


class OnLine(Struct, frozen=True, forbid_unknown_fields=True):
    """Calls over one kind of line."""

    line: str
    """Its name in `lines`."""
    codes: int
    """Codes that were read without a fault, from both readings together."""
    of_codes: int
    """Calls that were heard."""
    digits: int
    """Digits of those codes that were read correctly."""
    of_digits: int
    """Digits of those codes."""
    once: int | None = None
    """Digits read correctly from one hearing only; None: the recogniser hears only whole codes."""
    of_once: int | None = None
    """Digits heard, each reading counted."""
    confused: Mapping[str, int] = {}
    """Digit spoken and digit heard, such as "2 as 3", with how often; of single hearings."""


class Reader(Struct, frozen=True, forbid_unknown_fields=True):
    """One recogniser's reading of calls."""

    ear: str
    """The recogniser: "whisper" or "pocketsphinx"."""
    variant: str | None
    """The variant of the digits' words that was spoken; None: the language's own words."""
    lines: Sequence[OnLine]
    """The results for each line."""


class Phrase(Struct, frozen=True, forbid_unknown_fields=True):
    """One phrase, as it was written down."""

    name: str
    """The prompt."""
    line: str
    """The line over which it was heard."""
    said: str
    """Its words."""
    heard: str
    """The words that were heard."""
    wrong: int
    """Words missing, added or changed."""
    words: int
    """Words that were spoken."""


class Heard(Struct, frozen=True, forbid_unknown_fields=True):
    """A language as it was heard."""

    model: str
    """SHA-256 of the model that heard it."""
    readers: Sequence[Reader]
    """Calls."""
    phrases: Sequence[Phrase]
    """Phrases."""
    prompts: Mapping[str, str]
    """Prompt -> its hash when it was heard."""


def hash_prompts(pack: Pack) -> dict[str, str]:
    """Return the hash of each prompt of a language, over its files in all formats; empty: one is missing.

    Blocks.
    """
    return {name: _hash(pack.folder, name) for name in sorted(pack.scripts)}


def read_heard(folder: Path) -> Heard | None:
    """Return the results of a language's folder; None: there are none. Blocks.

    Raises:
        SpeechError: the file cannot be understood; names it.
    """
    file = folder / HEARD_FILE
    if not file.is_file():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=Heard)
    except msgspec.DecodeError as error:
        raise SpeechError(f"{file}: {error}") from error


def write_heard(folder: Path, heard: Heard) -> None:
    """Store the results of a language beside its prompts; blocks.

    Raises:
        SpeechError: the folder cannot be written; names it.
    """
    write_whole(folder / HEARD_FILE, msgspec.json.format(msgspec.json.encode(heard), indent=1) + b"\n")


def find_unheard(pack: Pack) -> Sequence[str]:
    """Return the prompts of a language that have changed since they were heard; blocks."""
    heard = read_heard(pack.folder)
    known = heard.prompts if heard else {}
    now = hash_prompts(pack)
    return [name for name in sorted(now.keys() | known.keys()) if now.get(name) != known.get(name)]


def _hash(folder: Path, name: str) -> str:
    files = [folder / f"{name}.{suffix}" for suffix in FORMATS]
    if not all(file.is_file() for file in files):
        return ""
    return sha256(b"".join(sha256(file.read_bytes()).digest() for file in files)).hexdigest()
