"""`voicegate calls`: what was placed, and how it went."""

from datetime import datetime

import rich_click as click

from voicegate.cli.options import Options
from voicegate.cli.place import connect
from voicegate.cli.printing import (
    clock,
    describe_end,
    json_option,
    labels_of,
    print_json,
    print_table,
)


@click.group()
def calls() -> None:
    """Calls that were placed, and how they went."""


@calls.command("list")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Calls to show.")
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]),
    help="Only calls made before this moment, local time.",
)
@click.option("--test-numbers", is_flag=True, help="The calls to test numbers, too.")
@json_option
@click.pass_obj
def list_calls(
    options: Options, *, limit: int, before: datetime | None, test_numbers: bool, as_json: bool
) -> None:
    """List the newest calls."""
    until = before.astimezone() if before is not None else None
    with connect(options) as client:
        found = client.calls(limit, until, test_numbers=test_numbers)
    if as_json:
        print_json(found)
        return
    print_table(
        ("when", "call", "destination", "trunk", "outcome", "evidence"),
        (
            (
                clock(call.created_at),
                call.id,
                call.destination,
                call.trunk,
                call.outcome or call.state,
                call.evidence.strongest,
            )
            for call in found
        ),
    )


@calls.command()
@click.argument("call_id", metavar="ID")
@json_option
@click.pass_obj
def show(options: Options, call_id: str, *, as_json: bool) -> None:
    """Show a call and its timeline."""
    with connect(options) as client:
        call = client.call(call_id)
    if as_json:
        print_json(call)
        return
    click.echo(f"{call.id} to {call.destination} at {clock(call.created_at)}, of {call.verification_id}")
    for step, label in labels_of(call.timeline):
        click.echo(f"{(step.at - call.created_at).total_seconds():6.1f} s  {label}")
    click.echo(describe_end(call))
