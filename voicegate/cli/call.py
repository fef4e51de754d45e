"""`voicegate call`: call a number and speak a code; with `--watch`, show what happens on the call."""

from typing import Any

import rich_click as click

from voicegate.cli.check import read_code
from voicegate.cli.options import (
    Options,
    complete_language,
    dry_run_option,
    end_user_ip_option,
    matching_digits_option,
    max_price_option,
    show_matching_digits,
    ttl_option,
)
from voicegate.cli.place import connect
from voicegate.cli.printing import json_option, print_dry_run, print_json
from voicegate.cli.watching import Watched, follow
from voicegate.client import Created
from voicegate.client.requests import Options as CallOptions


@click.command(short_help="Call a number and speak a code.")
@click.argument("number")
@click.option("--extension", help="Landline extension, sent after answer; w pauses 0.5 s, W 1 s.")
@click.option(
    "--language",
    shell_complete=complete_language,
    help="Language tag, such as en; as configured when not given.",
)
@click.option(
    "--human-check",
    type=click.Choice(["random_key", "any_key", "none"]),
    help="What a person presses to hear the code; as configured when not given.",
)
@click.option("--lifetime", type=click.IntRange(1, 86400), metavar="SECONDS", help="How long it counts.")
@click.option("--reference", help="A note of your own, kept with the verification.")
@end_user_ip_option
@click.option("--passcode-stdin", is_flag=True, help="Speak a code of your own, read from standard input.")
@max_price_option
@ttl_option
@matching_digits_option
@dry_run_option
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
    end_user_ip: str | None,
    passcode_stdin: bool,
    max_price: float | None,
    ttl_s: float | None,
    matching_digits: bool | None,
    dry_run: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """Call NUMBER (E.164, or an internal extension) and speak a code.

    With --watch and --json, each step is a line of JSON, and the verification is the last.
    """
    # Never an option's value: command lines show in `ps`.
    passcode = read_code() if passcode_stdin else None
    with connect(options) as client:
        asked = CallOptions(
            extension=extension,
            language=language,
            passcode=passcode,
            human_check=human_check,
            lifetime_s=lifetime,
            reference=reference,
            end_user_ip=end_user_ip,
            max_price=max_price,
            ttl_s=ttl_s,
            matching_digits=matching_digits,
        )
        if dry_run:
            print_dry_run(client.dry_run(number, **asked), as_json=as_json)
            return
        created = client.create_verification(number, **asked)
        if not as_json:
            show_matching_digits(created.matching_digits)
        if watch:
            follow(client, _watched(created), lambda: client.verification(created.id), as_json=as_json)
        elif as_json:
            print_json(created)
        else:
            click.echo(f"calling {created.call.destination}\n{_next_step(created.id)}")


def _watched(created: Created) -> Watched:
    call = created.call
    return Watched(created.id, call.id, call.destination, call.created_at, _next_step(created.id))


def _next_step(verification_id: str) -> str:
    return f"check the code with: voicegate check {verification_id}"


@click.command("call-again")
@click.argument("verification_id", metavar="ID")
@max_price_option
@ttl_option
@matching_digits_option
@dry_run_option
@click.option("--watch", is_flag=True, help="Show the call as it happens; exit 0 only if it is delivered.")
@json_option
@click.pass_obj
def call_again(
    options: Options, /, verification_id: str, *, dry_run: bool, watch: bool, as_json: bool, **terms: Any
) -> None:
    """Call again for the verification ID, with the same code."""
    with connect(options) as client:
        if dry_run:
            print_dry_run(client.dry_redial(verification_id, **terms), as_json=as_json)
            return
        call = client.redial(verification_id, **terms)
        next_step = _next_step(verification_id)
        watched = Watched(verification_id, call.id, call.destination, call.created_at, next_step)
        if watch:
            follow(client, watched, lambda: client.verification(verification_id), as_json=as_json)
        elif as_json:
            print_json(call)
        else:
            click.echo(f"calling {call.destination}\n{next_step}")
