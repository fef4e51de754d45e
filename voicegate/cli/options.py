"""The global options, as every command gets them. Imports nothing that takes time; `place` uses them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """What was said before the command's name."""

    config: Path | None = None
    """The configuration file; None: not given."""
    socket: Path | None = None
    """The daemon's socket; None: as configured."""
