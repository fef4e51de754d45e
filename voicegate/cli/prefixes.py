"""`voicegate prefixes`: ranges and countries that are not called for a time."""

import rich_click as click

from voicegate.cli.options import Options
from voicegate.cli.place import connect
from voicegate.cli.printing import clock, json_option, print_json, print_table
from voicegate.client import PrefixHold

_client_option = click.option("--client", default="", help="For this client only; for all if not given.")
_reason_option = click.option(
    "--reason", required=True, help="Why, in 200 characters at most; kept in the audit."
)


@click.group()
def prefixes() -> None:
    """Ranges and countries that are held: by what their calls showed, or by an admin."""


@prefixes.command("list")
@json_option
@click.pass_obj
def list_prefixes(options: Options, *, as_json: bool) -> None:
    """List what is held now."""
    with connect(options) as client:
        found = client.prefixes()
    if as_json:
        print_json(found)
        return
    print_table(
        ("prefix", "for", "until", "by", "because"),
        (
            (one.prefix, one.client or "all", clock(one.until), one.held_by or "its calls", one.reason)
            for one in found
        ),
    )


@prefixes.command("hold")
@click.argument("prefix")
@_client_option
@_reason_option
@click.option(
    "--for", "for_s", type=click.IntRange(1, 31_536_000), default=3600, show_default=True, metavar="SECONDS"
)
@json_option
@click.pass_obj
def hold_prefix(
    options: Options, prefix: str, *, client: str, reason: str, for_s: int, as_json: bool
) -> None:
    """Hold PREFIX: the beginning of numbers, as +1202555, or a country, as US."""
    with connect(options) as connected:
        _print(connected.hold_prefix(prefix, reason, client=client, for_s=for_s), as_json=as_json)


@prefixes.command("lift")
@click.argument("prefix")
@_client_option
@_reason_option
@json_option
@click.pass_obj
def lift_prefix(options: Options, prefix: str, *, client: str, reason: str, as_json: bool) -> None:
    """End the hold on PREFIX; its calls until now are not judged again."""
    with connect(options) as connected:
        _print(connected.lift_prefix(prefix, reason, client=client), as_json=as_json)


def _print(hold: PrefixHold, *, as_json: bool) -> None:
    if as_json:
        print_json(hold)
    else:
        click.echo(f"{hold.prefix}: held until {clock(hold.until)} for {hold.client or 'all clients'}")
