"""`voicegate calls`: which calls were placed, and how they ended."""

from datetime import datetime
from typing import Any

import rich_click as click

from voicegate.cli.call_text import describe_call
from voicegate.cli.moments import Moment
from voicegate.cli.options import Options
from voicegate.cli.place import connect
from voicegate.cli.printing import clock, hint_at_plus, json_option, print_json, print_table


@click.group()
def calls() -> None:
    """Calls that were placed, and how they ended."""


@calls.command("list")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Calls to show.")
@click.option("--number", help="Only calls to this number, written in full, or to this extension.")
@click.option("--outcome", help="Only calls that ended so, such as busy.")
@click.option("--trunk", help="Only calls by this trunk.")
@click.option("--client", "owner", help="Only calls of this client.")
@click.option("--subscriber", help="Only calls for this subscriber.")
@click.option("--reference", help="Only calls with this note of the client's.")
@click.option("--after", type=Moment(), help="Only calls made at this moment or later, local time.")
@click.option("--before", type=Moment(), help="Only calls made before this moment, local time.")
@click.option("--test-numbers", is_flag=True, help="The calls to test numbers, too.")
@json_option
@click.pass_obj
def list_calls(
    options: Options,
    /,
    *,
    limit: int,
    before: datetime | None,
    test_numbers: bool,
    as_json: bool,
    owner: str | None,
    **wanted: Any,
) -> None:
    """List the newest calls."""
    with connect(options) as client:
        found = client.calls(limit, before, test_numbers=test_numbers, client=owner, **wanted)
    if as_json:
        print_json(found)
        return
    hint_at_plus(wanted.get("number"), is_found=bool(found))
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
    for line in describe_call(call):
        click.echo(line)
