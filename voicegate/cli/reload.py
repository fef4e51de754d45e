"""`voicegate reload`: have the running daemon read its settings again, and say what it took."""

import rich_click as click

from voicegate.cli.exits import Exit, Failure
from voicegate.cli.options import Options
from voicegate.cli.place import connect
from voicegate.cli.printing import json_option, print_json
from voicegate.client import Reload


@click.command()
@json_option
@click.pass_obj
def reload(options: Options, *, as_json: bool) -> None:
    """Have the running daemon read its settings again.

    Says which settings it took, and which it did not and why: most need a restart. A wrong file changes
    nothing. Exit code 0: all that changed was taken; 1: not all; 5: the file is wrong.
    """
    with connect(options) as client:
        done = client.reload()
    if as_json:
        print_json(done)
    elif done.error is None:
        _print(done)
    if done.error is not None:
        raise Failure(Exit.CONFIG, f"nothing was reloaded: {done.error}")
    if done.not_taken:
        raise SystemExit(Exit.NO)


def _print(done: Reload) -> None:
    for name in done.taken:
        click.echo(f"taken: {name}")
    for name in done.read_again:
        click.echo(f"read again: the file of {name}")
    for one in done.not_taken:
        click.echo(f"not taken: {one.setting}: {one.why}")
    if not (done.taken or done.not_taken):
        click.echo("no setting has changed")
