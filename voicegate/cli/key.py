"""`voicegate key`: the key file that codes are derived with. Shows the names of keys, never a key."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import rich_click as click

from voicegate.adapters.keyfile import file as keys
from voicegate.adapters.keyfile.receipt_keys import rotate_receipt_keys
from voicegate.cli.options import Options
from voicegate.cli.place import read_settings
from voicegate.cli.printing import clock, json_option, print_json, print_table
from voicegate.domain.errors import KeyFileError

_LOSES: Final = (
    "codes that are out are void at the daemon's next start, and audit entries from before are no longer"
    " found by a whole number"
)


@click.group()
def key() -> None:
    """The key file that codes are derived with: create it, add a key."""


@key.command("list")
@json_option
@click.pass_obj
def list_keys(options: Options, *, as_json: bool) -> None:
    """List the keys by name, the newest last: new codes are derived with that one."""
    file = _file(options)
    try:
        found = keys.read_keys(file)
    except FileNotFoundError:
        raise KeyFileError(f"{file}: the key file is missing: {keys.LOST}") from None
    if as_json:
        print_json([{"id": one.id, "made_at": one.made_at, "is_used": one is found[-1]} for one in found])
        return
    print_table(
        ("key", "made", ""),
        (
            (one.id, clock(one.made_at) if one.made_at else "not noted", "used" if one is found[-1] else "")
            for one in found
        ),
    )


@key.command()
@click.pass_obj
def new(options: Options) -> None:
    """Create the key file if there is none, as after a loss without a backup.

    All open codes become invalid: the daemon ends them at its next start. Older audit entries can no longer
    be found by a whole number.
    """
    file, made = _file(options), keys.new_key(datetime.now(UTC))
    if not keys.create(file, made):
        fix = "`voicegate key rotate` adds a key; a file that is damaged: move it away first"
        raise KeyFileError(f"{file}: there is a key file already: {fix}")
    click.echo(f"{file}: made, with the key {made.id}. Back it up. If there was one before: {_LOSES}.")


@key.command()
@click.option("--drop-old", is_flag=True, help="Drop all other keys, as when somebody may have read them.")
@click.pass_obj
def rotate(options: Options, *, drop_old: bool) -> None:
    """Add a key to the key file, for new codes from the daemon's next reload or start on.

    The older keys stay, so that open codes remain valid. With --drop-old they are removed: at a start open
    codes become invalid, and older audit entries can no longer be found by a whole number.
    """
    file, made = _file(options), keys.new_key(datetime.now(UTC))
    try:
        present = keys.add_key(file, made, is_only=drop_old)
    except FileNotFoundError:
        raise KeyFileError(f"{file}: the key file is missing: {keys.LOST}") from None
    receipts = file.with_name(f"{file.name}-receipts")
    if receipts.exists():
        # In one command: who may have read the one file may have read the other.
        rotated = rotate_receipt_keys(receipts, datetime.now(UTC), is_only=drop_old)
        click.echo(f"{receipts}: receipts are signed with {rotated} from the next reload on.")
    # Keys in use are not taken away from a running daemon.
    do = "restart" if drop_old else "reload"
    loses = _LOSES if drop_old else f"{len(present) - 1} older stay, so that nothing is lost"
    click.echo(f"{file}: the new key is {made.id}; {loses}. Back the file up, and {do} the daemon.")


def _file(options: Options) -> Path:
    return Path(read_settings(options).storage.key_file)
