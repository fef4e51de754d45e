"""`voicegate call`: call a number and speak a code; with `--watch`, show what happens on the call."""

import rich_click as click

from voicegate.cli.check import read_code
from voicegate.cli.options import Options, complete_language, end_user_ip_option
from voicegate.cli.place import connect
from voicegate.cli.printing import json_option, print_json, print_table
from voicegate.cli.watching import Watched, follow
from voicegate.client import Created, DryRun
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
@click.option("--max-price", type=click.FloatRange(0), help="What it may cost at most, by the rates.")
@click.option(
    "--ttl", type=click.FloatRange(0, 3600), metavar="SECONDS", help="How long it may wait for a line."
)
@click.option("--dry-run", is_flag=True, help="Decide all, call nobody; exit 0 if it would be called.")
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
    ttl: float | None,
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
            ttl_s=ttl,
        )
        if dry_run:
            _print_dry_run(client.dry_run(number, **asked), as_json=as_json)
            return
        created = client.create_verification(number, **asked)
        if watch:
            follow(client, _watched(created), lambda: client.verification(created.id), as_json=as_json)
        elif as_json:
            print_json(created)
        else:
            click.echo(f"calling {created.call.destination}\n{_next_step(created.id)}")


def _print_dry_run(found: DryRun, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    click.echo("would be called\n")
    print_table(
        ("trunk", "costs at most", "billed"),
        (
            (
                one.trunk,
                "unknown" if one.price is None else f"{one.price:g}",
                "unknown" if one.billed_s is None else f"{one.billed_s} s",
            )
            for one in found.trunks
        ),
    )


def _watched(created: Created) -> Watched:
    call = created.call
    return Watched(created.id, call.id, call.destination, call.created_at, _next_step(created.id))


def _next_step(verification_id: str) -> str:
    return f"check the code with: voicegate check {verification_id}"
