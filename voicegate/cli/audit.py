"""`voicegate audit`: who asked for what."""

from typing import Any

import rich_click as click

from voicegate.cli.moments import Moment
from voicegate.cli.place import connect
from voicegate.cli.printing import clock, hint_at_plus, json_option, print_json, print_table
from voicegate.cli.receipts import export, public_keys, verify, verify_file


@click.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Entries to show.")
@click.option("--before", type=click.IntRange(min=1), metavar="ID", help="Only entries with a lower id.")
@click.option("--number", help="Only about this number, written in full, or this extension.")
@click.option("--client", "owner", help="Only what this client asked.")
@click.option("--action", help="Only this action, such as verification.create.")
@click.option("--decision", help="Only this decision, such as country_not_allowed.")
@click.option("--subject", metavar="ID", help="Only about what has this id or name.")
@click.option("--subscriber", help="Only about this subscriber.")
@click.option("--reference", help="Only with this note of the client's.")
@click.option("--trunk", help="Only about this trunk, or a call that was to begin by it.")
@click.option("--since", type=Moment(), help="Only entries made then or later, local time.")
@click.option("--until", type=Moment(), help="Only entries made before then, local time.")
@json_option
@click.pass_context
def audit(
    ctx: click.Context, /, *, limit: int, before: int | None, as_json: bool, owner: str | None, **wanted: Any
) -> None:
    """Who asked for what, and what was decided; and signed receipts of calls."""
    if ctx.invoked_subcommand is not None:
        return
    with connect(ctx.obj) as client:
        entries = client.audit(limit, before, client=owner, **wanted)
    if as_json:
        print_json(entries)
        return
    hint_at_plus(wanted.get("number"), is_found=bool(entries))
    print_table(
        ("id", "when", "client", "action", "decision", "by rule", "reason", "about", "number", "request"),
        (
            (
                str(entry.id),
                clock(entry.at),
                entry.client,
                entry.action,
                entry.decision,
                entry.rule or "",
                entry.reason or "",
                entry.subject or "",
                entry.number or "",
                entry.request_id,
            )
            for entry in entries
        ),
    )


for command in (verify, verify_file, export, public_keys):
    audit.add_command(command)
