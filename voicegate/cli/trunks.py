"""`voicegate trunks`: the trunks and their states."""

import rich_click as click

from voicegate.cli.options import Options
from voicegate.cli.place import connect
from voicegate.cli.printing import clock, json_option, print_json, print_table


@click.command()
@json_option
@click.pass_obj
def trunks(options: Options, *, as_json: bool) -> None:
    """The trunks, as their PBXs see them."""
    with connect(options) as client:
        found = client.trunks()
    if as_json:
        print_json(found)
        return
    print_table(
        ("trunk", "state", "set aside until", "PBX", "endpoint"),
        (
            (
                trunk.name,
                trunk.state,
                clock(trunk.set_aside_until) if trunk.set_aside_until else "",
                trunk.pbx if trunk.pbx_connected else f"{trunk.pbx} (not connected: see the daemon's log)",
                trunk.endpoint,
            )
            for trunk in found
        ),
    )
