"""`voicegate check`: is this the code that was spoken?"""

import sys

import rich_click as click

from voicegate.cli.exits import Exit
from voicegate.cli.options import Options
from voicegate.cli.place import connect
from voicegate.cli.printing import json_option, print_json
from voicegate.client import Judgement


@click.command(short_help="Check a code that somebody entered.")
@click.argument("verification_id", metavar="ID")
@click.argument("code", required=False)
@json_option
@click.pass_obj
def check(options: Options, verification_id: str, code: str | None, *, as_json: bool) -> None:
    """Check CODE for the verification ID; asked for when not given, or read from standard input.

    Exit 0 when it is verified, 1 when it is denied.
    """
    with connect(options) as client:
        judgement = client.check(verification_id, code if code is not None else _ask())
    if as_json:
        print_json(judgement)
    else:
        click.echo(_describe(judgement))
    if judgement.status != "verified":
        raise SystemExit(Exit.NO)


def _ask() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Code", hide_input=True))
    return sys.stdin.readline().strip()


def _describe(judgement: Judgement) -> str:
    if judgement.status == "verified":
        return "verified"
    reason = (judgement.reason or "").replace("_", " ")
    left = judgement.attempts_left
    return f"denied: {reason}; {left} {'attempt' if left == 1 else 'attempts'} left"
