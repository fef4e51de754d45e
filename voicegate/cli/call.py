"""`voicegate call`: call a number and speak a code; with `--watch`, show what happens on the call."""

import sys
from contextlib import nullcontext

import rich_click as click
from rich.console import Console

from voicegate.cli.exits import Exit, Failure
from voicegate.cli.options import Options
from voicegate.cli.place import connect
from voicegate.cli.printing import (
    describe_end,
    is_news,
    json_option,
    label_of,
    print_json,
    print_json_line,
)
from voicegate.client import Client, Created, Step, Verification


@click.command(short_help="Call a number and speak a code.")
@click.argument("number")
@click.option("--extension", help="Landline extension, sent after answer; w pauses 0.5 s, W 1 s.")
@click.option("--language", help="Language tag, such as en; as configured when not given.")
@click.option(
    "--human-check",
    type=click.Choice(["random_key", "any_key", "none"]),
    help="What a person presses to hear the code; as configured when not given.",
)
@click.option("--lifetime", type=click.IntRange(1, 86400), metavar="SECONDS", help="How long it counts.")
@click.option("--reference", help="A note of your own, kept with the verification.")
@click.option("--passcode-stdin", is_flag=True, help="Speak a code of your own, read from standard input.")
@click.option("--watch", is_flag=True, help="Show the call as it happens; exit 0 only if it is delivered.")
@json_option
@click.pass_obj
def call(  # noqa: PLR0913  # click hands options over by name
    options: Options,
    number: str,
    *,
    extension: str | None,
    language: str | None,
    human_check: str | None,
    lifetime: int | None,
    reference: str | None,
    passcode_stdin: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """Call NUMBER (E.164, or an internal extension) and speak a code.

    With --watch and --json, each step is a line of JSON, and the verification is the last.
    """
    # Never an option's value: command lines show in `ps`.
    passcode = sys.stdin.readline().strip() if passcode_stdin else None
    with connect(options) as client:
        created = client.create_verification(
            number,
            extension=extension,
            language=language,
            passcode=passcode,
            human_check=human_check,
            lifetime_s=lifetime,
            reference=reference,
        )
        if watch:
            _watch(client, created, as_json=as_json)
        elif as_json:
            print_json(created)
        else:
            click.echo(f"calling {created.call.destination}\n{_next_step(created.id)}")


def _watch(client: Client, created: Created, *, as_json: bool) -> None:
    try:
        if as_json:
            for step in client.watch(created.id):
                print_json_line(step)
        else:
            _show(client, created)
    except KeyboardInterrupt:
        raise Failure(Exit.NO, f"the call goes on; {_next_step(created.id)}") from None
    verification = client.verification(created.id)
    if as_json:
        print_json_line(verification)
    _conclude(verification, as_json=as_json)


def _show(client: Client, created: Created) -> None:
    """Print a line for each step that is news, over a spinner where a person looks on."""
    console = Console(highlight=False, markup=False)
    console.print(f"calling {created.call.destination}")
    began, before = created.call.created_at, None
    spinner = console.status("…") if console.is_terminal else nullcontext()
    with spinner:
        for step in client.watch(created.id):
            if _is_next_call(step, before):
                console.print("next trunk")
            if is_news(step, before):
                console.print(f"{(step.at - began).total_seconds():6.1f} s  {label_of(step)}")
                before = step


def _is_next_call(step: Step, before: Step | None) -> bool:
    return before is not None and step.call_id != before.call_id


def _conclude(verification: Verification, *, as_json: bool) -> None:
    last = verification.call
    if not as_json and last is not None:
        click.echo(describe_end(last))
        if last.outcome == "delivered":
            click.echo(_next_step(verification.id))
    if last is None or last.outcome != "delivered":
        raise SystemExit(Exit.NO)


def _next_step(verification_id: str) -> str:
    return f"check the code with: voicegate check {verification_id}"
