"""Voicegate: a one-time code by telephone through the company's own PBX, and what really happened.

Here: its version, and its name as a package. Everything else has a room of its own.
"""

from typing import Final

__version__ = "0.2.0"

DISTRIBUTION: Final = "voicegate-pbx"
"""What pip calls it; a package named like the import, "voicegate", is another project's."""


def how_to_install(extra: str) -> str:
    """Return the command that installs what an extra of `pyproject.toml` needs, beside what is installed."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
