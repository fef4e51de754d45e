"""The global options, as every command gets them. Imports nothing that takes time; `place` uses them."""

from dataclasses import dataclass
from pathlib import Path

import rich_click as click


@dataclass(frozen=True, slots=True)
class Options:
    """The options before the command's name."""

    config: Path | None = None
    """The configuration file; None: not given."""
    socket: Path | None = None
    """The daemon's socket; None: as configured."""


def complete_language(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the languages of calls, for a shell's completion."""
    # Reading prompts' folders takes time to import, which no call needs.
    from voicegate.cli.packs import complete_spoken  # noqa: PLC0415

    return complete_spoken(ctx, parameter, incomplete)


end_user_ip_option = click.option(
    "--end-user-ip", metavar="ADDRESS", help="Address of the person who signs in, by which calls are limited."
)
"""For whom a command asks."""
