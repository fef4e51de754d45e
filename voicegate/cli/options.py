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

max_price_option = click.option(
    "--max-price", type=click.FloatRange(0), help="What it may cost at most, by the rates."
)
"""What a call may cost."""
ttl_option = click.option(
    "--ttl",
    "ttl_s",
    type=click.FloatRange(0, 3600),
    metavar="SECONDS",
    help="How long it may wait for a line.",
)
"""How long a call may wait."""
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Decide all, call nobody; exit 0 if it would be called."
)
"""Whether a call is only decided about."""
matching_digits_option = click.option(
    "--matching-digits",
    is_flag=True,
    callback=lambda _context, _parameter, value: value or None,
    help="Speak two digits before the code, which are shown here.",
)
"""Whether a person can compare what is shown with what the call says."""


def show_matching_digits(digits: str | None) -> None:
    """Print the two digits that a call speaks before the code; None: it speaks none."""
    if digits:
        click.echo(f"the call will first say: {' '.join(digits)}")
