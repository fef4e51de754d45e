"""The sounds that a PBX on another host may fetch: those of calls in progress, and the packs' prompts."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegate.adapters.speech.files import CALL_FILE
from voicegate.adapters.speech.formats import FORMATS

_LANGUAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,34}", re.ASCII)
_PROMPT: Final = re.compile(rf"[a-z0-9][a-z0-9_]{{0,63}}\.({'|'.join(FORMATS)})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ServedSounds:
    """Both folders, for reading. The methods block."""

    calls: Path
    """The folder of calls' sound files."""
    prompts: Path
    """The folder of the language folders."""

    def read_call(self, name: str) -> bytes | None:
        """Return a call's sound by its file's name, which is a secret; None: there is none."""
        # Not while it is written.
        found = CALL_FILE.fullmatch(name)
        return _read(self.calls / name) if found and not found["part"] else None

    def read_prompt(self, language: str, name: str) -> bytes | None:
        """Return a phrase of a language, by its file's name; None: there is none."""
        if not _LANGUAGE.fullmatch(language) or not _PROMPT.fullmatch(name):
            return None
        return _read(self.prompts / language / name)


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None
