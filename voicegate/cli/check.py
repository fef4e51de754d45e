"""`voicegate check`: is this the code that was spoken?"""

import sys

import rich_click as click

from voicegate.cli.exits import Exit, Failure, is_text
from voicegate.cli.options import Options
from voicegate.cli.place import connect
from voicegate.cli.printing import json_option, print_json
from voicegate.client import FactorJudgement, Judgement


@click.command(short_help="Check a code that somebody entered.")
@click.argument("verification_id", metavar="ID")
@json_option
@click.pass_obj
def check(options: Options, verification_id: str, *, as_json: bool) -> None:
    """Check a code for the verification ID. The code is asked for, or read from standard input.

    It is not an argument, because command lines can be seen in `ps`. Exit 0 when it is verified, 1 when it is
    denied.
    """
    with connect(options) as client:
        judgement = client.check(verification_id, read_code())
    if as_json:
        print_json(judgement)
    else:
        click.echo(describe(judgement))
    if judgement.status != "verified":
        raise SystemExit(Exit.NO)


def read_code() -> str:
    """Return a code that somebody enters: asked for on a terminal, or read from standard input.

    Raises:
        Failure: bytes that are not UTF-8.
    """
    try:
        code = str(click.prompt("Code", hide_input=True)) if is_terminal() else sys.stdin.readline().strip()
    except UnicodeDecodeError:
        code = None
    if code is None or not is_text(code):
        raise Failure(Exit.USAGE, "the code on standard input holds bytes that are not UTF-8")
    return code


def is_terminal() -> bool:
    """Return whether standard input is a terminal."""
    return sys.stdin.isatty()


def describe(judgement: Judgement | FactorJudgement) -> str:
    """Return the result of a guess in one line."""
    if judgement.status == "verified":
        return "verified"
    reason = (judgement.reason or "").replace("_", " ")
    left = judgement.attempts_left
    if left is None:
        return "denied: a code has 4 to 10 digits; it did not count as a guess"
    return f"denied: {reason}; {left} {'guess' if left == 1 else 'guesses'} left"
